"""Due tasks become messages, in one transaction and with one statement for all recipients of all of them."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from huiyao.model import Meeting, Task, TaskKind
from huiyao.rules.announce import Answer, Audience
from huiyao.storage.contract import Decide, Expanded, Missed
from huiyao.storage.sqlite import rows
from huiyao.storage.sqlite.commit import next_xid

_NEXT_DUE: Final = "SELECT min(due_at) FROM task"
# CROSS JOIN keeps the order: tasks by their due time, then their meetings. The order is the index's own: by any other
# second column, a hundred thousand tasks due at one moment would all be looked at and sorted in every round.
_PEEK: Final = f"""
    SELECT {rows.TASK}, {rows.MEETING} FROM task t CROSS JOIN meeting m ON m.org_id = t.org_id AND m.id = t.meeting_id
    WHERE t.due_at <= ? AND (t.kind <> 'announce' OR NOT EXISTS (
        SELECT 1 FROM task e WHERE e.org_id = t.org_id AND e.meeting_id = t.meeting_id AND e.sequence < t.sequence
            AND e.kind = 'announce'))
    ORDER BY t.due_at, t.rowid LIMIT ?
"""
_PART: Final = """
    SELECT uid FROM attendee WHERE org_id = ? AND meeting_id = ? AND uid > ? ORDER BY uid LIMIT ?
"""
_ANSWERS: Final = """
    FROM attendee WHERE org_id = ? AND meeting_id = ? AND msg_status IN (2, 3) AND answered_at >= ?
        AND organizer = 0 AND removed_at IS NULL
"""
_NOTICE: Final = """
    CREATE TEMP TABLE IF NOT EXISTS notice (org_id, meeting_id, sequence, kind, audience, occasion, as_of, params,
        after_uid, last_uid)
"""
_LISTED: Final = "a.position >= 0 AND a.removed_at IS NULL"
_OTHERS: Final = f"{_LISTED} AND a.organizer = 0"
_TOLD: Final = """(a.quiet = 1 OR EXISTS (
    SELECT 1 FROM message i WHERE i.org_id = a.org_id AND i.meeting_id = a.meeting_id AND i.uid = a.uid
        AND i.kind = 'invited' AND i.occasion = CAST(a.invited_sequence AS TEXT)))"""
_BEHIND: Final = f"""{_OTHERS} AND a.invited_sequence < n.sequence AND NOT EXISTS (
    SELECT 1 FROM message s WHERE s.org_id = a.org_id AND s.meeting_id = a.meeting_id AND s.uid = a.uid
        AND s.kind IN ('invited', 'updated') AND s.as_of >= n.sequence)"""
# Each audience of rules.announce as one condition over an attendee row a and the notice n.
_AUDIENCES: Final = {
    Audience.INVITED: f"{_OTHERS} AND a.invited_sequence = n.sequence",
    Audience.REMOVED: f"a.removed_sequence = n.sequence AND a.msg_status <> 3 AND {_TOLD}",
    Audience.REMAINING: _BEHIND,
    Audience.REMAINING_NOT_DECLINED: f"a.msg_status <> 3 AND {_BEHIND}",
    Audience.EVERYONE: f"{_OTHERS} AND {_TOLD}",
    Audience.WANTING_REMINDER: f"a.remind = 1 AND a.msg_status <> 3 AND (a.organizer = 1 OR {_LISTED})",
    Audience.UNANSWERED: f"{_OTHERS} AND a.msg_status IN (0, 1)",
    Audience.ORGANIZER: "a.organizer = 1",
}
_CASES: Final = " ".join(f"WHEN {number:d} THEN {rule}" for number, rule in _AUDIENCES.items())
# Forced from notices to attendees: left to itself the planner may scan all attendees for each notice.
TELL: Final = f"""
    INSERT INTO message (org_id, uid, xid, id, meeting_id, kind, occasion, as_of, params, created_at, read_at)
    SELECT n.org_id, a.uid, :xid, :first_id + row_number() OVER (ORDER BY n.rowid), n.meeting_id, n.kind, n.occasion,
        n.as_of, n.params, :now, NULL
    FROM temp.notice n CROSS JOIN attendee a ON a.org_id = n.org_id AND a.meeting_id = n.meeting_id
    WHERE a.uid > n.after_uid AND (n.last_uid IS NULL OR a.uid <= n.last_uid) AND CASE n.audience {_CASES} END
    ON CONFLICT (org_id, meeting_id, uid, kind, occasion) DO NOTHING
"""
_PUSHED: Final = "UPDATE meeting SET push_status = 1 WHERE org_id = ? AND id = ? AND push_status = 0"
_MISSED: Final = """
    INSERT INTO history (org_id, id, xid, meeting_id, at, app_id, actor_uid, kind, change)
    VALUES (?, ?, ?, ?, ?, NULL, '', 'missed', '{}')
"""


class _Part(msgspec.Struct):
    """A due task, and how far down its meeting's attendees this transaction goes."""

    task: Task
    meeting: Meeting
    last_uid: str | None = None  # None: to the end, the task is finished


