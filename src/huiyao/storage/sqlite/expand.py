"""Due tasks become messages, in one transaction and with one statement for all recipients of all of them."""

import sqlite3
from collections.abc import Container, Sequence
from typing import Any, Final

import msgspec
import structlog

from huiyao import telemetry
from huiyao.model import Kind, Meeting, PushStatus, Task, TaskKind
from huiyao.rules import callbacks, timing
from huiyao.rules.announce import Answer, Audience
from huiyao.rules.callbacks import Happening
from huiyao.storage import events as shared
from huiyao.storage.contract import Decide, Expanded, Missed
from huiyao.storage.sqlite import rows, telling
from huiyao.storage.sqlite.commit import next_xid
from huiyao.storage.sqlite.ids import take_ids

_SMS: Final = 5  # where a notice's row says who gets a text
# An announcement waits for the earlier ones of its meeting, however long those are put off.
_FREE: Final = """(t.kind <> 'announce' OR NOT EXISTS (
    SELECT 1 FROM task e WHERE e.org_id = t.org_id AND e.meeting_id = t.meeting_id AND e.sequence < t.sequence
        AND e.kind = 'announce'))"""
NEXT_DUE: Final = f"SELECT t.due_at FROM task t WHERE {_FREE} ORDER BY t.due_at LIMIT 1"
# CROSS JOIN keeps the order: tasks by their due time, then their meetings. The order is the index's own: by any other
# second column, a hundred thousand tasks due at one moment would all be looked at and sorted in every round.
_PEEK: Final = f"""
    SELECT {rows.TASK}, {rows.MEETING} FROM task t CROSS JOIN meeting m ON m.org_id = t.org_id AND m.id = t.meeting_id
    WHERE t.due_at <= ? AND {_FREE}
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
    CREATE TEMP TABLE IF NOT EXISTS notice (org_id, meeting_id, sequence, kind, audience, sms, occasion, as_of, params,
        after_uid, last_uid, due_at)
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
    Audience.EVERYONE_NOT_DECLINED: f"{_OTHERS} AND a.msg_status <> 3 AND {_TOLD}",
}
_CASES: Final = " ".join(f"WHEN {number:d} THEN {rule}" for number, rule in _AUDIENCES.items())
_PEOPLE: Final = """temp.notice n CROSS JOIN attendee a ON a.org_id = n.org_id AND a.meeting_id = n.meeting_id
    WHERE a.uid > n.after_uid AND (n.last_uid IS NULL OR a.uid <= n.last_uid)"""
# Forced from notices to attendees: left to itself the planner may scan all attendees for each notice.
TELL: Final = f"""
    INSERT INTO message (org_id, uid, xid, id, meeting_id, kind, occasion, as_of, params, created_at, read_at)
    SELECT n.org_id, a.uid, :xid, :first_id + row_number() OVER (ORDER BY n.rowid), n.meeting_id, n.kind, n.occasion,
        n.as_of, n.params, :now, NULL
    FROM {_PEOPLE} AND CASE n.audience {_CASES} END
    ON CONFLICT (org_id, meeting_id, uid, kind, occasion) DO NOTHING
"""
# Before the messages are written: who is told depends on what they have been told already.
TEXT: Final = f"""
    INSERT INTO delivery (org_id, id, channel, uid, meeting_id, kind, occasion, sequence, created_at, due_at,
        give_up_at, state, attempt, failures, uncertain, as_of, address, text, provider_id, reason)
    SELECT n.org_id, :first_id + row_number() OVER (ORDER BY n.rowid), 'sms', a.uid, n.meeting_id, n.kind, n.occasion,
        n.sequence, :now, n.due_at, :now + {timing.DAY_MS}, 'pending', 0, 0, 0, -1, '', '', '', ''
    FROM {_PEOPLE} AND n.sms > 0 AND CASE n.sms {_CASES} END
    ON CONFLICT DO NOTHING
"""
# For apps that are told who is reminded: exactly those whose messages were written.
_TELL_AND_REPORT: Final = f"""
    {TELL} RETURNING org_id, meeting_id, uid, (SELECT a.msg_status FROM attendee a
        WHERE a.org_id = message.org_id AND a.meeting_id = message.meeting_id AND a.uid = message.uid), kind
"""
_PUT_OFF: Final = "UPDATE task SET due_at = ?, attempt = attempt + 1 WHERE org_id = ? AND id = ?"
_PUSHED: Final = "UPDATE meeting SET push_status = 1 WHERE org_id = ? AND id = ? AND push_status = 0"
_MISSED: Final = """
    INSERT INTO history (org_id, id, xid, meeting_id, at, app_id, actor_uid, kind, change)
    VALUES (?, ?, ?, ?, ?, NULL, '', 'missed', '{}')
"""

log = structlog.get_logger(__name__)


class _Part(msgspec.Struct):
    """A due task, and how far down its meeting's attendees this transaction goes."""

    task: Task
    meeting: Meeting
    last_uid: str | None = None  # None: to the end, the task is finished

    @property
    def place(self) -> tuple[int, int]:
        """The organisation, and the app that made the meeting."""
        return self.meeting.org_id, self.meeting.app_id

    @property
    def pushes(self) -> bool:
        """Whether pushStatus becomes 1 with it."""
        announces = self.task.kind == TaskKind.ANNOUNCE and self.task.sequence == 0
        return announces and self.last_uid is None and self.meeting.push_status == PushStatus.PENDING


