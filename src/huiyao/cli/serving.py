"""`huiyao serve`, `dispatch` and `demo`: what runs until it is told to stop."""

from typing import TYPE_CHECKING, Annotated

import typer

from huiyao.cli import options
from huiyao.cli.lazily import lazily

if TYPE_CHECKING:
    from huiyao.cli import demonstration, running
else:
    demonstration = lazily("huiyao.cli.demonstration")
    running = lazily("huiyao.cli.running")

Host = Annotated[
    str | None, typer.Option(metavar="HOST", help="The address to listen on; 127.0.0.1 if absent.")
]
Port = Annotated[int | None, typer.Option(metavar="PORT", help="The port to listen on; 8080 if absent.")]


def serve(
    *,
    host: Host = None,
    port: Port = None,
    database: options.Database = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Processes; more than one needs PostgreSQL.")
    ] = None,
    no_dispatch: Annotated[
        bool, typer.Option("--no-dispatch", help="Leave inviting and reminding to `huiyao dispatch`.")
    ] = False,
) -> None:
    """Answer the Open API, and invite and remind people."""
    found = options.settings(host=host, port=port, database_url=database, workers=workers)
    running.serve(found, dispatch=not no_dispatch)


def dispatch(
    *,
    host: Host = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="PORT", help="Answer /healthz, /readyz and /metrics here; nowhere if absent."),
    ] = None,
    database: options.Database = None,
) -> None:
    """Invite and remind people, without answering calls."""
    found = options.settings(host=host, port=port, database_url=database)
    running.dispatch(found, watched=port is not None)


def demo(
    *,
    host: Host = None,
    port: Port = None,
    allow_remote: Annotated[
        bool,
        typer.Option("--allow-remote", help="Let other machines in, where --host is not this one alone."),
    ] = False,
) -> None:
    """Try it: a sandbox in ./huiyao-demo.db with people, an app and meetings, and calls to paste."""
    demonstration.demo(host=host, port=port, allow_remote=allow_remote)
