"""The contract of deliveries, on both databases: how they are taken, acknowledged, leased, rescued and queued again."""

import functools
from typing import Any

import msgspec
import pytest

from huiyao.channels.contract import Refused, Retry, Sent, Unknown, Verdict
from huiyao.dispatch.sender import acknowledgement
from huiyao.errors import OperatorError, SystemFailure
from huiyao.model import Delivery, DeliveryState, Kind, RemindType
from huiyao.rules import deliver, timing
from huiyao.rules.deliver import Receipt, Sight
from huiyao.service import operate
from huiyao.storage.contract import Amend, Begun, Look, Wanted
from huiyao.storage.opening import open_storage
from tests.storage.node import NOW, ORG, Node
from tests.storage.rows import execute

SMS = RemindType.SMS
LEASE = 60_000
WAIT = 30_000


def send(sight: Sight) -> Delivery:
    """A look that sends everything."""
    return deliver.begin(
        sight.delivery,
        address=sight.mobile or "+8613800138000",
        text=f"text {sight.delivery.id}",
        as_of=sight.meeting.sequence,
        now=NOW,
    )


def skip(sight: Sight) -> Delivery:
    return deliver.skip(sight.delivery, "in_app", now=NOW)


async def begin(
    node: Node, look: Look = send, *, room: int = 100, look_at: int = 100, lease_ms: int = LEASE
) -> Begun:
    return await node.storage.begin_deliveries(
        "sms", now=node.clock.now(), room=room, look_at=look_at, lease_ms=lease_ms, look=look
    )


async def texts_due(node: Node, count: int) -> list[Delivery]:
    """So many deliveries to as many people, each due a millisecond after the other, the last one now."""
    for place in range(count):
        node.clock.moment = NOW + place
        await node.create(f"p{place}", remind_type=SMS)
        await node.expand_all()
    return await node.deliveries()


async def one_text(node: Node) -> Delivery:
    (delivery,) = await texts_due(node, 1)
    return delivery


async def reread(node: Node, one: Delivery) -> Delivery:
    found = await node.storage.delivery(one.org_id, one.id)
    assert found
    return found


async def acknowledge(node: Node, one: Delivery, verdict: Verdict, *, attempt: int = 1) -> Delivery | None:
    amend = acknowledgement(verdict, attempt=attempt, wait_ms=WAIT, jitter=1, now=node.clock.now())
    (after,) = await node.storage.amend_deliveries([(one.org_id, one.id, amend)])
    return after


def ids(begun: Begun) -> list[int]:
    return [delivery.id for delivery, _ in begun.sending]


async def test_what_is_due_is_taken_in_the_order_of_its_moments_as_much_as_there_is_room_for(
    node: Node, url: str
) -> None:
    made = await texts_due(node, 5)
    await execute(url, f"UPDATE delivery SET due_at = {NOW - 1} WHERE id = {made[4].id}")
    first = await begin(node, room=2)
    assert ids(first) == [made[4].id, made[0].id]
    assert (first.ended, first.more, first.next_due_at) == ((), True, made[1].due_at)
    second = await begin(node, room=9)
    assert ids(second) == [one.id for one in made[1:4]]
    assert (second.more, second.next_due_at) == (False, None)
    assert await begin(node) == Begun((), (), more=False, next_due_at=None)


async def test_no_more_are_looked_at_than_asked_for_though_all_of_them_are_skipped(node: Node) -> None:
    made = await texts_due(node, 5)
    found = await begin(node, skip, room=1, look_at=3)
    assert (found.sending, [one.id for one in found.ended]) == ((), [one.id for one in made[:3]])
    assert (found.more, found.next_due_at) == (True, made[3].due_at)
    assert [one.state for one in await node.deliveries()] == ["skipped"] * 3 + ["pending"] * 2


async def test_what_is_skipped_takes_no_room(node: Node) -> None:
    made = await texts_due(node, 5)

    def look(sight: Sight) -> Delivery:
        return send(sight) if sight.delivery.id in (made[2].id, made[3].id) else skip(sight)

    found = await begin(node, look, room=1, look_at=5)
    assert ids(found) == [made[2].id]
    assert [one.id for one in found.ended] == [made[0].id, made[1].id]
    states = [one.state for one in await node.deliveries()]
    assert states == ["skipped", "skipped", "sending", "pending", "pending"]


