"""`huiyao app`: the programs that may call the Open API, their secrets and grants."""

from typing import TYPE_CHECKING, Annotated

import typer

from huiyao.cli import options
from huiyao.cli.lazily import lazily
from huiyao.model import App

if TYPE_CHECKING:
    from rich import console, table

    from huiyao.service import operate
else:
    operate = lazily("huiyao.service.operate")
    console = lazily("rich.console")
    table = lazily("rich.table")

group = typer.Typer(no_args_is_help=True, help="Apps: programs that call the Open API.")

Callback = Annotated[str | None, typer.Option(metavar="URL", help="Where the app's events are to be sent.")]


@group.command("add")
def add(
    *,
    name: Annotated[str, typer.Option(help="The app's name.")],
    org: Annotated[
        str,
        typer.Option(metavar="ORG_ID,…", help="The organisations it may act in; the first is its default."),
    ],
    app_id: Annotated[
        int | None, typer.Option(metavar="N", help="Its appId; chosen for you if absent.")
    ] = None,
    secret_file: options.SecretFile = None,
    callback: Callback = None,
    json: options.Json = False,
    database: options.Database = None,
) -> None:
    """Add an app. Its appSecret is shown now and never again."""
    orgs = options.org_ids(org)
    secret = options.read_secret(secret_file)
    app, secret = options.with_keys(
        options.settings(database_url=database),
        lambda storage, keys: operate.add_app(
            storage, keys, name=name, orgs=orgs, app_id=app_id, secret=secret, callback_url=callback or ""
        ),
    )
    _print_secret(app.id, secret, json=json)


@group.command("list")
def show(*, json: options.Json = False, database: options.Database = None) -> None:
    """List the apps, without their secrets."""
    apps = options.with_storage(options.settings(database_url=database), lambda storage: storage.apps())
    if json:
        options.print_json([_facts(app) for app in apps])
        return
    shown = table.Table("APP_ID", "NAME", "ORGANISATIONS", "DEFAULT", "STATE", box=None)
    for app in apps:
        state = "disabled" if app.disabled else "enabled"
        orgs = ",".join(map(str, app.orgs))
        shown.add_row(str(app.id), app.name, orgs, str(app.default_org or "-"), state)
    console.Console(soft_wrap=True, markup=False).print(shown)


@group.command("set")
def change(
    app_id: options.AppId,
    *,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    org: Annotated[
        str | None, typer.Option(metavar="ORG_ID,…", help="All organisations it may act in from now on.")
    ] = None,
    default_org: Annotated[
        int | None, typer.Option(metavar="ORG_ID", help="The organisation of calls that name none.")
    ] = None,
    callback: Callback = None,
    database: options.Database = None,
) -> None:
    """Change an app; what you do not name stays as it is. An empty --callback removes it."""
    orgs = None if org is None else options.org_ids(org)
    options.with_storage(
        options.settings(database_url=database),
        lambda storage: operate.set_app(
            storage, app_id, name=name, orgs=orgs, default_org=default_org, callback_url=callback
        ),
    )
    print(f"App {app_id} changed.")


@group.command("disable")
def disable(
    app_id: options.AppId,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Enable it again.")] = False,
    database: options.Database = None,
) -> None:
    """Refuse an app's secret and tokens, on every node within seconds."""
    options.with_storage(
        options.settings(database_url=database),
        lambda storage: operate.disable_app(storage, app_id, disabled=not undo),
    )
    print(f"App {app_id} {'enabled' if undo else 'disabled'}.")


@group.command("rotate")
def rotate(
    app_id: options.AppId,
    *,
    revoke: Annotated[bool, typer.Option("--revoke", help="Refuse the tokens it has, too.")] = False,
    secret_file: options.SecretFile = None,
    json: options.Json = False,
    database: options.Database = None,
) -> None:
    """Give an app a new appSecret, shown now and never again; the old one is refused at once."""
    secret = options.read_secret(secret_file)
    fresh = options.with_keys(
        options.settings(database_url=database),
        lambda storage, keys: operate.rotate_secret(storage, keys, app_id, secret=secret, revoke=revoke),
    )
    _print_secret(app_id, fresh, json=json)


def _print_secret(app_id: int, secret: str, *, json: bool) -> None:
    if json:
        options.print_json({"app_id": app_id, "app_secret": secret})
    else:
        print(f"appId      {app_id}\nappSecret  {secret}")


def _facts(app: App) -> dict[str, object]:
    return {
        "app_id": app.id,
        "name": app.name,
        "orgs": app.orgs,
        "default_org": app.default_org,
        "disabled": app.disabled,
        "callback_url": app.callback_url,
    }
