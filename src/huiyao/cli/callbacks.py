"""`huiyao callback`: the events that apps are sent, what became of each, and sending one again or one to try."""

import time
from ipaddress import ip_network
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from huiyao.cli import options
from huiyao.cli.lazily import lazily
from huiyao.errors import OperatorError
from huiyao.model import Event, EventState
from huiyao.settings import Settings

if TYPE_CHECKING:
    from rich import table

    from huiyao.channels.target import Network
    from huiyao.dispatch import trial
    from huiyao.rules import callbacks as rules
    from huiyao.service import callbacks, installation
    from huiyao.service.keyring import Keyring
    from huiyao.storage import event_contract
    from huiyao.storage.contract import Storage
    from huiyao.wire import callbacks as wire
else:
    trial = lazily("huiyao.dispatch.trial")
    callbacks = lazily("huiyao.service.callbacks")
    installation = lazily("huiyao.service.installation")
    rules = lazily("huiyao.rules.callbacks")
    event_contract = lazily("huiyao.storage.event_contract")
    wire = lazily("huiyao.wire.callbacks")
    table = lazily("rich.table")

group = typer.Typer(no_args_is_help=True, help="Callbacks: events for apps, and what became of them.")

Org = Annotated[int, typer.Option(metavar="ORG_ID", help="The organisation.")]
_STATES = ", ".join(one.value for one in EventState)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """How an app's callback is to be; what is None stays."""

    url: str | None = None
    style: str | None = None
    rotate: bool = False

    @property
    def nothing(self) -> bool:
        return self.url is None and self.style is None and not self.rotate


async def check(wanted: Wanted, found: Settings) -> None:
    """Before anything is written. Raises OperatorError for a URL that no callback may go to."""
    if wanted.url:
        await callbacks.check(wanted.url, allowed=_allowed(found))


async def set_up(
    storage: "Storage", keyring: "Keyring", app_id: int, wanted: Wanted, found: Settings
) -> str | None:
    """The secret, where there is a new one."""
    if wanted.nothing:
        return None
    secret: str | None = await callbacks.set_callback(
        storage,
        keyring,
        app_id,
        url=wanted.url,
        style=wanted.style,
        rotate=wanted.rotate,
        allowed=_allowed(found),
        now=_now(),
    )
    return secret


async def set_up_with(storage: "Storage", app_id: int, wanted: Wanted, found: Settings) -> str | None:
    """The same; the server's key is needed only where there is something to do."""
    if wanted.nothing:
        return None
    return await set_up(storage, await installation.open_keys(storage, found), app_id, wanted, found)


@group.command("list")
def show_all(
    *,
    app: Annotated[int | None, typer.Option(metavar="APP_ID", help="For this app only.")] = None,
    org: Annotated[int | None, typer.Option(metavar="ORG_ID", help="Of this organisation only.")] = None,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help=f"In this state only: {_STATES}.")
    ] = None,
    meeting: Annotated[int | None, typer.Option(metavar="ID", help="About this meeting only.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="How many at the most.")] = 50,
    json: options.Json = False,
    database: options.Database = None,
) -> None:
    """List events, the newest first."""
    if state is not None and state not in list(EventState):
        raise OperatorError(f"--state must be one of {_STATES}.")
    wanted = event_contract.EventsWanted(app_id=app, org_id=org, state=state, meeting_id=meeting, limit=limit)
    found = options.with_storage(
        options.settings(database_url=database), lambda storage: storage.events(wanted)
    )
    if json:
        options.print_json([_facts(one) for one in found])
        return
    if not found:
        print("No events.")
        return
    shown = table.Table(
        "ORG", "ID", "APP", "STATE", "TYPE", "MEETING", "UID", "ATTEMPTS", "SINCE", "OUTCOME", box=None
    )
    for one in found:
        shown.add_row(
            str(one.org_id),
            str(one.id),
            str(one.app_id),
            one.state,
            str(one.type),
            str(one.meeting_id),
            one.uid or "-",
            str(one.attempt),
            options.moment(one.ended_at or one.sent_at or one.at),
            one.outcome or "-",
        )
    options.print_table(shown)


@group.command("show")
def show(
    event_id: Annotated[
        int, typer.Argument(metavar="ID", help="The event's id, as `callback list` shows it.")
    ],
    *,
    org: Org,
    json: options.Json = False,
    database: options.Database = None,
) -> None:
    """Show one event with its last requests and what each came to."""
    one = options.with_storage(
        options.settings(database_url=database),
        lambda storage: callbacks.find_event(storage, org, event_id),
    )
    requests = rules.attempts(one)
    if json:
        options.print_json(_facts(one) | {"requests": requests})
        return
    options.print_facts(_facts(one))
    for request in requests:
        print(f"{'request':12}{options.moment(request.at)}  {request.ms} ms  {request.outcome}")


@group.command("replay")
def replay(
    event_ids: Annotated[list[int], typer.Argument(metavar="ID…", help="The events' ids.")],
    *,
    org: Org,
    database: options.Database = None,
) -> None:
    """Send events that have ended once more, delivered ones too. None is, unless all can be."""
    options.with_storage(
        options.settings(database_url=database),
        lambda storage: callbacks.replay_events(storage, org, event_ids, now=_now()),
    )
    print(f"{len(event_ids)} queued again; `huiyao callback show` says what becomes of them.")


@group.command("test")
def try_it(app_id: options.AppId, *, json: options.Json = False, database: options.Database = None) -> None:
    """Send an app's receiver an event of type 100 from this machine, and say what it answers."""
    found = options.settings(database_url=database)
    answer = options.with_keys(
        found,
        lambda storage, keyring: trial.send(
            storage, wire.Sealer(keyring), app_id, allowed=_allowed(found), now=_now()
        ),
    )
    if json:
        options.print_json({"taken": answer.taken, "outcome": answer.outcome, "ms": answer.ms})
    else:
        print(f"{'Taken' if answer.taken else 'Not taken'}: {answer.outcome}, {answer.ms} ms.")
    if not answer.taken:
        raise typer.Exit(1)


def _facts(one: Event) -> dict[str, object]:
    return {
        "org_id": one.org_id,
        "id": one.id,
        "app_id": one.app_id,
        "state": one.state,
        "outcome": one.outcome,
        "type": one.type,
        "meeting_id": one.meeting_id,
        "sequence": one.sequence,
        "uid": one.uid,
        "msg_status": one.msg_status,
        "reason": one.reason,
        "attempt": one.attempt,
        "failures": one.failures,
        "happened_at": one.at,
        "due_at": one.due_at,
        "sent_at": one.sent_at,
        "ended_at": one.ended_at,
        "give_up_at": one.give_up_at,
    }


def _allowed(found: Settings) -> "list[Network]":
    return [ip_network(one, strict=False) for one in found.callback_private]


def _now() -> int:
    return time.time_ns() // 1_000_000
