"""Who will be told what by a Change of the organizer, before it is made: the same decisions, over the rows at hand.

The tasks of the Change become notices by `announce.notices`, as they will in the dispatcher, and each audience is
picked from the rows as they will be by the condition that storage has for it in SQL.

What rows do not say is who has got an invitation ("told"). Assumed is that the dispatcher has done all that was due:
where push_status has left 0, everybody whose membership is not quiet has got theirs. While it is 0, nobody has; their
invitations come first then, show the meeting as this Change leaves it, and are part of what is answered here.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from huiyao.model import UNANSWERED, Attendee, Kind, Meeting, MsgStatus, PushStatus, Task, TaskKind, Topic
from huiyao.rules import announce, timing
from huiyao.rules.announce import Audience
from huiyao.rules.change import Change

_NEVER: Final = -1


class Told(msgspec.Struct, frozen=True):
    """One kind of message, who gets it, and who of them by SMS too, as far as they have a number."""

    kind: str
    people: tuple[Attendee, ...]  # in the order of the list, those who go behind it
    texted: frozenset[str]


class Preview(msgspec.Struct, frozen=True):
    told: tuple[Told, ...]  # each kind once, none without people
    asked_again: tuple[Attendee, ...]  # whose answers go back to "not answered", as they are now


class _Inbox(msgspec.Struct):
    """What one person has been shown of the meeting."""

    invited: int = _NEVER  # the newest invited_sequence they got an invitation for
    shown: int = _NEVER  # the newest state a message has shown them


def preview(change: Change, attendees: Sequence[Attendee], *, now: int) -> Preview:
    """Of a Change that `organize.update` or `organize.cancel` made; `attendees` are all rows before it."""
    before, after = change.before, change.meeting
    assert before is not None
    assert after is not None
    rows = after_change(change, attendees)
    pending = before.push_status == PushStatus.PENDING
    inboxes = {
        row.uid: _Inbox() if pending or row.quiet else _Inbox(invited=row.invited_sequence)
        for row in attendees
    }
    tasks = [*(_waiting(before, attendees) if pending else ()), *change.tasks]
    found: dict[str, tuple[dict[str, Attendee], set[str]]] = {}
    for task in tasks:
        if task.kind == TaskKind.ANNOUNCE:
            _tell(task, after, rows, inboxes, found, now=now)
    staying = {row.uid: row for row in attendees if row.removed_at is None} if change.reset else {}
    for uid in (*change.removed, *(one.uid for one in change.added)):
        staying.pop(uid, None)
    return Preview(
        told=tuple(
            Told(kind, _in_order(people.values()), frozenset(texted))
            for kind, (people, texted) in found.items()
            if people
        ),
        asked_again=_in_order(row for row in staying.values() if row.msg_status not in UNANSWERED),
    )


def after_change(change: Change, attendees: Sequence[Attendee]) -> list[Attendee]:
    """The rows as the organizer's Change leaves them: removed, reset, placed, added, in this order."""
    assert change.meeting is not None
    replace = msgspec.structs.replace
    rows = {row.uid: row for row in attendees}
    for uid in change.removed:
        rows[uid] = replace(rows[uid], removed_at=change.entry.at, removed_sequence=change.meeting.sequence)
    if change.reset:
        for uid, row in rows.items():
            if row.removed_at is None:
                rows[uid] = replace(
                    row, msg_status=0, reply="", read_at=None, answered_at=None, card_removed_at=None
                )
    for place in change.placed:
        rows[place.uid] = replace(rows[place.uid], position=place.position, name=place.name)
    for one in change.added:
        rows[one.uid] = one
    return list(rows.values())


def hears(audience: int, row: Attendee, *, sequence: int, told: bool, shown: int) -> bool:
    """Whether a row belongs to an audience: what storage's condition in SQL says.

    `sequence` is the task's, `shown` the newest state that a message has shown this person.
    """
    others = row.listed and not row.organizer
    behind = others and row.invited_sequence < sequence and shown < sequence
    declined = row.msg_status == MsgStatus.DECLINED
    match audience:
        case Audience.INVITED:
            return others and row.invited_sequence == sequence
        case Audience.REMOVED:
            return row.removed_sequence == sequence and not declined and told
        case Audience.REMAINING:
            return behind
        case Audience.REMAINING_NOT_DECLINED:
            return behind and not declined
        case Audience.EVERYONE:
            return others and told
        case Audience.EVERYONE_NOT_DECLINED:
            return others and not declined and told
        case Audience.WANTING_REMINDER:
            return row.remind and not declined and (row.organizer or row.listed)
        case Audience.UNANSWERED:
            return others and row.msg_status in UNANSWERED
        case Audience.ORGANIZER:
            return row.organizer
    return False


def _tell(
    task: Task,
    meeting: Meeting,
    rows: Sequence[Attendee],
    inboxes: dict[str, _Inbox],
    found: dict[str, tuple[dict[str, Attendee], set[str]]],
    *,
    now: int,
) -> None:
    """Add one task's notices to `found`. Who gets one depends on the messages of earlier tasks, not on its own."""
    got: list[tuple[str, Attendee]] = []
    for notice in announce.notices(task, meeting, (), 0, now=now):
        people, texted = found.setdefault(notice.kind, ({}, set()))
        for row in rows:
            inbox = inboxes.setdefault(row.uid, _Inbox())
            told = row.quiet or inbox.invited == row.invited_sequence
            if hears(notice.audience, row, sequence=task.sequence, told=told, shown=inbox.shown):
                people[row.uid] = row
                got.append((notice.kind, row))
            if notice.sms and hears(notice.sms, row, sequence=task.sequence, told=told, shown=inbox.shown):
                texted.add(row.uid)
    for kind, row in got:
        inbox = inboxes[row.uid]
        if kind == Kind.INVITED:
            inbox.invited = row.invited_sequence
        if kind in (Kind.INVITED, Kind.UPDATED):
            inbox.shown = meeting.sequence


def _waiting(before: Meeting, attendees: Sequence[Attendee]) -> Iterable[Task]:
    """The announcements that are still on their way, as far as they invite."""
    since = sorted({row.invited_sequence for row in attendees if row.listed and not row.quiet})
    for sequence in since:
        meeting = msgspec.structs.replace(before, sequence=sequence)
        topic = Topic.LISTED if sequence else Topic.CREATED
        yield timing.announcement(meeting, 0, topic=topic, old="", now=before.updated_at)


def _in_order(rows: Iterable[Attendee]) -> tuple[Attendee, ...]:
    return tuple(sorted(rows, key=lambda row: (not row.listed, row.position, row.uid)))