async def test_nothing_is_taken_before_it_is_due(node: Node) -> None:
    first, later = await texts_due(node, 2)
    node.clock.moment = later.due_at - 1
    found = await begin(node)
    assert (ids(found), found.more, found.next_due_at) == ([first.id], False, later.due_at)
    assert await begin(node) == Begun((), (), more=False, next_due_at=later.due_at)
    node.clock.moment = later.due_at
    assert ids(await begin(node)) == [later.id]


async def test_a_channel_takes_its_own_deliveries_only(node: Node, url: str) -> None:
    mail, text = await texts_due(node, 2)
    await execute(url, f"UPDATE delivery SET channel = 'mail' WHERE id = {mail.id}")
    found = await begin(node)
    assert (ids(found), found.more, found.next_due_at) == ([text.id], False, None)
    other = await node.storage.begin_deliveries("mail", now=NOW, room=9, look_at=9, lease_ms=LEASE, look=send)
    assert ids(other) == [mail.id]


async def test_what_is_begun_is_read_back_as_it_was_given_to_the_sender_but_for_its_lease(node: Node) -> None:
    made = await one_text(node)
    ((begun, sight),) = (await begin(node)).sending
    assert sight.delivery == made
    found = await reread(node, made)
    assert found.lease_until is not None
    without = msgspec.structs.replace
    assert without(found, lease_until=None) == without(begun, lease_until=None)
    assert (found.state, found.attempt, found.uncertain, found.sent_at) == ("sending", 1, 1, NOW)
    assert (found.text, found.as_of) == (f"text {made.id}", 0)


async def test_what_ends_and_what_is_put_off_is_written_too(node: Node) -> None:
    skipped, failed, late = await texts_due(node, 3)

    def look(sight: Sight) -> Delivery:
        if sight.delivery.id == skipped.id:
            return skip(sight)
        if sight.delivery.id == failed.id:
            return deliver.fail(sight.delivery, "unknown", now=NOW + 1)
        return deliver.put_off(sight.delivery, "error", after_seconds=None, jitter=1, now=node.clock.now())

    found = await begin(node, look)
    assert found.sending == ()
    assert found.ended == (await reread(node, skipped), await reread(node, failed))
    assert [(one.state, one.reason) for one in await node.deliveries()] == [
        ("skipped", "in_app"),
        ("failed", "unknown"),
        ("pending", "error"),
    ]
    assert (found.more, found.next_due_at) == (False, node.clock.now() + 2_000)
    assert (await reread(node, late)).failures == 1


async def test_a_look_that_breaks_leaves_everything_as_it_was(node: Node) -> None:
    made = await texts_due(node, 3)

    def look(sight: Sight) -> Delivery:
        if sight.delivery.id == made[1].id:
            raise ArithmeticError
        return send(sight)

    with pytest.raises(ArithmeticError):
        await begin(node, look)
    assert await node.deliveries() == made
    assert len((await begin(node)).sending) == 3


async def test_of_one_persons_texts_about_one_meeting_only_the_first_is_looked_at(node: Node) -> None:
    meeting_id = await node.create("ann", "bob", remind_type=SMS)
    await node.expand_all()
    await node.update(meeting_id, "ann", "bob", address="hall", remind_type=SMS)
    await node.expand_all()
    await node.create("ann", remind_type=SMS)
    await node.expand_all()

    def kinds(begun: Begun) -> list[tuple[str, str]]:
        return sorted((one.uid, one.kind) for one, _ in begun.sending)

    first = await begin(node)
    assert kinds(first) == [("ann", "invited"), ("ann", "invited"), ("bob", "invited")]
    assert first.more
    assert kinds(await begin(node)) == [("ann", "updated"), ("bob", "updated")]


