"""The contract of what comes back and what is forgotten, on both databases: answers by text, queues, pruning."""

import asyncio
from typing import Any

import pytest

from huiyao.channels.contract import Refused, Retry, Unknown, Verdict
from huiyao.model import Delivery, Inbound, Kind, Org, RemindType
from huiyao.rules import deliver
from huiyao.rules.deliver import ANSWERABLE, Receipt
from huiyao.storage.contract import Queue
from tests.storage.gateway import Gateway
from tests.storage.node import HOUR, MINUTE, NOW, ORG, Node, number, person
from tests.storage.rows import execute, fetch

SMS = RemindType.SMS
KINDS = sorted(ANSWERABLE)
ANN = number("ann")


async def texted(node: Node, *verdicts: Verdict, uid: str = "ann") -> int:
    """A meeting whose invitation went to this person, with these verdicts of the gateway."""
    await node.people(uid)
    meeting_id = await node.create(uid, remind_type=SMS)
    await node.expand_all()
    await node.send_all(Gateway(*verdicts))
    return meeting_id


async def answers_to(node: Node, mobile: str = ANN, *, since: int = NOW) -> tuple[list[Any], int | None]:
    """Who has the number, and about which meeting it was asked."""
    people, found = await node.storage.answerable(mobile, kinds=KINDS, since=since)
    return sorted(tuple(one) for one in people), found.meeting_id if found else None


async def test_the_newest_text_that_asks_for_an_answer_is_found_by_the_number(node: Node) -> None:
    first = await texted(node)
    node.clock.moment += MINUTE
    second = await texted(node)
    node.clock.moment += MINUTE
    await node.nudge(first)
    await node.expand_all()
    assert await answers_to(node) == ([(ORG.id, "ann")], second)  # the nudge has not gone out yet
    await node.send_all(Gateway())
    assert await answers_to(node) == ([(ORG.id, "ann")], first)
    _, found = await node.storage.answerable(ANN, kinds=[Kind.INVITED], since=NOW)
    assert found
    assert (found.kind, found.meeting_id, found.address, found.as_of) == ("invited", second, ANN, 0)
    assert found == await node.storage.delivery(ORG.id, found.id)


async def test_the_text_sent_last_is_answered_though_it_was_caused_first(node: Node) -> None:
    first = await texted(node, Retry("busy", down=False))
    second = await texted(node)
    assert await answers_to(node) == ([(ORG.id, "ann")], second)
    node.clock.moment += MINUTE
    await node.send_all(Gateway())
    assert await answers_to(node) == ([(ORG.id, "ann")], first)


async def test_of_two_texts_of_one_moment_the_later_delivery_is_answered(node: Node) -> None:
    await node.people("ann")
    meetings = [await node.create("ann", remind_type=SMS) for _ in range(2)]
    for _ in meetings:
        await node.expand_all()
    await node.send_all(Gateway())
    newest = (await node.deliveries("ann"))[-1]
    assert await answers_to(node) == ([(ORG.id, "ann")], newest.meeting_id)


async def test_a_number_that_nobody_has_answers_nothing(node: Node) -> None:
    await texted(node)
    await node.storage.import_people([person("bob", mobile="")])
    assert await answers_to(node, "+8613900139000") == ([], None)
    assert await answers_to(node, "") == ([], None)


async def test_a_number_that_several_have_answers_nothing(node: Node) -> None:
    await texted(node)
    await node.storage.import_people([person("bob", mobile=ANN)])
    assert await answers_to(node) == ([(ORG.id, "ann"), (ORG.id, "bob")], None)
    await node.storage.import_people([person("cat", mobile=ANN)])
    people, found = await answers_to(node)
    assert (len(people), found) == (2, None)


async def test_a_number_known_in_two_organisations_answers_nothing(node: Node) -> None:
    await texted(node)
    await node.storage.put_org(Org(id=ORG.id + 1, name="other"))
    await node.storage.import_people([person("ann", org_id=ORG.id + 1)])
    assert await answers_to(node) == ([(ORG.id, "ann"), (ORG.id + 1, "ann")], None)


