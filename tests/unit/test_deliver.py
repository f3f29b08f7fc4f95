"""What becomes of a delivery: whether it is still true, and what each verdict, crash and receipt makes of it."""

from typing import Any

import msgspec
import pytest

from huiyao.channels.contract import Refused, Retry, Sent, Unknown, Verdict
from huiyao.dispatch.sender import acknowledgement
from huiyao.model import Attendee, Delivery, DeliveryState, Kind, Meeting, MsgStatus, PushStatus, RemindType
from huiyao.rules import deliver, timing
from huiyao.rules.deliver import Receipt, Sight
from huiyao.storage.deliveries import look_through

NOW = 1_800_000_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE
BEGIN = NOW + HOUR
WAIT = 60_000

MEETING = Meeting(
    org_id=1,
    id=100,
    app_id=7,
    organizer_uid="boss",
    organizer_name="the boss",
    content="budget",
    address="room 1",
    begin_at=BEGIN,
    end_at=BEGIN + HOUR,
    remind_min=15,
    remind_type=RemindType.SMS,
    push_status=PushStatus.PUSHED,
    sequence=5,
    moved_sequence=0,
    ical_uid="",
    create_time=NOW,
    created_at=NOW,
    updated_at=NOW,
    cancelled_at=None,
    nudged_at=None,
    size=2,
)
ANN = Attendee(
    uid="ann",
    name="Ann",
    position=0,
    organizer=False,
    msg_status=MsgStatus.UNREAD,
    remind=True,
    reply="",
    read_at=None,
    answered_at=None,
    card_removed_at=None,
    removed_at=None,
    membership=1,
    invited_sequence=2,
    removed_sequence=None,
    quiet=False,
)
REMOVED = {"removed_at": NOW, "removed_sequence": 5}
# Of each kind the occasion and the sequence it was caused at, as they are while it is true.
CAUSES = {
    Kind.INVITED: ("2", 2),
    Kind.UPDATED: ("5", 5),
    Kind.CANCELLED: ("5", 5),
    Kind.REMOVED: ("5", 5),
    Kind.REMINDER: (f"{BEGIN}:15", 0),
    Kind.NUDGED: ("77", 5),
}


def delivery(kind: str = Kind.INVITED, **fields: Any) -> Delivery:
    occasion, sequence = CAUSES[Kind(kind)]
    known: dict[str, Any] = {
        "org_id": 1,
        "id": 9,
        "channel": "sms",
        "uid": "ann",
        "meeting_id": 100,
        "kind": kind,
        "occasion": occasion,
        "sequence": sequence,
        "created_at": NOW,
        "due_at": NOW,
        "give_up_at": NOW + timing.DAY_MS,
    }
    return Delivery(**(known | fields))


def sight(
    kind: str,
    *,
    meeting: dict[str, Any] | None = None,
    me: dict[str, Any] | None = None,
    shown: int = 2,
    invitation_waits: bool = False,
    **fields: Any,
) -> Sight:
    return Sight(
        delivery=delivery(kind, **fields),
        meeting=msgspec.structs.replace(MEETING, **(meeting or {})),
        me=msgspec.structs.replace(ANN, **((REMOVED if kind == Kind.REMOVED else {}) | (me or {}))),
        link_id=77,
        known=True,
        mobile="+8613800138000",
        timezone="Asia/Shanghai",
        locale="",
        params=None,
        shown=shown,
        invitation_waits=invitation_waits,
        sent_today=0,
    )


def begun(one: Delivery, *, now: int = NOW) -> Delivery:
    """As the storage writes it: under a lease."""
    after = deliver.begin(one, address="+8613800138000", text="come", as_of=5, now=now)
    return msgspec.structs.replace(after, lease_until=0)


def changed(before: Delivery, after: Delivery | None) -> dict[str, Any]:
    """The fields in which they differ."""
    assert after is not None
    old, new = msgspec.structs.asdict(before), msgspec.structs.asdict(after)
    return {name: new[name] for name in new if new[name] != old[name]}


@pytest.mark.parametrize("kind", CAUSES)
def test_what_is_as_it_was_when_it_was_caused_is_true(kind: Kind) -> None:
    assert deliver.untrue(sight(kind), now=NOW) is None