def next_due(connection: sqlite3.Connection) -> int | None:
    """The moment of the earliest task."""
    found: int | None = connection.execute(_NEXT_DUE).fetchone()[0]
    return found


def expand(
    connection: sqlite3.Connection, *, now: int, limit: int, decide: Decide, missed: Missed
) -> Expanded:
    """One transaction's worth of due tasks; see `contract.Storage.expand`."""
    parts = _claim(connection, now, limit)
    messages = 0
    if parts:
        xid = next_xid(connection)
        messages = _tell(connection, parts, decide, now=now, xid=xid)
        _finish(connection, parts, missed, now=now, xid=xid)
    due = next_due(connection)
    finished = [part.task for part in parts if part.last_uid is None]
    return Expanded(
        tasks=len(finished),
        messages=messages,
        # What is due and was not claimed waits for an earlier announcement, due later: the clock was set back.
        more=bool(parts) and due is not None and due <= now,
        next_due_at=due,
        lateness_ms=tuple(now - task.due_at for task in finished),
    )


def _claim(connection: sqlite3.Connection, now: int, limit: int) -> list[_Part]:
    """Due tasks in order, of together at most `limit` attendee rows; the first in any case, if need be in part."""
    parts: list[_Part] = []
    width = len(rows.TASK_FIELDS)
    room = limit
    # Not read to its end: the room is used up long before the limit where meetings are large.
    for row in connection.execute(_PEEK, (now, limit)):
        part = _Part(rows.task(row[:width]), rows.meeting(row[width:]))
        room -= 1 if part.task.kind == TaskKind.ANSWERED else part.meeting.size
        if room < 0 and parts:
            break
        parts.append(part)
        if room < 0:
            part.last_uid = _last_uid(connection, part.task, limit)
            break
    return parts


def _last_uid(connection: sqlite3.Connection, task: Task, limit: int) -> str | None:
    if task.kind == TaskKind.ANSWERED:
        return None
    key = (task.org_id, task.meeting_id, task.resume_uid, limit)
    uids = connection.execute(_PART, key).fetchall()
    return str(uids[-1][0]) if len(uids) == limit else None


def _tell(
    connection: sqlite3.Connection, parts: Sequence[_Part], decide: Decide, *, now: int, xid: int
) -> int:
    notices: list[tuple[Any, ...]] = []
    room = 0
    for part in parts:
        task, meeting = part.task, part.meeting
        answers, count = _answers(connection, task)
        for notice in decide(task, meeting, answers, count):
            room += meeting.size
            notices.append(
                (
                    task.org_id,
                    task.meeting_id,
                    task.sequence,
                    notice.kind,
                    int(notice.audience),
                    notice.occasion,
                    meeting.sequence,
                    notice.params,
                    task.resume_uid,
                    part.last_uid,
                )
            )
    if not notices:
        return 0
    connection.execute(_NOTICE)
    connection.executemany("INSERT INTO temp.notice VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", notices)
    first_id = take_ids(connection, room)
    told = connection.execute(TELL, {"xid": xid, "first_id": first_id - 1, "now": now}).rowcount
    connection.execute("DELETE FROM temp.notice")
    return told


def _answers(connection: sqlite3.Connection, task: Task) -> tuple[list[Answer], int]:
    if task.kind != TaskKind.ANSWERED:
        return [], 0
    key = (task.org_id, task.meeting_id, task.since_at)
    (count,) = connection.execute(f"SELECT count(*) {_ANSWERS}", key).fetchone()
    found = connection.execute(
        f"SELECT name, msg_status, reply {_ANSWERS} ORDER BY answered_at, uid LIMIT 3", key
    )
    return [Answer(*row) for row in found], count


def take_ids(connection: sqlite3.Connection, count: int) -> int:
    """The first of `count` ids nobody else gets."""
    (last,) = connection.execute(
        "UPDATE counter SET value = value + ? WHERE name = 'id' RETURNING value", (count,)
    ).fetchone()
    return int(last) - count + 1


def _finish(
    connection: sqlite3.Connection, parts: Sequence[_Part], missed: Missed, *, now: int, xid: int
) -> None:
    """pushStatus, what came too late, and the tasks themselves."""
    done = [part for part in parts if part.last_uid is None]
    pushed = [part.task for part in done if part.task.kind == TaskKind.ANNOUNCE and part.task.sequence == 0]
    connection.executemany(_PUSHED, [(task.org_id, task.meeting_id) for task in pushed])
    for part in done:
        if missed(part.task, part.meeting):
            key = (part.task.org_id, take_ids(connection, 1), xid, part.task.meeting_id, now)
            connection.execute(_MISSED, key)
    connection.executemany(
        "DELETE FROM task WHERE org_id = ? AND id = ?", [(part.task.org_id, part.task.id) for part in done]
    )
    connection.executemany(
        "UPDATE task SET resume_uid = ? WHERE org_id = ? AND id = ?",
        [(part.last_uid, part.task.org_id, part.task.id) for part in parts if part.last_uid is not None],
    )
