"""The contract of tickets and sessions, on both databases."""

import asyncio

import msgspec
import pytest

from huiyao.model import Session, Ticket
from tests.storage.node import APP, NOW, ORG, Node, open_nodes
from tests.storage.rows import fetch

MINUTE = 60_000
TICKET = Ticket(
    org_id=ORG.id, hash=b"ticket", uid="ann", app_id=APP.id, created_at=NOW, expires_at=NOW + MINUTE
)
SESSION = Session(
    org_id=ORG.id, hash=b"secret", uid="", app_id=None, created_at=NOW, expires_at=NOW + 60 * MINUTE
)


def session(secret: str, **fields: object) -> Session:
    return msgspec.structs.replace(SESSION, hash=secret.encode(), **fields)


async def test_a_ticket_begins_one_session_as_its_own_person_and_app(node: Node) -> None:
    await node.storage.put_ticket(TICKET)
    assert await node.storage.ticket(ORG.id, b"ticket", now=NOW) == TICKET
    begun = await node.storage.open_session(session("one", uid="boss"), b"ticket")
    assert begun == session("one", uid="ann", app_id=APP.id)
    assert await node.storage.session(ORG.id, b"one", now=NOW) == begun
    assert await node.storage.ticket(ORG.id, b"ticket", now=NOW) is None
    assert await node.storage.open_session(session("two"), b"ticket") is None
    assert await node.storage.session(ORG.id, b"two", now=NOW) is None


async def test_without_a_ticket_a_session_begins_as_given(node: Node) -> None:
    given = session("one", org_id=0, uid="")
    assert await node.storage.open_session(given, None) == given
    assert await node.storage.session(0, b"one", now=NOW) == given


@pytest.mark.parametrize(
    ("org_id", "hash_", "at"),
    [
        (ORG.id, b"another", NOW),
        (ORG.id + 1, b"ticket", NOW),
        (0, b"ticket", NOW),
        (ORG.id, b"ticket", NOW + MINUTE),
    ],
)
async def test_a_ticket_unknown_expired_or_of_another_organisation_begins_nothing(
    node: Node, url: str, org_id: int, hash_: bytes, at: int
) -> None:
    await node.storage.put_ticket(TICKET)
    assert await node.storage.ticket(org_id, hash_, now=at) is None
    assert await node.storage.open_session(session("one", org_id=org_id, created_at=at), hash_) is None
    assert await fetch(url, "SELECT hash FROM session") == []
    assert await node.storage.ticket(ORG.id, b"ticket", now=NOW) == TICKET


async def test_of_twenty_who_use_a_ticket_at_once_one_begins_a_session(node: Node, url: str) -> None:
    await node.storage.put_ticket(TICKET)
    begun = await asyncio.gather(
        *(node.storage.open_session(session(f"s{number}"), b"ticket") for number in range(20))
    )
    (won,) = [one for one in begun if one]
    assert [(bytes(hash_), uid) for hash_, uid in await fetch(url, "SELECT hash, uid FROM session")] == [
        (won.hash, "ann")
    ]


@pytest.mark.postgres
async def test_of_nodes_that_use_a_ticket_at_once_one_begins_a_session(postgres_url: str) -> None:
    async with open_nodes(postgres_url, 4) as nodes:
        for round_ in range(20):
            await nodes[0].storage.put_ticket(msgspec.structs.replace(TICKET, hash=b"%d" % round_))
            begun = await asyncio.gather(
                *(
                    node.storage.open_session(session(f"{round_} {number}"), b"%d" % round_)
                    for number, node in enumerate(nodes)
                )
            )
            assert len([one for one in begun if one]) == 1


async def test_a_session_ends_when_it_expires_or_is_ended_and_no_other_with_it(node: Node) -> None:
    for secret in ("one", "two"):
        await node.storage.open_session(session(secret, uid="ann"), None)
    assert await node.storage.session(ORG.id, b"one", now=SESSION.expires_at - 1)
    assert await node.storage.session(ORG.id, b"one", now=SESSION.expires_at) is None
    assert await node.storage.session(ORG.id + 1, b"one", now=NOW) is None
    await node.storage.end_session(ORG.id + 1, b"one")
    assert await node.storage.session(ORG.id, b"one", now=NOW)
    await node.storage.end_session(ORG.id, b"one")
    await node.storage.end_session(ORG.id, b"one")
    assert await node.storage.session(ORG.id, b"one", now=NOW) is None
    assert await node.storage.session(ORG.id, b"two", now=NOW)


async def test_all_of_a_persons_sessions_end_with_the_tickets_they_have_not_used(
    node: Node, url: str
) -> None:
    for secret, uid, org_id in (
        ("1", "ann", ORG.id),
        ("2", "ann", ORG.id),
        ("3", "bob", ORG.id),
        ("4", "ann", 2),
    ):
        await node.storage.open_session(session(secret, uid=uid, org_id=org_id), None)
        await node.storage.put_ticket(
            msgspec.structs.replace(TICKET, hash=secret.encode(), uid=uid, org_id=org_id)
        )
    assert await node.storage.open_session(session("5"), b"1")
    assert await node.storage.end_sessions(ORG.id, "ann") == 3
    assert await node.storage.end_sessions(ORG.id, "ann") == 0
    left = await fetch(url, "SELECT org_id, uid FROM session ORDER BY org_id")
    assert left == [(ORG.id, "bob"), (2, "ann")]
    assert await node.storage.ticket(ORG.id, b"2", now=NOW) is None
    assert await node.storage.ticket(ORG.id, b"3", now=NOW)
    assert await node.storage.ticket(2, b"4", now=NOW)


async def test_expired_tickets_and_sessions_are_pruned(node: Node, url: str) -> None:
    await node.storage.put_ticket(TICKET)
    await node.storage.open_session(SESSION, None)
    assert await node.storage.prune(now=TICKET.expires_at - 1, ended_before=0) == 0
    assert await node.storage.prune(now=TICKET.expires_at, ended_before=0) == 1
    assert await node.storage.prune(now=SESSION.expires_at, ended_before=0) == 1
    assert await fetch(url, "SELECT hash FROM session UNION ALL SELECT hash FROM ticket") == []
