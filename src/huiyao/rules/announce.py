"""Who is told what (design section 4): a due task and the meeting as it is now become notices.

A notice names its audience by a rule, not by a list; `storage` turns each rule into one condition in SQL, so that
10,000 people cost one statement. What the sender looks at again before it writes is part of the audience's rule.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final

import msgspec

from huiyao.model import Kind, Meeting, PushStatus, RemindType, Task, TaskKind, Topic
from huiyao.rules import timing

EXCERPT_CHARACTERS = 200


class Audience(IntEnum):
    """A rule over the meeting's attendee rows. s is the task's sequence.

    "Told" means: an `invited` message with occasion invited_sequence exists, or the membership is quiet. Who was
    never told of a meeting is not told of its end either.
    """

    INVITED = 1  # listed, not the organizer, invited_sequence = s (a silent Change has no such task)
    REMOVED = 2  # removed_sequence = s and still removed, not declined, told
    REMAINING = 3  # listed, not the organizer, invited_sequence < s, not yet shown state s or newer
    REMAINING_NOT_DECLINED = 4  # the same, and not declined
    EVERYONE = 5  # listed, not the organizer, told
    WANTING_REMINDER = 6  # the organizer, listed or not, and the listed; remind is on and not declined
    UNANSWERED = 7  # listed, not the organizer, msgStatus 0 or 1
    ORGANIZER = 8
    EVERYONE_NOT_DECLINED = 9  # everyone, and not declined


class Notice(msgspec.Struct, frozen=True, gc=False):
    """One kind of message for one audience. Unique by (org, meeting, uid, kind, occasion)."""

    kind: str
    audience: int
    occasion: str
    params: str
    sms: int = 0  # the audience that gets a text too; 0: nobody


# The declined hear of a cancellation in the app only; an answer is no matter for a text.
_TEXTED: Final = {Audience.EVERYONE: Audience.EVERYONE_NOT_DECLINED, Audience.ORGANIZER: 0}


class Answer(msgspec.Struct, frozen=True, gc=False):
    """One answer to be reported to the organizer."""

    name: str
    msg_status: int
    reply: str


class Params(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What `texts` needs to render a message. `old` holds the values before the change, of what changed only."""

    organizer: str
    content: str
    address: str
    begin_at: int
    end_at: int
    old: msgspec.Raw | None = None
    answers: tuple[Answer, ...] = ()
    answer_count: int = 0


_encode = msgspec.json.Encoder().encode


def notices(
    task: Task, meeting: Meeting, answers: Sequence[Answer], answer_count: int, *, now: int
) -> tuple[Notice, ...]:
    """The notices of one task, rendered from the meeting as it is now; none where nothing is true any more.

    `answers` (the first few) and `answer_count` are read for `answered` tasks only. A record of a meeting that is
    over reaches inboxes and sends no text.
    """
    found = _notices(task, meeting, answers, answer_count, now=now)
    if meeting.remind_type != RemindType.SMS or meeting.end_at < now:
        return found
    return tuple(
        msgspec.structs.replace(one, sms=_TEXTED.get(Audience(one.audience), one.audience)) for one in found
    )


def _notices(
    task: Task, meeting: Meeting, answers: Sequence[Answer], answer_count: int, *, now: int
) -> tuple[Notice, ...]:
    cancelled = meeting.push_status == PushStatus.CANCELLED
    if task.kind == TaskKind.ANNOUNCE:
        return _announcement(task, meeting, cancelled=cancelled, now=now)
    if cancelled:
        return ()
    text = _text(meeting, answers=tuple(answers), answer_count=answer_count)
    if task.kind == TaskKind.REMIND:
        # The task moves with the meeting in the same transaction, so its moment is the meeting's own.
        if missed(task, meeting, now=now):
            return ()
        return (Notice(Kind.REMINDER, Audience.WANTING_REMINDER, timing.reminder_occasion(meeting), text),)
    if meeting.end_at < now:
        return ()
    if task.kind == TaskKind.NUDGE:
        return (Notice(Kind.NUDGED, Audience.UNANSWERED, str(task.id), text),)
    if not answer_count:
        return ()
    return (Notice(Kind.ANSWERED, Audience.ORGANIZER, str(task.id), text),)


def missed(task: Task, meeting: Meeting, *, now: int) -> bool:
    """True for a reminder that comes too late to be of use: the meeting has begun, and 5 minutes have passed."""
    return (
        task.kind == TaskKind.REMIND
        and now >= meeting.begin_at
        and now - task.due_at >= timing.LATE_REMINDER_MS
    )


def _announcement(task: Task, meeting: Meeting, *, cancelled: bool, now: int) -> tuple[Notice, ...]:
    if task.topic == Topic.SILENT:
        return ()
    text = _text(meeting, old=msgspec.Raw(task.old.encode()) if task.old else None)
    occasion = str(task.sequence)
    if task.topic == Topic.CANCELLED:
        return (Notice(Kind.CANCELLED, Audience.EVERYONE, occasion, text),)
    found = []
    if not cancelled:
        found.append(Notice(Kind.INVITED, Audience.INVITED, occasion, text))
    if task.topic != Topic.CREATED:
        found.append(Notice(Kind.REMOVED, Audience.REMOVED, occasion, text))
        if not cancelled and meeting.end_at >= now and task.topic != Topic.LISTED:
            audience = Audience.REMAINING if task.topic == Topic.MOVED else Audience.REMAINING_NOT_DECLINED
            found.append(Notice(Kind.UPDATED, audience, occasion, text))
    return tuple(found)


def _text(meeting: Meeting, **rest: Any) -> str:
    """The JSON of Params, from the meeting as it is now."""
    params = Params(
        organizer=meeting.organizer_name,
        content=meeting.content[:EXCERPT_CHARACTERS],
        address=meeting.address,
        begin_at=meeting.begin_at,
        end_at=meeting.end_at,
        **rest,
    )
    return _encode(params).decode()
