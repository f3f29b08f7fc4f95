"""`huiyao org`: the organisations whose meetings these are."""

from typing import TYPE_CHECKING, Annotated

import typer

from huiyao.cli import options
from huiyao.cli.lazily import lazily
from huiyao.model import Org

if TYPE_CHECKING:
    from huiyao.service import operate
else:
    operate = lazily("huiyao.service.operate")

group = typer.Typer(no_args_is_help=True, help="Organisations.")

Timezone = Annotated[
    str | None, typer.Option(metavar="ZONE", help="A zone of the tz database, such as Asia/Shanghai.")
]
Closed = Annotated[
    bool | None,
    typer.Option(
        "--closed/--open",
        help="A closed directory refuses uids that were not imported; an open one learns them.",
    ),
]


@group.command("add")
def add(
    org_id: options.OrgId,
    *,
    name: Annotated[str, typer.Option(help="The organisation's name.")],
    timezone: Timezone = None,
    closed: Closed = None,
    database: options.Database = None,
) -> None:
    """Add an organisation. Its time zone is Asia/Shanghai and its directory open unless you say otherwise."""
    org = Org(id=org_id, name=name, timezone=timezone or "Asia/Shanghai", closed=bool(closed))
    options.with_storage(
        options.settings(database_url=database), lambda storage: operate.add_org(storage, org)
    )
    print(f"Organisation {org_id} added.")


@group.command("set")
def change(
    org_id: options.OrgId,
    *,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    timezone: Timezone = None,
    closed: Closed = None,
    database: options.Database = None,
) -> None:
    """Change an organisation; what you do not name stays as it is."""
    options.with_storage(
        options.settings(database_url=database),
        lambda storage: operate.set_org(storage, org_id, name=name, timezone=timezone, closed=closed),
    )
    print(f"Organisation {org_id} changed.")