@pytest.mark.parametrize(
    ("verdict", "found"),
    [(Retry("busy", down=False), False), (Refused("bad"), False), (Unknown("?"), True)],
    ids=lambda one: type(one).__name__,
)
async def test_what_certainly_did_not_go_out_is_not_answered(
    node: Node, verdict: Verdict, found: bool
) -> None:
    meeting_id = await texted(node, verdict)
    assert await answers_to(node) == ([(ORG.id, "ann")], meeting_id if found else None)


async def test_an_answer_may_come_before_the_gateways_own(node: Node) -> None:
    await node.people("ann")
    meeting_id = await node.create("ann", remind_type=SMS)
    await node.expand_all()
    gateway = Gateway()
    gateway.open.clear()
    sending = asyncio.create_task(node.send_all(gateway))
    await gateway.until_got(1)
    assert await answers_to(node) == ([(ORG.id, "ann")], meeting_id)
    gateway.open.set()
    await sending


@pytest.mark.parametrize(("state", "found"), [("delivered", True), ("failed", False)])
async def test_a_text_that_arrived_is_answered_and_one_that_did_not_is_not(
    node: Node, state: str, found: bool
) -> None:
    meeting_id = await texted(node)
    (one,) = await node.deliveries("ann")
    receipt = Receipt(1, state)
    await node.storage.amend_deliveries(
        [(ORG.id, one.id, lambda was: deliver.receive(was, receipt, now=NOW))]
    )
    assert await answers_to(node) == ([(ORG.id, "ann")], meeting_id if found else None)


async def test_a_text_is_answered_for_as_long_as_is_asked(node: Node) -> None:
    meeting_id = await texted(node)
    assert await answers_to(node, since=NOW) == ([(ORG.id, "ann")], meeting_id)
    assert await answers_to(node, since=NOW + 1) == ([(ORG.id, "ann")], None)


async def test_a_new_number_does_not_answer_what_went_to_the_old_one(node: Node) -> None:
    await texted(node)
    await node.storage.import_people([person("ann", mobile="+8613900139000")])
    assert await answers_to(node, "+8613900139000") == ([(ORG.id, "ann")], None)
    assert await answers_to(node, ANN) == ([], None)
    second = await node.create("ann", remind_type=SMS)
    await node.expand_all()
    await node.send_all(Gateway())
    assert await answers_to(node, "+8613900139000") == ([(ORG.id, "ann")], second)


async def test_another_persons_text_to_the_same_number_is_not_answered(node: Node) -> None:
    await texted(node)
    await node.storage.import_people([person("ann", mobile=""), person("bob", mobile=ANN)])
    assert await answers_to(node) == ([(ORG.id, "bob")], None)


def inbound(number: int, *, at: int = NOW) -> Inbound:
    return Inbound(org_id=ORG.id, id=number, at=at, uid="ann", meeting_id=5, outcome="accepted")


async def test_texts_that_came_in_are_listed_newest_first(node: Node) -> None:
    nobody = Inbound(org_id=0, id=3, at=NOW + 5, uid="", meeting_id=0, outcome="nobody")
    for one in (inbound(2), nobody, inbound(1)):
        await node.storage.record_inbound(one)
    assert await node.storage.inbounds(limit=9) == [nobody, inbound(2), inbound(1)]
    assert await node.storage.inbounds(limit=1) == [nobody]


async def test_an_erased_person_leaves_neither_number_nor_text_in_deliveries(node: Node, url: str) -> None:
    await texted(node, Unknown("?"))
    await texted(node, uid="bob")
    await node.create("ann", remind_type=SMS)
    await node.expand_all()
    before = [one for one in await node.deliveries("ann") if one.sent_at is None]
    assert await node.storage.erase_person(ORG.id, "ann")
    rows = await fetch(url, "SELECT uid, address, text <> '' FROM delivery ORDER BY id")
    assert [(uid, address, bool(text)) for uid, address, text in rows] == [
        ("ann", "", False),
        ("bob", number("bob"), True),
        ("ann", "", False),
    ]
    assert [one for one in await node.deliveries("ann") if one.sent_at is None] == before
    # What still waits goes nowhere.
    node.clock.moment += MINUTE
    gateway = Gateway()
    await node.send_all(gateway)
    assert gateway.got == []
    assert await node.outcomes("ann") == [("invited", "skipped", "no_number")] * 2


