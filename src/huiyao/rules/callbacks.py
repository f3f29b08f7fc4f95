"""What an app is told of by callback, and what becomes of each event (contract section 7).

An event goes pending → sending → delivered, or ends failed or skipped. Of one meeting the first that has not ended has
the turn; the others wait. Sending means that a request may have been written: it is repeated whatever became of it, at
least once is the promise.
"""

from typing import Final

import msgspec

from huiyao.model import Attendee, Event, EventState, EventType, Meeting, MsgStatus
from huiyao.rules import timing
from huiyao.rules.change import Change

RETRIED_MS: Final = timing.DAY_MS  # how long after it happened an event is tried again
# What has waited behind others gets this much longer for its own first request.
OVERDUE_MS: Final = 60 * timing.MINUTE
FIRST_PAUSE_MS: Final = 5_000  # after a failure; doubled each time
LONGEST_PAUSE_MS: Final = 60 * timing.MINUTE
LOGGED: Final = 20  # requests of an event that are kept
LONGEST_OUTCOME: Final = 40  # characters

_ANSWERS: Final = {MsgStatus.ACCEPTED: EventType.ACCEPTED, MsgStatus.DECLINED: EventType.DECLINED}
_ORGANIZERS: Final = {"updated": EventType.UPDATED, "cancelled": EventType.CANCELLED}


class Happening(msgspec.Struct, frozen=True, gc=False):
    """What an event tells; whether anybody hears of it is known to the database."""

    org_id: int
    app_id: int  # the app that made the meeting
    meeting_id: int
    type: int
    sequence: int
    uid: str = ""
    msg_status: int | None = None
    reason: str = ""


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """One request, as the log of an event has it."""

    at: int
    ms: int  # until its answer, or until there was no point in waiting
    outcome: str


_read_log = msgspec.json.Decoder(list[Attempt]).decode
_write_log = msgspec.json.Encoder().encode


def happening(change: Change) -> Happening | None:
    """What a Change has to tell: reading, answering, updating, cancelling.

    Whatever tells people (`notify`, quiet memberships) says nothing of apps: they hear of all of it.
    """
    before = change.before
    if before is None:
        return None  # 101 comes when it is in the last inbox
    if change.meeting is not None:
        kind = _ORGANIZERS.get(change.entry.kind)
        if kind is None:
            return None
        return Happening(change.org_id, before.app_id, before.id, kind, change.meeting.sequence)
    after = change.attendee
    found = _own(change.entry.kind, after) if after else None
    if found is None or after is None:
        return None
    return Happening(
        change.org_id, before.app_id, before.id, found, before.sequence, after.uid, after.msg_status
    )


def _own(kind: str, after: Attendee) -> EventType | None:
    if kind == "read":
        return EventType.READ
    return _ANSWERS.get(MsgStatus(after.msg_status)) if kind == "responded" else None


def pushed(meeting: Meeting) -> Happening:
    """The invitation is in the last inbox it is meant for."""
    return Happening(meeting.org_id, meeting.app_id, meeting.id, EventType.PUSHED, meeting.sequence)


def reminded(meeting: Meeting, uid: str, msg_status: int) -> Happening:
    """The reminder is in this person's inbox."""
    return Happening(
        meeting.org_id, meeting.app_id, meeting.id, EventType.REMINDED, meeting.sequence, uid, msg_status
    )


def attempts(event: Event) -> list[Attempt]:
    """The last requests, the oldest first."""
    return _read_log(event.log)


def delivered(event: Event, attempt: Attempt) -> Event:
    return _end(_noted(event, attempt), EventState.DELIVERED, attempt.outcome, now=attempt.at + attempt.ms)


def put_off(event: Event, attempt: Attempt, *, after_seconds: int | None, jitter: float) -> Event:
    """It is tried again after a pause that doubles, `jitter` (0.5 to 1) of it, or the receiver's wish if longer.

    The last request is made when the time is over at the latest; then it has failed.
    """
    now = attempt.at + attempt.ms
    noted = _noted(event, attempt)
    if now >= event.give_up_at:
        return _end(noted, EventState.FAILED, attempt.outcome, now=now)
    pause = int(min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS << min(event.failures, 20)) * jitter)
    if after_seconds is not None:
        pause = max(pause, after_seconds * 1000)
    return msgspec.structs.replace(
        noted,
        state=EventState.PENDING,
        failures=event.failures + 1,
        due_at=min(now + pause, event.give_up_at),
        outcome=attempt.outcome,
    )


def refused(event: Event, attempt: Attempt) -> Event:
    """It will never be taken."""
    return _end(_noted(event, attempt), EventState.FAILED, attempt.outcome, now=attempt.at + attempt.ms)


def skip(event: Event, outcome: str, *, now: int) -> Event:
    """There is nobody to send it to."""
    return _end(event, EventState.SKIPPED, outcome, now=now)


def give_up(event: Event, *, now: int) -> Event | None:
    """What has waited too long behind others, or for a receiver that is down; None: it still has time."""
    if event.state != EventState.PENDING or now < event.give_up_at + OVERDUE_MS:
        return None
    return _end(event, EventState.FAILED, event.outcome or "gave_up", now=now)


def replay(event: Event, *, now: int) -> Event | None:
    """As an operator asks; None for what is still to be delivered. It goes before later events of its meeting."""
    if event.ended_at is None:
        return None
    return msgspec.structs.replace(
        event,
        state=EventState.PENDING,
        failures=0,
        due_at=now,
        give_up_at=now + RETRIED_MS,
        outcome="",
        ended_at=None,
    )


def _noted(event: Event, attempt: Attempt) -> Event:
    log = [*attempts(event), attempt][-LOGGED:]
    return msgspec.structs.replace(event, log=_write_log(log).decode())


def _end(event: Event, state: str, outcome: str, *, now: int) -> Event:
    return msgspec.structs.replace(event, state=state, outcome=outcome, ended_at=now)
