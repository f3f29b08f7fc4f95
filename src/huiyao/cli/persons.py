"""`huiyao person`: an organisation's directory."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from huiyao.cli import options
from huiyao.cli.lazily import lazily
from huiyao.errors import OperatorError

if TYPE_CHECKING:
    from huiyao.service import people
else:
    people = lazily("huiyao.service.people")

group = typer.Typer(no_args_is_help=True, help="People of an organisation's directory.")

Org = Annotated[int, typer.Option(metavar="ORG_ID", help="The organisation.")]


@group.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="UTF-8, with a header line.")],
    *,
    org: Org,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Import the good rows all the same.")] = False,
    json: options.Json = False,
    database: options.Database = None,
) -> None:
    """Import people from a CSV file with columns uid, name, mobile, email, timezone, locale.

    uid and name are needed. People who are there already are replaced. Every bad row is reported with its line; if
    there is one, nothing is imported.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise OperatorError(f"{file} is not UTF-8; in Excel, save it as “CSV UTF-8”.") from error
    except OSError as error:
        raise OperatorError(f"{file} cannot be read: {error.strerror}.") from error
    found, faults = people.parse(text, org)
    good = found if skip_bad or not faults else []
    options.with_storage(
        options.settings(database_url=database), lambda storage: people.import_people(storage, org, good)
    )
    if json:
        bad = [{"line": one.line, "fault": one.fault} for one in faults]
        options.print_json({"imported": len(good), "bad": bad})
    else:
        for one in faults:
            print(f"{file}:{one.line}: {one.fault}", file=sys.stderr)
        print(f"{len(good)} people imported, {len(faults)} rows are bad.")
    if faults:
        raise typer.Exit(1)


@group.command("erase")
def erase(
    uid: Annotated[str, typer.Argument(metavar="UID", help="The person's uid.")],
    *,
    org: Org,
    database: options.Database = None,
) -> None:
    """Forget a person: name, number, address, inbox and replies."""
    options.with_storage(
        options.settings(database_url=database), lambda storage: people.erase(storage, org, uid)
    )
    print("Erased.")
