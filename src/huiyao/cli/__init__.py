"""The operators' commands. What each one does is loaded when it is run, so that `huiyao --help` answers at once."""

import sys
from typing import Annotated

import typer

from huiyao import __version__
from huiyao.cli import admin, apps, callbacks, database, deliveries, keys, organisations, persons
from huiyao.cli.diagnosis import doctor
from huiyao.cli.history import history
from huiyao.cli.serving import demo, dispatch, serve
from huiyao.errors import HuiyaoError

app = typer.Typer(
    name="huiyao",
    help="Huiyao (会邀): a self-hosted meeting-invitation service.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.command()(serve)
app.command()(dispatch)
app.add_typer(database.group, name="db")
app.add_typer(organisations.group, name="org")
app.add_typer(apps.group, name="app")
app.add_typer(persons.group, name="person")
app.add_typer(deliveries.group, name="delivery")
app.add_typer(deliveries.sms, name="sms")
app.add_typer(callbacks.group, name="callback")
app.add_typer(keys.group, name="key")
app.add_typer(admin.group, name="admin")
app.command()(history)
app.command()(doctor)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"huiyao {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run a command; what only the operator can put right is one line and exit code 1."""
    try:
        app()
    except HuiyaoError as error:
        print(f"huiyao: {error}", file=sys.stderr)
        sys.exit(1)
