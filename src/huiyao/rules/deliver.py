"""What becomes of a delivery: whether it is still true when the sender looks, and what each verdict makes of it.

Design section 4, "the sender looks again", and section 5. A delivery goes pending → sending → sent → delivered, or
ends failed or skipped. Sending means that a request may have been written, so it is counted as uncertain until
somebody says what became of it; two uncertain requests are the most a person may get.
"""

from typing import Final

import msgspec

from huiyao.model import (
    UNANSWERED,
    Attendee,
    Delivery,
    DeliveryState,
    Kind,
    Meeting,
    MsgStatus,
    PushStatus,
    RemindType,
)
from huiyao.rules import timing

MOST_FAILURES: Final = 12  # of requests, after which a delivery fails for good
MOST_UNCERTAIN: Final = 2  # the request and its one repeat
FIRST_PAUSE_MS: Final = 2_000  # after a failure; doubled each time
LONGEST_PAUSE_MS: Final = 3_600_000
LONGEST_REFERENCE: Final = 200  # characters
ANSWERABLE: Final = frozenset({Kind.INVITED, Kind.UPDATED, Kind.NUDGED})  # kinds that ask for an answer

LINKED: Final = ANSWERABLE | {Kind.REMINDER}  # kinds that show where to look at the invitation


class Sight(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Everything the sender looks at, of one moment."""

    delivery: Delivery
    meeting: Meeting
    me: Attendee
    link_id: int  # of this membership, random: what a link in the text names it by
    known: bool  # in the directory
    mobile: str
    timezone: str  # the person's, else the organisation's
    locale: str
    params: str | None  # of the in-app message of the same notice, JSON; None where it was erased
    shown: int  # the newest sequence a text of this channel has shown them; -1: none
    invitation_waits: bool  # this membership's invitation has not gone out on this channel
    sent_today: int  # requests to this person on this channel within 24 hours, but those certainly not taken


def untrue(sight: Sight, *, now: int) -> str | None:
    """Why there is no point any more in sending it; None: it is as true as when it was caused."""
    kind = sight.delivery.kind
    if kind == Kind.CANCELLED:
        return None
    meeting, me = sight.meeting, sight.me
    if meeting.remind_type != RemindType.SMS:
        return "in_app"  # the organizer has meanwhile turned texts off
    if kind == Kind.REMOVED:
        return _removal(sight, now=now)
    if meeting.push_status == PushStatus.CANCELLED:
        return "cancelled"
    if not (me.listed or (kind == Kind.REMINDER and me.organizer)):
        return "not_member"
    if kind == Kind.REMINDER:
        return _reminder(sight, now=now)
    if meeting.end_at < now:
        return "over"
    if kind == Kind.INVITED and str(me.invited_sequence) != sight.delivery.occasion:
        return "superseded"  # removed and invited again meanwhile: the new invitation tells them
    if kind == Kind.UPDATED:
        return _update(sight)
    if kind == Kind.NUDGED and me.msg_status not in UNANSWERED:
        return "answered"
    return None


def _removal(sight: Sight, *, now: int) -> str | None:
    if sight.me.removed_at is None or str(sight.me.removed_sequence) != sight.delivery.occasion:
        return "member_again"
    return "over" if sight.meeting.end_at < now else None


def _reminder(sight: Sight, *, now: int) -> str | None:
    meeting, me = sight.meeting, sight.me
    if sight.delivery.occasion != timing.reminder_occasion(meeting):
        return "moved"
    if not me.remind:
        return "not_wanted"
    if me.msg_status == MsgStatus.DECLINED:
        return "declined"
    due_at = timing.remind_at(meeting)
    if now >= meeting.begin_at and now - due_at >= timing.LATE_REMINDER_MS:
        return "missed"
    return None


def _update(sight: Sight) -> str | None:
    """One text per state: who is to get the invitation still, or has been shown this state, needs none.

    An update that waits is not skipped for a newer one: it shows the newest state, with the old values this person
    really knew, and the newer one then has nothing left to say (docs/decisions/0007).
    """
    if sight.me.invited_sequence >= sight.delivery.sequence:
        return "superseded"  # invited anew since
    if sight.invitation_waits:
        return "invitation_waits"
    return "superseded" if sight.shown >= sight.delivery.sequence else None


def hopeless(delivery: Delivery, *, now: int) -> str | None:
    """Why it fails without another request: nobody knows of two, or it has been tried long enough."""
    if delivery.uncertain >= MOST_UNCERTAIN:
        return "unknown"
    if delivery.failures >= MOST_FAILURES or now >= delivery.give_up_at:
        return delivery.reason or "gave_up"
    return None


def begin(delivery: Delivery, *, address: str, text: str, as_of: int, now: int) -> Delivery:
    """The row under which the request is written; the storage adds the lease."""
    return msgspec.structs.replace(
        delivery,
        state=DeliveryState.SENDING,
        attempt=delivery.attempt + 1,
        uncertain=delivery.uncertain + 1,
        sent_at=now,
        as_of=as_of,
        address=address,
        text=text,
    )


def skip(delivery: Delivery, reason: str, *, now: int) -> Delivery:
    return _end(delivery, DeliveryState.SKIPPED, reason, now=now)


def fail(delivery: Delivery, reason: str, *, now: int) -> Delivery:
    return _end(delivery, DeliveryState.FAILED, reason, now=now)


def taken(delivery: Delivery, provider_id: str, *, now: int) -> Delivery:
    """The gateway took the request. Of its reference what is fit to be kept and shown."""
    reference = "".join(filter(str.isprintable, provider_id))[:LONGEST_REFERENCE]
    certain = msgspec.structs.replace(
        delivery, provider_id=reference or delivery.provider_id, uncertain=delivery.uncertain - 1
    )
    return _end(certain, DeliveryState.SENT, "", now=now)


def refused(delivery: Delivery, reason: str, *, now: int) -> Delivery:
    """The gateway will never take it."""
    return fail(_certain(delivery), reason, now=now)


def put_off(
    delivery: Delivery, reason: str, *, after_seconds: int | None, jitter: float, now: int
) -> Delivery:
    """It was not sent, and may be later: after a pause that doubles, `jitter` (0.5 to 1) of it.

    The gateway's own wish is kept where it is longer.
    """
    pause = min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS << min(delivery.failures, 20)) * jitter
    if after_seconds is not None:
        pause = max(pause, min(after_seconds * 1000, LONGEST_PAUSE_MS))
    known = _certain(delivery) if delivery.state == DeliveryState.SENDING else delivery
    later = msgspec.structs.replace(
        known,
        state=DeliveryState.PENDING,
        failures=delivery.failures + 1,
        lease_until=None,
        due_at=now + int(pause),
        reason=reason,
    )
    return fail(later, reason, now=now) if hopeless(later, now=now) else later


def await_receipt(delivery: Delivery, reason: str, *, wait_ms: int, now: int) -> Delivery:
    """Nobody knows what became of the request: a receipt may tell within `wait_ms`, before anything is repeated."""
    return msgspec.structs.replace(
        delivery,
        state=DeliveryState.PENDING,
        lease_until=None,
        due_at=now + wait_ms,
        reason=reason,
    )


class Receipt(msgspec.Struct, frozen=True):
    """What the gateway reports later, of the request of this attempt."""

    attempt: int
    state: str  # delivered, failed, or sent: taken, and nothing more is known yet
    reason: str = ""


def receive(delivery: Delivery, receipt: Receipt, *, now: int) -> Delivery | None:
    """The delivery after a receipt, which may come early, twice and out of order; None: it changes nothing.

    Delivered is the last word, whichever request it tells of. Anything else counts only of the newest request, and
    only while that one may have been taken.
    """
    if not 0 < receipt.attempt <= delivery.attempt or delivery.state == DeliveryState.DELIVERED:
        return None
    sent = delivery.state == DeliveryState.SENT
    known = delivery if sent else _certain(delivery)
    if receipt.state == DeliveryState.DELIVERED:
        return _end(known, DeliveryState.DELIVERED, "", now=now)
    waiting = delivery.state in (DeliveryState.PENDING, DeliveryState.SENDING) and delivery.uncertain > 0
    if receipt.attempt != delivery.attempt or not (sent or waiting):
        return None
    if receipt.state == DeliveryState.FAILED:
        return fail(known, receipt.reason, now=now)
    return _end(known, DeliveryState.SENT, "", now=now) if waiting else None


def queue_again(delivery: Delivery, *, now: int) -> Delivery | None:
    """As an operator asks; None for what is not failed or skipped. It is looked at again like any other."""
    if delivery.state not in (DeliveryState.FAILED, DeliveryState.SKIPPED):
        return None
    return msgspec.structs.replace(
        delivery,
        state=DeliveryState.PENDING,
        failures=0,
        uncertain=0,
        due_at=now,
        give_up_at=now + timing.DAY_MS,
        reason="",
        ended_at=None,
    )


def _certain(delivery: Delivery) -> Delivery:
    """Of the newest request it is known what became."""
    return msgspec.structs.replace(delivery, uncertain=max(0, delivery.uncertain - 1))


def _end(delivery: Delivery, state: str, reason: str, *, now: int) -> Delivery:
    return msgspec.structs.replace(delivery, state=state, reason=reason, lease_until=None, ended_at=now)