async def test_what_waits_is_counted_by_channel_and_kind(node: Node) -> None:
    storage = node.storage
    assert await storage.queues(now=NOW) == []
    meeting_id = await node.create("ann", "bob", remind_type=SMS)
    node.clock.moment += 1
    await node.create("ann", remind_type=SMS)
    await node.nudge(meeting_id)

    async def queues(now: int) -> list[Queue]:
        return sorted(await storage.queues(now=now), key=lambda one: (one.channel, one.kind))

    # The reminders are not due yet.
    assert await queues(NOW) == [Queue("inbox", "announce", 1, NOW)]
    assert await queues(NOW + 1) == [Queue("inbox", "announce", 2, NOW), Queue("inbox", "nudge", 1, NOW + 1)]
    node.clock.moment = NOW + 7
    await node.expand_all()
    texts = [Queue("sms", "invited", 3, NOW + 7), Queue("sms", "nudged", 2, NOW + 7)]
    assert await queues(NOW + 7) == texts
    await node.people("ann", "bob")
    await node.send_all(Gateway(usual=Retry("busy", down=False, after_seconds=30)))
    assert await queues(NOW + 7) == texts  # those that are to be tried again wait too
    node.clock.moment += MINUTE
    await node.send_all(Gateway(Refused("bad"), Unknown("?")))
    assert [(one.kind, one.depth) for one in await queues(NOW + 7)] == [("invited", 1)]
    node.clock.moment += MINUTE
    await node.send_all(Gateway())
    assert await queues(NOW + HOUR) == []


async def test_a_creates_key_is_forgotten_when_it_has_expired(node: Node, url: str) -> None:
    await node.create("ann", key="one")
    node.clock.moment += 1
    await node.create("ann", key="two")
    assert await node.storage.prune(now=NOW + HOUR - 1, ended_before=0) == 0
    assert await node.storage.prune(now=NOW + HOUR, ended_before=0) == 1
    assert await fetch(url, "SELECT key FROM idempotency") == [("two",)]


async def test_deliveries_are_forgotten_some_time_after_their_end_and_not_before(node: Node) -> None:
    await texted(node)
    node.clock.moment += 1
    await texted(node, Retry("busy", down=False))
    await texted(node, Refused("bad"), uid="bob")
    sent, waiting, failed = await node.deliveries()
    assert await node.storage.prune(now=NOW, ended_before=NOW) == 0
    assert await node.storage.prune(now=NOW, ended_before=NOW + 1) == 1
    assert await node.deliveries() == [waiting, failed]
    assert sent.ended_at == NOW
    assert await node.storage.prune(now=NOW, ended_before=NOW + HOUR) == 1
    assert await node.storage.prune(now=NOW, ended_before=NOW + HOUR) == 0
    assert await node.deliveries() == [waiting]


async def test_texts_that_came_in_are_forgotten_by_their_age(node: Node) -> None:
    await node.storage.record_inbound(inbound(1))
    await node.storage.record_inbound(inbound(2, at=NOW + 1))
    assert await node.storage.prune(now=NOW, ended_before=NOW) == 0
    assert await node.storage.prune(now=NOW, ended_before=NOW + 1) == 1
    assert await node.storage.inbounds(limit=9) == [inbound(2, at=NOW + 1)]


async def test_much_is_forgotten_a_thousand_of_each_at_a_time(node: Node, url: str) -> None:
    await texted(node)
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)"
    fields = Delivery.__struct_fields__
    values = [{"id": "i + 100000", "occasion": "occasion || i"}.get(field, field) for field in fields]
    await execute(
        url,
        f"INSERT INTO delivery ({', '.join(fields)}) {many} SELECT {', '.join(values)} FROM delivery, n",
    )
    await execute(
        url,
        "INSERT INTO inbound (org_id, id, at, uid, meeting_id, outcome)"
        f" {many} SELECT 1, i, {NOW}, '', 0, '' FROM n",
    )
    pruned = []
    while gone := await node.storage.prune(now=NOW, ended_before=NOW + 1):
        pruned.append(gone)
    assert pruned == [2000, 2000, 1001]