ALL_BUT_CANCELLED = [kind for kind in CAUSES if kind != Kind.CANCELLED]
TO_MEMBERS = [Kind.INVITED, Kind.UPDATED, Kind.REMINDER, Kind.NUDGED]
IN_APP = {"remind_type": RemindType.IN_APP}
CANCELLED = {"push_status": PushStatus.CANCELLED, "cancelled_at": NOW}
OVER = {"begin_at": NOW - 2 * HOUR, "end_at": NOW - 1}


@pytest.mark.parametrize(
    ("kind", "what", "reason"),
    [
        *((kind, {"meeting": IN_APP}, "in_app") for kind in ALL_BUT_CANCELLED),
        *((kind, {"meeting": CANCELLED}, "cancelled") for kind in TO_MEMBERS),
        *((kind, {"me": REMOVED}, "not_member") for kind in TO_MEMBERS),
        *((kind, {"me": {"position": -1, "organizer": True}}, "not_member") for kind in TO_MEMBERS[:2]),
        *((kind, {"meeting": OVER}, "over") for kind in (*TO_MEMBERS[:2], Kind.REMOVED, Kind.NUDGED)),
        (Kind.INVITED, {"me": {"invited_sequence": 4, "membership": 2}}, "superseded"),
        (Kind.UPDATED, {"me": {"invited_sequence": 5}}, "superseded"),
        (Kind.UPDATED, {"me": {"invited_sequence": 6}}, "superseded"),
        (Kind.UPDATED, {"shown": 5}, "superseded"),
        (Kind.UPDATED, {"shown": 6}, "superseded"),
        (Kind.UPDATED, {"invitation_waits": True}, "invitation_waits"),
        (Kind.UPDATED, {"invitation_waits": True, "shown": 5}, "invitation_waits"),
        (Kind.REMOVED, {"me": {"removed_at": None, "removed_sequence": None}}, "member_again"),
        (Kind.REMOVED, {"me": {"removed_sequence": 6}}, "member_again"),
        (Kind.REMINDER, {"meeting": {"begin_at": BEGIN + 1}}, "moved"),
        (Kind.REMINDER, {"meeting": {"remind_min": 10}}, "moved"),
        (Kind.REMINDER, {"me": {"remind": False}}, "not_wanted"),
        (Kind.REMINDER, {"me": {"msg_status": MsgStatus.DECLINED}}, "declined"),
        (Kind.NUDGED, {"me": {"msg_status": MsgStatus.ACCEPTED}}, "answered"),
        (Kind.NUDGED, {"me": {"msg_status": MsgStatus.DECLINED}}, "answered"),
    ],
)
def test_what_is_no_longer_true_is_skipped_with_its_reason(
    kind: Kind, what: dict[str, Any], reason: str
) -> None:
    assert deliver.untrue(sight(kind, **what), now=NOW) == reason


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (Kind.CANCELLED, {"meeting": CANCELLED | IN_APP | OVER, "me": REMOVED}),
        (Kind.REMOVED, {"meeting": CANCELLED}),
        (Kind.INVITED, {"me": {"msg_status": MsgStatus.ACCEPTED, "remind": False}, "shown": 5}),
        (Kind.INVITED, {"meeting": {"begin_at": NOW - HOUR, "end_at": NOW}}),
        (Kind.UPDATED, {"me": {"msg_status": MsgStatus.DECLINED}, "shown": 4}),
        (Kind.UPDATED, {"shown": -1}),
        (Kind.REMINDER, {"me": {"position": -1, "organizer": True}}),
        (Kind.REMINDER, {"me": {"msg_status": MsgStatus.ACCEPTED}, "meeting": {"sequence": 9}}),
        (Kind.NUDGED, {"me": {"msg_status": MsgStatus.READ}}),
    ],
)
def test_what_does_not_matter_keeps_nothing_from_being_sent(kind: Kind, what: dict[str, Any]) -> None:
    assert deliver.untrue(sight(kind, **what), now=NOW) is None


