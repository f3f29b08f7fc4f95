"""What one attendee does with their own part: read, respond, remind, remove the card (contract sections 4 and 6).

Each function answers the Change to commit, or None where nothing is to be written. None of them touches the
meeting's row, so that a thousand people can answer at once.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from huiyao import errors
from huiyao.model import Attendee, Entry, Meeting, MsgStatus, PushStatus, Task, TaskKind
from huiyao.rules import commands, timing
from huiyao.rules.change import Change

IDS_NEEDED: Final = 2  # ids one Change of an attendee can use: history entry and a task
_encode = msgspec.json.Encoder().encode


def read(before: Meeting, me: Attendee, *, app_id: int | None, ids: Iterator[int], now: int) -> Change | None:
    """msgStatus 0 becomes 1; otherwise nothing. Raises NotListed for a creator who is no member."""
    _check_listed(me)
    if me.msg_status != MsgStatus.UNREAD:
        return None
    after = msgspec.structs.replace(me, msg_status=MsgStatus.READ, read_at=now)
    return _change(before, me, after, kind="read", app_id=app_id, ids=ids, now=now)


def respond(
    command: commands.Respond,
    before: Meeting,
    me: Attendee,
    *,
    app_id: int | None,
    ids: Iterator[int],
    now: int,
) -> Change | None:
    """Accept or decline. The creator hears of it, together with others' answers.

    Raises NotListed for a creator who is no member, MeetingCancelled, MeetingOver, and SequenceChanged where
    begin or end changed since the `sequence` the answer was given to.
    """
    _check_listed(me)
    if before.push_status == PushStatus.CANCELLED:
        raise errors.MeetingCancelled
    if before.end_at < now:
        raise errors.MeetingOver
    seen = command.sequence
    if seen is not None and not before.moved_sequence <= seen <= before.sequence:
        raise errors.SequenceChanged(sequence=before.sequence)
    if (me.msg_status, me.reply) == (command.msg_status, command.reply):
        return None
    after = msgspec.structs.replace(
        me,
        msg_status=command.msg_status,
        reply=command.reply,
        answered_at=now,
        read_at=me.read_at if me.read_at is not None else now,
    )
    tasks: tuple[Task, ...] = ()
    if not me.organizer:
        tasks = (
            Task(
                org_id=before.org_id,
                id=next(ids),
                due_at=now + timing.ANSWERS_JOIN_MS,
                kind=TaskKind.ANSWERED,
                meeting_id=before.id,
                sequence=before.sequence,
                dedup_key=f"answered:{before.id}",
                since_at=now,
            ),
        )
    return _change(before, me, after, kind="responded", app_id=app_id, ids=ids, now=now, tasks=tasks)


def remind(
    command: commands.Remind,
    before: Meeting,
    me: Attendee,
    *,
    app_id: int | None,
    ids: Iterator[int],
    now: int,
) -> Change | None:
    """Turn one's own reminders on or off; the creator may, listed or not."""
    if me.remind == command.remind:
        return None
    after = msgspec.structs.replace(me, remind=command.remind)
    return _change(before, me, after, kind="remind", app_id=app_id, ids=ids, now=now)


def remove_card(
    before: Meeting, me: Attendee, *, app_id: int | None, ids: Iterator[int], now: int
) -> Change | None:
    """Take the card off one's own workbench and nobody else's (the wire's delete); it does not cancel."""
    if me.card_removed_at is not None:
        return None
    after = msgspec.structs.replace(me, card_removed_at=now)
    return _change(before, me, after, kind="deleted", app_id=app_id, ids=ids, now=now)


def restore_card(
    before: Meeting, me: Attendee, *, app_id: int | None, ids: Iterator[int], now: int
) -> Change | None:
    """Put the card back, as if it had not been removed; history has it under the same kind, the other way round."""
    if me.card_removed_at is None:
        return None
    after = msgspec.structs.replace(me, card_removed_at=None)
    return _change(before, me, after, kind="deleted", app_id=app_id, ids=ids, now=now)


def _check_listed(me: Attendee) -> None:
    if not me.listed:
        raise errors.NotListed


def _change(
    before: Meeting,
    me: Attendee,
    after: Attendee,
    *,
    kind: str,
    app_id: int | None,
    ids: Iterator[int],
    now: int,
    tasks: tuple[Task, ...] = (),
) -> Change:
    old, new = msgspec.structs.asdict(me), msgspec.structs.asdict(after)
    differences = {field: [old[field], new[field]] for field in old if old[field] != new[field]}
    return Change(
        org_id=before.org_id,
        meeting_id=before.id,
        entry=Entry(
            id=next(ids),
            at=now,
            app_id=app_id,
            actor_uid=me.uid,
            kind=kind,
            change=_encode(differences).decode(),
        ),
        before=before,
        attendee_before=me,
        attendee=after,
        tasks=tasks,
    )
