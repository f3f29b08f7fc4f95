"""`huiyao admin`: the operator's own pages."""

from typing import TYPE_CHECKING

import typer

from huiyao.cli import options, serving
from huiyao.cli.lazily import lazily

if TYPE_CHECKING:
    from huiyao.service import caller, sessions
else:
    caller = lazily("huiyao.service.caller")
    sessions = lazily("huiyao.service.sessions")

group = typer.Typer(no_args_is_help=True, help="The operator's own pages.")


@group.command("link")
def link(
    *,
    host: serving.Host = None,
    port: serving.Port = None,
    json: options.Json = False,
    database: options.Database = None,
) -> None:
    """Print a link that signs a browser in as the operator, once."""
    found = options.settings(host=host, port=port, database_url=database)
    ticket = options.with_storage(
        found, lambda storage: sessions.issue_operator_ticket(caller.Services(storage))
    )
    url, seconds = sessions.entrance(found.address, ticket), sessions.OPERATOR_TICKET_SECONDS
    if json:
        options.print_json({"url": url, "expires_in": seconds})
    else:
        print(f"{url}\nGood once, within {seconds // 60} minutes.")