@pytest.mark.parametrize(
    ("remind_min", "now", "reason"),
    [
        (15, BEGIN - 1, None),
        (15, BEGIN, "missed"),
        (0, BEGIN + 5 * MINUTE - 1, None),
        (0, BEGIN + 5 * MINUTE, "missed"),
        (3, BEGIN + 2 * MINUTE - 1, None),
        (3, BEGIN + 2 * MINUTE, "missed"),
    ],
)
def test_a_late_reminder_is_sent_until_the_meeting_has_begun_and_five_minutes_have_passed(
    remind_min: int, now: int, reason: str | None
) -> None:
    seen = sight(Kind.REMINDER, meeting={"remind_min": remind_min}, occasion=f"{BEGIN}:{remind_min}")
    assert deliver.untrue(seen, now=now) == reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"uncertain": 1, "failures": 11, "give_up_at": NOW + 1}, None),
        ({"uncertain": 2}, "unknown"),
        ({"uncertain": 2, "failures": 12, "reason": "busy"}, "unknown"),
        ({"failures": 12, "reason": "busy"}, "busy"),
        ({"failures": 12}, "gave_up"),
        ({"give_up_at": NOW}, "gave_up"),
        ({"give_up_at": NOW, "reason": "busy"}, "busy"),
    ],
)
def test_it_is_hopeless_after_two_unknown_requests_twelve_failures_or_a_day(
    fields: dict[str, Any], reason: str | None
) -> None:
    assert deliver.hopeless(delivery(**fields), now=NOW) == reason


def test_what_is_begun_counts_as_uncertain_under_a_new_attempt() -> None:
    before = delivery(attempt=3, uncertain=1, failures=2, sent_at=NOW - HOUR, reason="busy")
    after = deliver.begin(before, address="+8613800138000", text="come", as_of=5, now=NOW)
    assert changed(before, after) == {
        "state": DeliveryState.SENDING,
        "attempt": 4,
        "uncertain": 2,
        "sent_at": NOW,
        "as_of": 5,
        "address": "+8613800138000",
        "text": "come",
    }


def test_what_was_taken_is_sent_and_certain() -> None:
    before = begun(delivery(reason="busy"))
    assert changed(before, deliver.taken(before, "id 1", now=NOW + 5)) == {
        "state": DeliveryState.SENT,
        "uncertain": 0,
        "provider_id": "id 1",
        "reason": "",
        "lease_until": None,
        "ended_at": NOW + 5,
    }


def test_a_repeat_that_was_taken_leaves_the_first_request_uncertain() -> None:
    once = deliver.await_receipt(begun(delivery()), "timeout", wait_ms=WAIT, now=NOW)
    assert deliver.taken(begun(once), "id 1", now=NOW).uncertain == 1


def test_a_gateway_that_names_no_id_takes_none_away() -> None:
    before = begun(delivery(provider_id="id 1"))
    assert deliver.taken(before, "", now=NOW).provider_id == "id 1"


@pytest.mark.parametrize(
    ("reference", "kept"), [("a\x00b\ud800\n1:王", "ab1:王"), ("x" * 500, "x" * 200), ("\x00", "old")]
)
def test_of_a_gateways_id_only_what_can_be_kept_is(reference: str, kept: str) -> None:
    before = begun(delivery(provider_id="old"))
    assert deliver.taken(before, reference, now=NOW).provider_id == kept


def test_what_was_refused_has_failed_and_is_certain() -> None:
    before = begun(delivery())
    assert changed(before, deliver.refused(before, "bad_number", now=NOW + 5)) == {
        "state": DeliveryState.FAILED,
        "uncertain": 0,
        "reason": "bad_number",
        "lease_until": None,
        "ended_at": NOW + 5,
    }


def test_what_was_not_taken_waits_longer_each_time_and_is_certain() -> None:
    one = delivery()
    pauses = []
    for number in range(1, deliver.MOST_FAILURES):
        one = deliver.put_off(begun(one), "busy", after_seconds=None, jitter=1, now=NOW)
        pauses.append(one.due_at - NOW)
        assert (one.state, one.failures, one.uncertain, one.lease_until) == ("pending", number, 0, None)
    assert pauses == [2_000 * 2**number for number in range(11)]
    one = deliver.put_off(begun(one), "busy", after_seconds=None, jitter=1, now=NOW)
    assert (one.state, one.failures, one.reason, one.ended_at) == ("failed", 12, "busy", NOW)


@pytest.mark.parametrize(
    ("failures", "after_seconds", "jitter", "pause"),
    [
        (0, None, 0.5, 1_000),
        (3, None, 0.75, 12_000),
        (0, 30, 0.5, 30_000),
        (5, 30, 0.5, 32_000),
        (0, 0, 1, 2_000),
        (0, 86_400, 1, 3_600_000),
        (0, 10**30, 1, 3_600_000),
    ],
)
def test_a_pause_has_jitter_and_is_no_shorter_than_the_gateway_wishes_nor_longer_than_an_hour(
    failures: int, after_seconds: int | None, jitter: float, pause: int
) -> None:
    before = begun(delivery(failures=failures))
    after = deliver.put_off(before, "busy", after_seconds=after_seconds, jitter=jitter, now=NOW)
    assert (after.state, after.due_at) == (DeliveryState.PENDING, NOW + pause)