class _Told(msgspec.Struct, frozen=True):
    messages: int = 0
    deliveries: int = 0


def next_due(connection: sqlite3.Connection) -> int | None:
    """The moment of the earliest task that waits for no other."""
    found = connection.execute(NEXT_DUE).fetchone()
    return found[0] if found else None


def expand(
    connection: sqlite3.Connection, *, now: int, limit: int, at_most: int, decide: Decide, missed: Missed
) -> Expanded:
    """One transaction's worth of due tasks, `at_most` so many; see `contract.Storage.expand`.

    What goes wrong with several is raised; a single task that goes wrong is put off.
    """
    parts = _claim(connection, now, limit, at_most)
    told = _Told()
    failed = 0
    if parts and at_most > 1:
        told = _work(connection, parts, decide, missed, now=now)
    elif parts:
        connection.execute("SAVEPOINT alone")
        try:
            told = _work(connection, parts, decide, missed, now=now)
        except sqlite3.OperationalError:  # the database is locked, full or broken: no task's own fault
            raise
        except Exception as failure:  # of whatever kind: it must hold up nobody else's reminder
            connection.execute("ROLLBACK TO alone")
            task = parts.pop().task
            failed = 1
            connection.execute(_PUT_OFF, (timing.put_off(task, now=now), task.org_id, task.id))
            log.error("task put off", org_id=task.org_id, task_id=task.id, error=telemetry.frames(failure))
        connection.execute("RELEASE alone")
    due = next_due(connection)
    finished = [part.task for part in parts if part.last_uid is None]
    return Expanded(
        tasks=len(finished),
        messages=told.messages,
        deliveries=told.deliveries,
        failed=failed,
        more=due is not None and due <= now,
        next_due_at=due,
        lateness_ms=tuple((task.kind, now - task.due_at) for task in finished),
    )


def _work(
    connection: sqlite3.Connection, parts: Sequence[_Part], decide: Decide, missed: Missed, *, now: int
) -> _Told:
    xid = next_xid(connection)
    heard = _heard(connection, parts)
    told, reminded = _tell(connection, parts, decide, heard, now=now, xid=xid)
    _finish(connection, parts, missed, now=now, xid=xid)
    pushed = [callbacks.pushed(one.meeting) for one in parts if one.pushes and one.place in heard]
    telling.write(connection, [shared.new(one, at=now) for one in (*pushed, *reminded)])
    return told


def _heard(connection: sqlite3.Connection, parts: Sequence[_Part]) -> set[tuple[int, int]]:
    """The (org, app) of these tasks' meetings where the app is to be told of what they do."""
    return telling.heard(
        connection, (one.place for one in parts if one.pushes or one.task.kind == TaskKind.REMIND)
    )


def _claim(connection: sqlite3.Connection, now: int, limit: int, at_most: int) -> list[_Part]:
    """Due tasks in order, of together at most `limit` attendee rows; the first in any case, if need be in part."""
    parts: list[_Part] = []
    width = len(rows.TASK_FIELDS)
    room = limit
    # Not read to its end: the room is used up long before the limit where meetings are large.
    for row in connection.execute(_PEEK, (now, min(limit, at_most))):
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
    connection: sqlite3.Connection,
    parts: Sequence[_Part],
    decide: Decide,
    heard: Container[tuple[int, int]],
    *,
    now: int,
    xid: int,
) -> tuple[_Told, list[Happening]]:
    """What was written, and who was reminded of meetings whose apps are to be told."""
    notices: list[tuple[Any, ...]] = []
    reported: dict[tuple[int, int], Meeting] = {}
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
                    int(notice.sms),
                    notice.occasion,
                    meeting.sequence,
                    notice.params,
                    task.resume_uid,
                    part.last_uid,
                    task.due_at,
                )
            )
            if notice.kind == Kind.REMINDER and part.place in heard:
                reported[task.org_id, task.meeting_id] = meeting
    if not notices:
        return _Told(), []
    connection.execute(_NOTICE)
    connection.executemany("INSERT INTO temp.notice VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", notices)
    deliveries = 0
    if any(notice[_SMS] for notice in notices):
        values = {"first_id": take_ids(connection, room) - 1, "now": now}
        deliveries = connection.execute(TEXT, values).rowcount
    values = {"xid": xid, "first_id": take_ids(connection, room) - 1, "now": now}
    reminded: list[Happening] = []
    if reported:
        told = connection.execute(_TELL_AND_REPORT, values).fetchall()
        reminded = shared.reminded((row[:4] for row in told if row[4] == Kind.REMINDER), reported)
        messages = len(told)
    else:
        messages = connection.execute(TELL, values).rowcount
    connection.execute("DELETE FROM temp.notice")
    return _Told(messages, deliveries), reminded


def _answers(connection: sqlite3.Connection, task: Task) -> tuple[list[Answer], int]:
    if task.kind != TaskKind.ANSWERED:
        return [], 0
    key = (task.org_id, task.meeting_id, task.since_at)
    (count,) = connection.execute(f"SELECT count(*) {_ANSWERS}", key).fetchone()
    found = connection.execute(
        f"SELECT name, msg_status, reply {_ANSWERS} ORDER BY answered_at, uid LIMIT 3", key
    )
    return [Answer(*row) for row in found], count


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