async def test_amendments_are_made_in_their_order_and_say_what_they_wrote(node: Node) -> None:
    made = await texts_due(node, 2)
    await begin(node)

    def failing(reason: str) -> Amend:
        return lambda one: deliver.fail(one, one.reason + reason, now=NOW)

    first, second, nothing, none = await node.storage.amend_deliveries(
        [
            (ORG.id, made[1].id, failing("a")),
            (ORG.id, made[1].id, failing("b")),
            (ORG.id, made[0].id, lambda _: None),
            (ORG.id, made[1].id + 99, failing("c")),
        ]
    )
    assert first
    assert second
    assert (first.reason, second.reason, nothing, none) == ("a", "ab", None, None)
    assert await reread(node, made[1]) == second
    assert (await reread(node, made[0])).state == "sending"
    assert await node.storage.amend_deliveries([]) == []
    assert await node.storage.amend_deliveries([(ORG.id + 1, made[1].id, lambda one: one)]) == [None]


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (Sent("id 1"), "sent"),
        (Refused("bad"), "failed"),
        (Retry("busy"), "pending"),
        (Unknown("?"), "pending"),
    ],
)
async def test_each_verdict_is_kept_without_a_lease(node: Node, verdict: Verdict, state: str) -> None:
    made = await one_text(node)
    await begin(node)
    after = await acknowledge(node, made, verdict)
    assert after
    assert after.state == state
    assert await reread(node, made) == after
    assert after.lease_until is None


@pytest.mark.parametrize("late", [Sent("late"), Refused("late"), Retry("late"), Unknown("late")])
async def test_an_acknowledgement_of_an_earlier_attempt_changes_nothing(node: Node, late: Verdict) -> None:
    made = await one_text(node)
    await begin(node)
    await acknowledge(node, made, Unknown("?"))
    node.clock.moment += WAIT
    await begin(node)
    before = await reread(node, made)
    assert (before.state, before.attempt, before.uncertain) == ("sending", 2, 2)
    assert await acknowledge(node, made, late, attempt=1) is None
    assert await reread(node, made) == before
    after = await acknowledge(node, made, Sent("id 2"), attempt=2)
    assert after
    assert (after.state, after.provider_id) == ("sent", "id 2")
    assert await acknowledge(node, made, late, attempt=2) is None
    assert await reread(node, made) == after


async def test_a_lease_that_is_over_is_taken_back_and_waits_for_a_receipt(node: Node) -> None:
    lost, kept = await texts_due(node, 2)
    await node.storage.rescue_deliveries(
        wait_ms=WAIT
    )  # what an earlier process left, of which there is nothing
    assert ids(await begin(node, room=1, lease_ms=0)) == [lost.id]
    assert ids(await begin(node, room=1)) == [kept.id]
    assert await node.storage.rescue_deliveries(wait_ms=WAIT) == 1
    assert await node.storage.rescue_deliveries(wait_ms=WAIT) == 0
    found = await reread(node, lost)
    assert (found.state, found.lease_until, found.due_at) == ("pending", None, NOW + WAIT)
    assert (found.attempt, found.uncertain, found.sent_at) == (1, 1, NOW)
    assert (await reread(node, kept)).state == "sending"
    # Whoever had it may still acknowledge nothing.
    assert await acknowledge(node, lost, Sent("late")) is None
    node.clock.moment = NOW + WAIT
    assert ids(await begin(node)) == [lost.id]
    assert (await reread(node, lost)).attempt == 2


async def test_a_rescue_makes_nothing_due_earlier_than_it_was(node: Node) -> None:
    made = await one_text(node)
    await node.storage.rescue_deliveries(wait_ms=WAIT)
    await begin(node, lease_ms=0)
    assert await node.storage.rescue_deliveries(wait_ms=-5 * WAIT) == 1
    assert (await reread(node, made)).due_at == made.due_at


async def test_a_restart_frees_what_was_leased_where_only_one_process_sends(node: Node, url: str) -> None:
    made = await one_text(node)
    await node.storage.rescue_deliveries(wait_ms=WAIT)
    await begin(node)
    again = await open_storage(url)
    try:
        alone = again.backend == "sqlite"
        assert await again.rescue_deliveries(wait_ms=WAIT) == (1 if alone else 0)
        found = await again.delivery(made.org_id, made.id)
        assert found
        assert found.state == ("pending" if alone else "sending")
        assert await again.rescue_deliveries(wait_ms=WAIT) == 0
        node.clock.moment += WAIT
        taken = await again.begin_deliveries(
            "sms", now=node.clock.now(), room=1, look_at=1, lease_ms=LEASE, look=send
        )
        assert len(taken.sending) == (1 if alone else 0)
        assert await again.rescue_deliveries(wait_ms=WAIT) == 0  # its own leases hold
    finally:
        await again.close()