def test_a_pause_is_at_most_an_hour_however_often_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver, "MOST_FAILURES", 10**9)
    after = deliver.put_off(begun(delivery(failures=5000)), "busy", after_seconds=None, jitter=1, now=NOW)
    assert after.due_at == NOW + 3_600_000


def test_what_is_put_off_past_its_day_fails_with_the_last_reason() -> None:
    before = begun(delivery(give_up_at=NOW))
    after = deliver.put_off(before, "busy", after_seconds=None, jitter=1, now=NOW)
    assert (after.state, after.reason, after.uncertain) == (DeliveryState.FAILED, "busy", 0)


def test_what_could_not_be_rendered_is_put_off_without_making_an_unknown_request_certain() -> None:
    before = delivery(uncertain=1, attempt=1, sent_at=NOW)
    after = deliver.put_off(before, "error", after_seconds=None, jitter=1, now=NOW)
    assert changed(before, after) == {"failures": 1, "due_at": NOW + 2_000, "reason": "error"}


def test_an_unknown_request_waits_for_a_receipt_and_stays_uncertain() -> None:
    before = begun(delivery())
    after = deliver.await_receipt(before, "timeout", wait_ms=WAIT, now=NOW + 7)
    assert changed(before, after) == {
        "state": DeliveryState.PENDING,
        "lease_until": None,
        "due_at": NOW + 7 + WAIT,
        "reason": "timeout",
    }


SENDING = begun(delivery())
SENT = deliver.taken(SENDING, "id 1", now=NOW)
UNKNOWN = deliver.await_receipt(SENDING, "timeout", wait_ms=WAIT, now=NOW)
REPEATED = begun(UNKNOWN)
PUT_OFF = deliver.put_off(SENDING, "busy", after_seconds=None, jitter=1, now=NOW)
FAILED = deliver.fail(UNKNOWN, "unknown", now=NOW)
SKIPPED = deliver.skip(UNKNOWN, "cancelled", now=NOW)
DELIVERED = deliver.receive(SENT, Receipt(1, "delivered"), now=NOW)
assert DELIVERED
AGAIN = deliver.queue_again(FAILED, now=NOW)
assert AGAIN


@pytest.mark.parametrize(
    ("before", "receipt", "after"),
    [
        # The usual way, and in the other order.
        (SENT, Receipt(1, "delivered"), ("delivered", "", 0)),
        (SENT, Receipt(1, "failed", "undelivered"), ("failed", "undelivered", 0)),
        (SENT, Receipt(1, "sent"), None),
        (DELIVERED, Receipt(1, "sent"), None),
        (DELIVERED, Receipt(1, "failed", "undelivered"), None),
        (DELIVERED, Receipt(1, "delivered"), None),
        # Before the gateway's own answer.
        (SENDING, Receipt(1, "delivered"), ("delivered", "", 0)),
        (SENDING, Receipt(1, "failed", "rejected"), ("failed", "rejected", 0)),
        (SENDING, Receipt(1, "sent"), ("sent", "", 0)),
        # In place of it.
        (UNKNOWN, Receipt(1, "delivered"), ("delivered", "", 0)),
        (UNKNOWN, Receipt(1, "failed", "rejected"), ("failed", "rejected", 0)),
        (UNKNOWN, Receipt(1, "sent"), ("sent", "", 0)),
        # Of the request before the last one.
        (REPEATED, Receipt(1, "delivered"), ("delivered", "", 1)),
        (REPEATED, Receipt(1, "failed", "rejected"), None),
        (REPEATED, Receipt(1, "sent"), None),
        (REPEATED, Receipt(2, "sent"), ("sent", "", 1)),
        # After an end of our own.
        (FAILED, Receipt(1, "delivered"), ("delivered", "", 0)),
        (FAILED, Receipt(1, "failed", "rejected"), None),
        (FAILED, Receipt(1, "sent"), None),
        (SKIPPED, Receipt(1, "delivered"), ("delivered", "", 0)),
        (SKIPPED, Receipt(1, "failed", "rejected"), None),
        (SKIPPED, Receipt(1, "sent"), None),
        # Of a request that was not taken, or is queued again: it is sent, or has failed, only if it arrived.
        (PUT_OFF, Receipt(1, "delivered"), ("delivered", "", 0)),
        (PUT_OFF, Receipt(1, "failed", "rejected"), None),
        (PUT_OFF, Receipt(1, "sent"), None),
        (AGAIN, Receipt(1, "failed", "rejected"), None),
        # Of a request that was never begun.
        (SENT, Receipt(2, "delivered"), None),
        (SENT, Receipt(0, "delivered"), None),
        (SENT, Receipt(-1, "failed", "rejected"), None),
        (delivery(), Receipt(0, "delivered"), None),
        (delivery(), Receipt(1, "delivered"), None),
    ],
)
def test_receipts_come_early_twice_late_and_out_of_order(
    before: Delivery, receipt: Receipt, after: tuple[str, str, int] | None
) -> None:
    found = deliver.receive(before, receipt, now=NOW + 9)
    if after is None:
        assert found is None
    else:
        assert found
        assert (found.state, found.reason, found.uncertain) == after
        assert (found.ended_at, found.lease_until) == (NOW + 9, None)


