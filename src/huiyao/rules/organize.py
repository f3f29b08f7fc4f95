"""What the organizer does: create, update, cancel, nudge (contract sections 4 and 6; RFC 5546 REQUEST and CANCEL).

Each function answers the Change to commit, or None where nothing is to be written.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from huiyao import errors
from huiyao.model import Attendee, Entry, Meeting, PushStatus, Task, TaskKind, Topic
from huiyao.rules import commands, timing
from huiyao.rules.change import Change, Idempotency, Place

IDS_NEEDED: Final = 4  # ids one Change of the organizer can use: meeting, history entry, two tasks

# Fields whose change is written down in history as field: [old, new].
_COMPARED: Final = (
    "content",
    "address",
    "begin_at",
    "end_at",
    "remind_min",
    "remind_type",
    "create_time",
)
_NOT_YET: Final = (None, None, None, None)  # read_at, answered_at, card_removed_at, removed_at
_encode = msgspec.json.Encoder().encode


def create(
    command: commands.Create,
    *,
    org_id: int,
    app_id: int,
    uid: str,
    ids: Iterator[int],
    now: int,
    known: Container[str] = (),
) -> Change:
    """A new invitation. Members but the creator are invited, unless `silent`.

    `known` holds the uids that an open directory need not be taught.
    """
    detail = command.detail
    attendees = [
        # Written out, for this is most of what a create costs: `_newcomer` with nothing before it.
        Attendee(
            one.uid, one.name, place, one.uid == uid, 0, one.remind, "", *_NOT_YET, 1, 0, None, command.silent
        )
        for place, one in enumerate(detail.invitees)
    ]
    if not any(one.organizer for one in attendees):
        attendees.append(
            Attendee(uid, command.requester_name, -1, True, 0, True, "", *_NOT_YET, 1, 0, None, True)
        )
    meeting_id = next(ids)
    meeting = Meeting(
        org_id=org_id,
        id=meeting_id,
        app_id=app_id,
        organizer_uid=uid,
        organizer_name=command.requester_name,
        content=detail.content,
        address=detail.address,
        begin_at=detail.begin_at,
        end_at=detail.end_at,
        remind_min=detail.remind_min,
        remind_type=detail.remind_type,
        push_status=PushStatus.PENDING,
        sequence=0,
        moved_sequence=0,
        ical_uid=f"{meeting_id}.{org_id}@huiyao",
        create_time=now if detail.create_time is None else detail.create_time,
        created_at=now,
        updated_at=now,
        cancelled_at=None,
        nudged_at=None,
        size=len(attendees),
    )
    topic = Topic.SILENT if command.silent else Topic.CREATED
    tasks = [timing.announcement(meeting, next(ids), topic=topic, old="", now=now)]
    alarm = timing.reminder(meeting, next(ids), now=now)
    if alarm:
        tasks.append(alarm)
    key = command.repeat_key
    return Change(
        org_id=org_id,
        meeting_id=meeting_id,
        entry=Entry(id=next(ids), at=now, app_id=app_id, actor_uid=uid, kind="created", change="{}"),
        meeting=meeting,
        added=tuple(attendees),
        tasks=tuple(tasks),
        people=(
            *(() if uid in known else ((uid, command.requester_name),)),
            *[(one.uid, one.name) for one in detail.invitees if one.uid not in known],
        ),
        idempotency=Idempotency(
            app_id=app_id,
            uid=uid,
            key=key,
            fingerprint=command.fingerprint,
            meeting_id=meeting_id,
            created_at=now,
            expires_at=now + command.repeat_for,
        )
        if key is not None
        else None,
    )


def update(
    command: commands.Update,
    *,
    before: Meeting,
    attendees: Sequence[Attendee],
    app_id: int | None,
    uid: str,
    ids: Iterator[int],
    now: int,
    known: Container[str] = (),
) -> Change | None:
    """The whole detail anew. `attendees` are all rows of the meeting, removed ones included.

    Answers go back to 0 where begin or end changed; who is told follows design section 4.
    Raises MeetingCancelled, SequenceChanged.
    """
    _check_open(before, command.sequence)
    detail = command.detail
    sequence = before.sequence + 1
    moved = (detail.begin_at, detail.end_at) != (before.begin_at, before.end_at)
    edited = (detail.content, detail.address) != (before.content, before.address)
    over = detail.end_at < now  # a meeting that has ended tells nobody anything
    silent = command.silent or over
    listed = _compare_lists(detail.invitees, attendees, organizer=before.organizer_uid)
    added = tuple(
        _newcomer(
            one,
            position,
            sequence=sequence,
            organizer=one.uid == uid,
            quiet=silent,
            row=listed.rows.get(one.uid),
        )
        for position, one in listed.added
    )
    meeting = msgspec.structs.replace(
        before,
        content=detail.content,
        address=detail.address,
        begin_at=detail.begin_at,
        end_at=detail.end_at,
        remind_min=detail.remind_min,
        remind_type=detail.remind_type,
        create_time=before.create_time if detail.create_time is None else detail.create_time,
        sequence=sequence,
        size=len(attendees) + sum(1 for one in added if one.membership == 1),
        moved_sequence=sequence if moved else before.moved_sequence,
        updated_at=now,
    )
    history = _differences(before, meeting, listed)
    if not history:
        return None
    tasks: list[Task] = []
    if not silent and (moved or edited or added or listed.removed):
        topic = Topic.MOVED if moved else Topic.EDITED if edited else Topic.LISTED
        tasks.append(timing.announcement(meeting, next(ids), topic=topic, old=_old(before, meeting), now=now))
    dropped: tuple[str, ...] = ()
    if timing.remind_at(meeting) != timing.remind_at(before) or moved:
        alarm = timing.reminder(meeting, next(ids), now=now)
        if alarm:
            tasks.append(alarm)
        else:
            dropped = (timing.reminder_key(meeting.id),)
    return Change(
        org_id=before.org_id,
        meeting_id=before.id,
        entry=Entry(
            id=next(ids),
            at=now,
            app_id=app_id,
            actor_uid=uid,
            kind="updated",
            change=_encode(history).decode(),
        ),
        before=before,
        meeting=meeting,
        added=added,
        placed=listed.placed,
        removed=listed.removed,
        reset=moved,
        tasks=tuple(tasks),
        dropped=dropped,
        people=tuple((one.uid, one.name) for _, one in listed.added if one.uid not in known),
    )


def cancel(
    command: commands.Cancel,
    *,
    before: Meeting,
    app_id: int | None,
    uid: str,
    ids: Iterator[int],
    now: int,
) -> Change | None:
    """Call the meeting off; None where it is cancelled already (idempotent). Raises SequenceChanged."""
    if before.push_status == PushStatus.CANCELLED:
        return None
    _check_sequence(before, command.sequence)
    meeting = msgspec.structs.replace(
        before,
        push_status=PushStatus.CANCELLED,
        sequence=before.sequence + 1,
        updated_at=now,
        cancelled_at=now,
    )
    tasks: tuple[Task, ...] = ()
    if before.end_at >= now:  # a meeting that has ended tells nobody anything
        tasks = (timing.announcement(meeting, next(ids), topic=Topic.CANCELLED, old="", now=now),)
    return Change(
        org_id=before.org_id,
        meeting_id=before.id,
        entry=Entry(id=next(ids), at=now, app_id=app_id, actor_uid=uid, kind="cancelled", change="{}"),
        before=before,
        meeting=meeting,
        tasks=tasks,
        dropped=(timing.reminder_key(before.id),),
    )


def nudge(*, before: Meeting, app_id: int | None, uid: str, ids: Iterator[int], now: int) -> Change:
    """Ask again those who have not answered (the wire's remindagain).

    Raises MeetingCancelled, MeetingOver, and NudgedLately, naming the wait, within 5 minutes of the last time.
    """
    _check_open(before, None)
    if before.end_at < now:
        raise errors.MeetingOver
    if before.nudged_at is not None and now - before.nudged_at < timing.NUDGE_PAUSE_MS:
        wait = -(-(before.nudged_at + timing.NUDGE_PAUSE_MS - now) // 1000)
        raise errors.NudgedLately(wait)
    task_id = next(ids)
    task = Task(
        org_id=before.org_id,
        id=task_id,
        due_at=now,
        kind=TaskKind.NUDGE,
        meeting_id=before.id,
        sequence=before.sequence,
        dedup_key=f"nudge:{before.id}:{task_id}",
    )
    return Change(
        org_id=before.org_id,
        meeting_id=before.id,
        entry=Entry(id=next(ids), at=now, app_id=app_id, actor_uid=uid, kind="nudged", change="{}"),
        before=before,
        meeting=msgspec.structs.replace(before, nudged_at=now),
        tasks=(task,),
    )


class _Lists(msgspec.Struct, frozen=True):
    added: tuple[tuple[int, commands.Invitee], ...]
    placed: tuple[Place, ...]
    removed: tuple[str, ...]
    rows: Mapping[str, Attendee]


def _compare_lists(
    invitees: Sequence[commands.Invitee], attendees: Sequence[Attendee], *, organizer: str
) -> _Lists:
    """Who comes, who goes, and whose place or name changed; an organizer off the list stays, at position -1."""
    rows = {one.uid: one for one in attendees}
    added: list[tuple[int, commands.Invitee]] = []
    placed: list[Place] = []
    for position, one in enumerate(invitees):
        row = rows.get(one.uid)
        if row is None or not row.listed:
            added.append((position, one))
        elif (row.position, row.name) != (position, one.name):
            placed.append(Place(one.uid, position, one.name))
    staying = {one.uid for one in invitees}
    gone = [row for row in attendees if row.listed and row.uid not in staying]
    placed += [Place(row.uid, -1, row.name) for row in gone if row.uid == organizer]
    removed = tuple(row.uid for row in gone if row.uid != organizer)
    return _Lists(tuple(added), tuple(placed), removed, rows)


def _newcomer(
    invitee: commands.Invitee,
    position: int,
    *,
    sequence: int,
    organizer: bool,
    quiet: bool,
    row: Attendee | None = None,
) -> Attendee:
    """A person's row at the start of a membership; `row` is what an earlier one left."""
    return Attendee(
        invitee.uid,
        invitee.name,
        position,
        organizer=organizer,
        msg_status=0,
        remind=row.remind if row and row.organizer else invitee.remind,
        reply="",
        read_at=None,
        answered_at=None,
        card_removed_at=None,
        removed_at=None,
        membership=row.membership + 1 if row else 1,
        invited_sequence=sequence,
        removed_sequence=None,
        quiet=quiet,
    )


def _check_open(meeting: Meeting, sequence: int | None) -> None:
    if meeting.push_status == PushStatus.CANCELLED:
        raise errors.MeetingCancelled
    _check_sequence(meeting, sequence)


def _check_sequence(meeting: Meeting, sequence: int | None) -> None:
    if sequence is not None and sequence != meeting.sequence:
        raise errors.SequenceChanged(sequence=meeting.sequence)


def _old(before: Meeting, after: Meeting) -> str:
    """What an update's text shows as the old state; the content only as the fact that it changed."""
    old: dict[str, object] = {}
    if (before.begin_at, before.end_at) != (after.begin_at, after.end_at):
        old["begin_at"] = before.begin_at
        old["end_at"] = before.end_at
    if before.address != after.address:
        old["address"] = before.address
    if before.content != after.content:
        old["content"] = True
    return _encode(old).decode()


def _differences(before: Meeting, after: Meeting, lists: _Lists) -> dict[str, object]:
    changes: dict[str, object] = {
        field: [getattr(before, field), getattr(after, field)]
        for field in _COMPARED
        if getattr(before, field) != getattr(after, field)
    }
    if lists.added:
        changes["added"] = [one.uid for _, one in lists.added]
    if lists.removed:
        changes["removed"] = list(lists.removed)
    if lists.placed:
        changes["placed"] = [place.uid for place in lists.placed]
    return changes
