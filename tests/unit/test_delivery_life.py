"""The state machine of a delivery: whatever happens, nobody gets more than one text too many, and none after an end."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huiyao.channels.contract import Refused, Retry, Sent, Unknown, Verdict
from huiyao.dispatch.sender import acknowledgement
from huiyao.model import Delivery, DeliveryState
from huiyao.rules import deliver
from huiyao.rules.deliver import Receipt
from tests.unit.test_deliver import HOUR, NOW, WAIT, begun, delivery

ENDS = (DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.SKIPPED)


def rescued(one: Delivery) -> Delivery:
    """What the storage makes of a delivery whose lease is over."""
    assert one.sent_at is not None
    return msgspec.structs.replace(
        one, state=DeliveryState.PENDING, lease_until=None, due_at=max(one.due_at, one.sent_at + WAIT)
    )


class Life:
    """One delivery, its sender and its gateway: what may happen to it, in any order, and what must always hold."""

    def __init__(self) -> None:
        self.now = NOW
        self.delivery = delivery()
        self.maybe_taken: set[int] = set()  # attempts that the gateway may have taken, as far as we were told
        self.ended = False

    def look(self) -> None:
        """As a sender does: of what is pending and due, ends what is hopeless and begins the rest."""
        one = self.delivery
        if one.state != DeliveryState.PENDING or one.due_at > self.now:
            return
        reason = deliver.hopeless(one, now=self.now)
        if reason:
            self.write(deliver.fail(one, reason, now=self.now))
            return
        assert not self.ended
        self.maybe_taken.add(one.attempt + 1)
        self.write(begun(one, now=self.now))

    def skip(self) -> None:
        if self.delivery.state == DeliveryState.PENDING:
            self.write(deliver.skip(self.delivery, "cancelled", now=self.now))

    def answer(self, verdict: Verdict, *, attempts_ago: int) -> None:
        """Of the newest request, or an older one whose answer comes late."""
        attempt = self.delivery.attempt - attempts_ago
        amend = acknowledgement(verdict, attempt=attempt, wait_ms=WAIT, jitter=0.7, now=self.now)
        after = amend(self.delivery)
        if after:
            if isinstance(verdict, Retry | Refused):
                self.maybe_taken.discard(attempt)
            self.write(after)

    def crash(self) -> None:
        """The sender is gone, and its lease is over."""
        if self.delivery.state == DeliveryState.SENDING:
            self.write(rescued(self.delivery))

    def receive(self, receipt: Receipt) -> None:
        after = deliver.receive(self.delivery, receipt, now=self.now)
        if after:
            self.write(after)

    def write(self, after: Delivery) -> None:
        before, self.delivery = self.delivery, after
        if before.state in ENDS:
            assert after.state == DeliveryState.DELIVERED, "only a receipt of arrival says more after an end"
        if before.state == DeliveryState.SENT:
            assert after.state in (DeliveryState.DELIVERED, DeliveryState.FAILED)
        self.ended = self.ended or after.ended_at is not None
        # As the schema demands.
        assert (after.lease_until is not None) == (after.state == DeliveryState.SENDING)
        assert (after.ended_at is None) == (after.state in (DeliveryState.PENDING, DeliveryState.SENDING))
        assert (after.sent_at is None) == (after.attempt == 0)
        assert 0 <= after.uncertain <= min(2, after.attempt)
        # At most one repeat of a request of which nobody knows, whatever came between.
        assert len(self.maybe_taken) <= 2
        if not self.ended:
            assert after.uncertain == len(self.maybe_taken)


RECEIPTS = st.builds(
    Receipt, st.integers(0, 4), st.sampled_from(["delivered", "failed", "sent"]), st.just("why")
)
ANSWERS = st.tuples(
    st.sampled_from(
        [Sent("id"), Refused("bad"), Retry("busy"), Retry("slow", after_seconds=9), Unknown("?")]
    ),
    st.sampled_from([0, 0, 0, 1, 2]),
)
STEPS = st.one_of(
    st.just("look"), st.just("crash"), st.just("skip"), st.integers(1, 2 * WAIT), RECEIPTS, ANSWERS
)


@settings(max_examples=1500, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_whatever_happens_at_most_two_requests_are_unknown_and_nothing_is_sent_after_an_end(
    steps: list[Any],
) -> None:
    life = Life()
    for step in steps:
        match step:
            case "look":
                life.look()
            case "crash":
                life.crash()
            case "skip":
                life.skip()
            case int():
                life.now += step
            case Receipt():
                life.receive(step)
            case (verdict, ago):
                life.answer(verdict, attempts_ago=ago)


@pytest.mark.parametrize("number", range(3))
def test_a_sender_that_always_crashes_begins_two_requests_and_fails_it_as_unknown(number: int) -> None:
    life = Life()
    for _ in range(number):  # refusals before are no requests of which nobody knows
        life.look()
        life.answer(Retry("busy"), attempts_ago=0)
        life.now += HOUR
    for _ in range(10):
        life.look()
        life.crash()
        life.now += WAIT
    one = life.delivery
    assert (one.state, one.reason, one.attempt) == (DeliveryState.FAILED, "unknown", number + 2)