@pytest.mark.parametrize(
    ("receipt", "state"), [(Receipt(1, "delivered"), "delivered"), (Receipt(1, "failed", "gone"), "failed")]
)
async def test_a_receipt_may_come_before_the_acknowledgement(
    node: Node, receipt: Receipt, state: str
) -> None:
    made = await one_text(node)
    await begin(node)
    (after,) = await node.storage.amend_deliveries(
        [(ORG.id, made.id, lambda one: deliver.receive(one, receipt, now=NOW + 5))]
    )
    assert after
    assert (after.state, after.lease_until, after.ended_at) == (state, None, NOW + 5)
    assert await acknowledge(node, made, Sent("id 1")) is None
    assert await reread(node, made) == after


async def test_an_operator_queues_again_what_failed_and_it_is_looked_at_like_any_other(node: Node) -> None:
    made = await one_text(node)
    await begin(node)
    await acknowledge(node, made, Refused("bad"))
    later = NOW + 2 * timing.DAY_MS
    node.clock.moment = later
    await operate.retry_deliveries(node.storage, ORG.id, [made.id], now=later)
    found = await reread(node, made)
    assert (found.state, found.due_at, found.give_up_at) == ("pending", later, later + timing.DAY_MS)
    assert (found.attempt, found.failures, found.uncertain, found.ended_at) == (1, 0, 0, None)
    assert ids(await begin(node)) == [made.id]
    assert (await reread(node, made)).attempt == 2


async def test_an_operator_queues_all_of_them_again_or_none(node: Node) -> None:
    failed, sent = await texts_due(node, 2)
    await begin(node)
    await acknowledge(node, failed, Refused("bad"))
    await acknowledge(node, sent, Sent())
    before = await node.deliveries()
    for others in ([sent.id], [sent.id + 99]):
        with pytest.raises(OperatorError):
            await operate.retry_deliveries(node.storage, ORG.id, [failed.id, *others], now=NOW)
    assert await node.deliveries() == before


async def test_deliveries_are_listed_newest_first_by_whatever_matters(node: Node) -> None:
    made = await texts_due(node, 4)
    await node.nudge(made[3].meeting_id)
    await node.expand_all()
    nudged = (await node.deliveries())[-1]
    await begin(node, skip, look_at=1)

    async def found(**wanted: Any) -> list[int]:
        return [one.id for one in await node.storage.deliveries(Wanted(**wanted))]

    newest = [nudged.id, *(one.id for one in reversed(made))]
    assert await found() == newest
    assert await found(limit=2) == newest[:2]
    assert await found(below=newest[1], limit=2) == newest[2:4]
    assert await found(below=newest[-1]) == []
    assert await found(org_id=ORG.id + 1) == []
    assert await found(org_id=ORG.id, state="skipped") == [made[0].id]
    assert await found(kind=Kind.NUDGED) == [nudged.id]
    assert await found(meeting_id=made[3].meeting_id) == [nudged.id, made[3].id]
    assert await found(uid="p2", channel="sms", state="pending") == [made[2].id]
    assert await found(channel="mail") == []


async def test_the_last_outcomes_are_those_of_what_ended_last(node: Node) -> None:
    made = await texts_due(node, 4)
    ends = [
        functools.partial(deliver.skip, reason="over", now=NOW + 2),
        functools.partial(deliver.fail, reason="timeout", now=NOW + 3),
        functools.partial(deliver.fail, reason="timeout", now=NOW + 1),
    ]
    await node.storage.amend_deliveries([(ORG.id, one.id, end) for one, end in zip(made, ends, strict=False)])
    assert await node.storage.last_outcomes(limit=9) == ["failed", "skipped", "failed"]
    assert await node.storage.last_outcomes(limit=2) == ["failed", "skipped"]


@pytest.mark.parametrize(
    "fields",
    [
        {"state": "nonsense"},
        {"state": DeliveryState.SENT},
        {"ended_at": NOW},
        {"uncertain": 3, "attempt": 3, "sent_at": NOW},
        {"uncertain": 1},
        {"attempt": 1},
    ],
    ids=str,
)
async def test_a_state_that_makes_no_sense_cannot_be_stored(node: Node, fields: dict[str, Any]) -> None:
    made = await one_text(node)
    with pytest.raises(SystemFailure):
        await node.storage.amend_deliveries(
            [(ORG.id, made.id, lambda one: msgspec.structs.replace(one, **fields))]
        )
    assert await reread(node, made) == made
