"""`huiyao db`: the schema's version, the way to the newest, a copy."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from huiyao.cli import options
from huiyao.cli.lazily import lazily
from huiyao.settings import Settings

if TYPE_CHECKING:
    from huiyao.service import installation
    from huiyao.storage import migrate
else:
    installation = lazily("huiyao.service.installation")
    migrate = lazily("huiyao.storage.migrate")

group = typer.Typer(no_args_is_help=True, help="The database.")


@group.command("migrate")
def upgrade(*, database: options.Database = None) -> None:
    """Bring the database to the newest schema; one that is there already stays as it is."""
    found = options.settings(database_url=database)
    with installation.Lock(found):
        installation.upgrade(found)
    print(f"The schema is at {migrate.newest()}.")


@group.command("check")
def check(*, json: options.Json = False, database: options.Database = None) -> None:
    """Say which schema the database has, and exit with 1 unless it is the newest. Changes nothing."""
    known = options.settings(database_url=database)
    found = options.to_the_end(known, _version(known))
    if json:
        options.print_json({"found": found, "newest": migrate.newest(), "current": found == migrate.newest()})
        raise typer.Exit(0 if found == migrate.newest() else 1)
    migrate.check(found)
    print(f"The schema is at {found}, the newest.")


@group.command("backup")
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that does not exist yet.")],
    *,
    database: options.Database = None,
) -> None:
    """Copy a SQLite database into a new file while it is in use. The server key is not in it: keep that too."""
    options.with_storage(options.settings(database_url=database), lambda storage: storage.backup(str(file)))
    print(f"Written to {file}.")


@group.command("restored")
def restored(*, database: options.Database = None) -> None:
    """After a restore, before the start: let ids and feeds go on far above what was given after the backup."""
    found = options.settings(database_url=database)
    with installation.Lock(found):
        options.with_storage(found, lambda storage: storage.restored(progress=_show))
    print("Ids and feeds go on far above. Whoever follows inbox or changes begins again without a cursor.")


def _show(done: int, whole: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done:,} of {whole:,}", end="" if done < whole else "\n", file=sys.stderr, flush=True)


async def _version(settings: Settings) -> str | None:
    storage = await installation.open_as_it_is(settings)
    try:
        return await installation.version(storage)
    finally:
        await storage.close()