@pytest.mark.parametrize("before", [FAILED, SKIPPED])
def test_an_operator_queues_again_what_failed_or_was_skipped(before: Delivery) -> None:
    later = NOW + 3 * timing.DAY_MS
    worn = msgspec.structs.replace(before, failures=12, uncertain=2, attempt=14)
    assert changed(worn, deliver.queue_again(worn, now=later)) == {
        "state": DeliveryState.PENDING,
        "failures": 0,
        "uncertain": 0,
        "due_at": later,
        "give_up_at": later + timing.DAY_MS,
        "reason": "",
        "ended_at": None,
    }


@pytest.mark.parametrize("before", [delivery(), SENDING, UNKNOWN, SENT, DELIVERED])
def test_nothing_else_is_queued_again(before: Delivery) -> None:
    assert deliver.queue_again(before, now=NOW) is None


VERDICTS = (Sent("id 1"), Refused("bad"), Retry("busy"), Unknown("timeout"))


@pytest.mark.parametrize(
    ("verdict", "state", "uncertain", "reason"),
    [
        (VERDICTS[0], "sent", 0, ""),
        (VERDICTS[1], "failed", 0, "bad"),
        (VERDICTS[2], "pending", 0, "busy"),
        (VERDICTS[3], "pending", 1, "timeout"),
    ],
)
def test_each_verdict_is_acknowledged(verdict: Verdict, state: str, uncertain: int, reason: str) -> None:
    after = acknowledgement(verdict, attempt=1, wait_ms=WAIT, jitter=1, now=NOW)(SENDING)
    assert after
    assert (after.state, after.uncertain, after.reason) == (state, uncertain, reason)


def test_an_acknowledgement_keeps_the_gateways_wish_and_the_jitter() -> None:
    def due_at(verdict: Verdict) -> int:
        after = acknowledgement(verdict, attempt=1, wait_ms=WAIT, jitter=0.5, now=NOW)(SENDING)
        assert after
        return after.due_at

    assert due_at(Retry("busy", after_seconds=9)) == NOW + 9_000
    assert due_at(Retry("busy")) == NOW + 1_000
    assert due_at(Unknown("timeout")) == NOW + WAIT


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize(
    "before", [SENT, UNKNOWN, REPEATED, PUT_OFF, FAILED, SKIPPED, DELIVERED, AGAIN, begun(PUT_OFF)]
)
def test_an_acknowledgement_that_is_late_changes_nothing(before: Delivery, verdict: Verdict) -> None:
    assert acknowledgement(verdict, attempt=1, wait_ms=WAIT, jitter=1, now=NOW)(before) is None


def test_texts_begun_in_one_transaction_count_for_their_own_organisations_person_only() -> None:
    given = [
        sight(Kind.INVITED, id=number, org_id=org_id, uid=uid, meeting_id=100 + number)
        for number, (org_id, uid) in enumerate([(1, "ann"), (1, "ann"), (2, "ann"), (1, "bob"), (1, "ann")])
    ]
    seen: list[int] = []

    def look(one: Sight) -> Delivery:
        seen.append(one.sent_today)
        return begun(one.delivery)

    assert len(look_through(given, room=9, look=look)) == 5
    assert seen == [0, 1, 0, 0, 2]
