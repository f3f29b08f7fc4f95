"""`huiyao delivery`: what became of each text, and once more for one that failed. `huiyao sms`: what gateways call."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from huiyao.cli import options
from huiyao.cli.lazily import lazily
from huiyao.errors import OperatorError
from huiyao.model import Delivery, DeliveryState, Inbound

if TYPE_CHECKING:
    from rich import table

    from huiyao import gateway
    from huiyao.service import operate
    from huiyao.service.keyring import Keyring
    from huiyao.storage import contract
    from huiyao.storage.contract import Storage
else:
    gateway = lazily("huiyao.gateway")
    operate = lazily("huiyao.service.operate")
    contract = lazily("huiyao.storage.contract")
    table = lazily("rich.table")

group = typer.Typer(no_args_is_help=True, help="Deliveries: texts to people, and what became of them.")
sms = typer.Typer(no_args_is_help=True, help="What the SMS gateway has to know.")

Org = Annotated[int, typer.Option(metavar="ORG_ID", help="The organisation.")]
DeliveryId = Annotated[
    int, typer.Argument(metavar="ID", help="The delivery's id, as `delivery list` shows it.")
]
Limit = Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="How many at the most.")]
_STATES = ", ".join(one.value for one in DeliveryState)
_SHOWN_DIGITS = 4  # of a number, at its end


@group.command("list")
def show_all(
    *,
    org: Annotated[int | None, typer.Option(metavar="ORG_ID", help="Of this organisation only.")] = None,
    state: Annotated[
        str | None, typer.Option(metavar="STATE", help=f"In this state only: {_STATES}.")
    ] = None,
    meeting: Annotated[int | None, typer.Option(metavar="ID", help="About this meeting only.")] = None,
    uid: Annotated[str | None, typer.Option(metavar="UID", help="To this person only.")] = None,
    limit: Limit = 50,
    json: options.Json = False,
    database: options.Database = None,
) -> None:
    """List deliveries, the newest first, without numbers and texts."""
    if state is not None and state not in list(DeliveryState):
        raise OperatorError(f"--state must be one of {_STATES}.")
    wanted = contract.Wanted(org_id=org, state=state, meeting_id=meeting, uid=uid, limit=limit)
    found = options.with_storage(
        options.settings(database_url=database), lambda storage: storage.deliveries(wanted)
    )
    if json:
        options.print_json([_facts(one) for one in found])
        return
    if not found:
        print("No deliveries.")
        return
    shown = table.Table(
        "ORG", "ID", "STATE", "KIND", "UID", "MEETING", "ATTEMPTS", "SINCE", "REASON", box=None
    )
    for one in found:
        shown.add_row(
            str(one.org_id),
            str(one.id),
            one.state,
            one.kind,
            one.uid,
            str(one.meeting_id),
            str(one.attempt),
            options.moment(one.ended_at or one.sent_at or one.created_at),
            one.reason or "-",
        )
    options.print_table(shown)


@group.command("show")
def show(
    delivery_id: DeliveryId, *, org: Org, json: options.Json = False, database: options.Database = None
) -> None:
    """Show one delivery with the text that was sent; of the number only its end."""
    one = options.with_storage(
        options.settings(database_url=database),
        lambda storage: operate.find_delivery(storage, org, delivery_id),
    )
    facts = _facts(one) | {"number": _masked(one.address), "text": one.text}
    if json:
        options.print_json(facts)
        return
    options.print_facts(facts)


@group.command("retry")
def retry(
    delivery_ids: Annotated[list[int], typer.Argument(metavar="ID…", help="The deliveries' ids.")],
    *,
    org: Org,
    database: options.Database = None,
) -> None:
    """Send failed or skipped deliveries after all, as far as they are still true. None is, unless all can be."""
    options.with_storage(
        options.settings(database_url=database),
        lambda storage: operate.retry_deliveries(storage, org, delivery_ids, now=time.time_ns() // 1_000_000),
    )
    print(f"{len(delivery_ids)} queued again; `huiyao delivery show` says what becomes of them.")


@group.command("replies")
def replies(*, limit: Limit = 50, json: options.Json = False, database: options.Database = None) -> None:
    """List the texts that came in, the newest first, and what became of each; their words are not kept."""
    found: list[Inbound] = options.with_storage(
        options.settings(database_url=database), lambda storage: storage.inbounds(limit=limit)
    )
    if json:
        options.print_json(found)
        return
    if not found:
        print("No texts came in.")
        return
    shown = table.Table("AT", "OUTCOME", "ORG", "UID", "MEETING", box=None)
    for one in found:
        facts = (one.outcome, str(one.org_id or "-"), one.uid or "-", str(one.meeting_id or "-"))
        shown.add_row(options.moment(one.at), *facts)
    options.print_table(shown)


@sms.command("inbound-url")
def inbound_url(*, database: options.Database = None) -> None:
    """Print the get-url for Kannel's sms-service group. Whoever knows it can answer for others: keep it to Kannel."""
    found = options.settings(database_url=database)
    if not found.public_url:
        raise OperatorError("HUIYAO_PUBLIC_URL is not set: nobody knows where Kannel could reach Huiyao.")

    async def url(_: "Storage", keyring: "Keyring") -> str:
        address: str = gateway.inbound_url(found.public_url, keyring)
        return address

    print(options.with_keys(found, url))


def _facts(one: Delivery) -> dict[str, object]:
    return {
        "org_id": one.org_id,
        "id": one.id,
        "channel": one.channel,
        "state": one.state,
        "reason": one.reason,
        "kind": one.kind,
        "uid": one.uid,
        "meeting_id": one.meeting_id,
        "sequence": one.sequence,
        "attempt": one.attempt,
        "failures": one.failures,
        "uncertain": one.uncertain,
        "created_at": one.created_at,
        "due_at": one.due_at,
        "sent_at": one.sent_at,
        "ended_at": one.ended_at,
        "give_up_at": one.give_up_at,
        "provider_id": one.provider_id,
    }


def _masked(number: str) -> str:
    return f"…{number[-_SHOWN_DIGITS:]}" if number else ""
