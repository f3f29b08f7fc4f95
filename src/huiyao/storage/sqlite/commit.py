"""Applies a batch of Changes in one transaction: first every guard, then one statement per table and batch."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from huiyao.model import Entry, Meeting, PushStatus
from huiyao.pinyin import search_text
from huiyao.rules import callbacks
from huiyao.rules.change import MUTABLE, Change
from huiyao.storage import events as shared
from huiyao.storage.contract import Committed, Conflict, Repeated, Verdict
from huiyao.storage.sqlite import rows, telling
from huiyao.storage.workbench import link_ids

T = TypeVar("T")

_NEXT_XID: Final = "UPDATE counter SET value = value + 1 WHERE name = 'xid' RETURNING value"
_GUARD: Final = "SELECT sequence, push_status, nudged_at FROM meeting WHERE org_id = ? AND id = ?"
_RECORD: Final = (
    "SELECT meeting_id, fingerprint FROM idempotency"
    " WHERE org_id = ? AND app_id = ? AND uid = ? AND key = ? AND expires_at > ?"
)
_UPDATE_MEETING: Final = (
    f"UPDATE meeting SET {', '.join(f'{field} = ?' for field in MUTABLE)}, push_status = iif(?, 2, push_status)"
    " WHERE org_id = ? AND id = ?"
)
_ANSWER: Final = (
    "UPDATE attendee SET msg_status = ?, reply = ?, read_at = ?, answered_at = ?, remind = ?, card_removed_at = ?"
    " WHERE org_id = ? AND meeting_id = ? AND uid = ? AND msg_status = ? AND remind = ? AND reply = ?"
    " AND card_removed_at IS ? AND membership = ?"
)
_RESET: Final = (
    "UPDATE attendee SET msg_status = 0, reply = '', read_at = NULL, answered_at = NULL, card_removed_at = NULL,"
    " begin_at = ?, end_at = ? WHERE org_id = ? AND meeting_id = ? AND removed_at IS NULL"
)
_PLACE: Final = "UPDATE attendee SET position = ?, name = ? WHERE org_id = ? AND meeting_id = ? AND uid = ?"
_REMOVE: Final = (
    "UPDATE attendee SET removed_at = ?, removed_sequence = ? WHERE org_id = ? AND meeting_id = ? AND uid = ?"
)
_LEARN: Final = (
    "INSERT INTO person (org_id, uid, name, mobile, email, timezone, locale, search)"
    " VALUES (?, ?, ?, '', '', '', '', ?)"
    " ON CONFLICT DO NOTHING"
)
_REMEMBER: Final = rows.insert(
    "idempotency",
    ("org_id", "app_id", "uid", "key", "fingerprint", "meeting_id", "created_at", "expires_at"),
    "ON CONFLICT DO UPDATE SET fingerprint = excluded.fingerprint, meeting_id = excluded.meeting_id,"
    " created_at = excluded.created_at, expires_at = excluded.expires_at",
)
_INSERT_MEETING: Final = rows.insert("meeting", rows.MEETING_FIELDS)
_ATTENDEE_COLUMNS: Final = ("org_id", "meeting_id", "begin_at", "end_at", "link_id", *rows.ATTENDEE_FIELDS)
_INSERT_ATTENDEE: Final = rows.insert("attendee", _ATTENDEE_COLUMNS)
_START_ANEW: Final = rows.insert(
    "attendee",
    _ATTENDEE_COLUMNS,
    "ON CONFLICT DO UPDATE SET "
    + ", ".join(f"{field} = excluded.{field}" for field in _ATTENDEE_COLUMNS[2:] if field != "uid"),
)
_HISTORY: Final = rows.insert(
    "history", ("org_id", "meeting_id", "xid", "id", "at", "app_id", "actor_uid", "kind", "change")
)
# Answers join the report that waits already; every other task takes the new moment and state.
_SCHEDULE: Final = rows.insert(
    "task",
    rows.TASK_FIELDS,
    "ON CONFLICT (org_id, dedup_key) DO UPDATE SET"
    " due_at = iif(excluded.kind = 'answered', min(due_at, excluded.due_at), excluded.due_at),"
    " since_at = iif(excluded.kind = 'answered', min(since_at, excluded.since_at), excluded.since_at),"
    " sequence = excluded.sequence, topic = excluded.topic, old = excluded.old, resume_uid = excluded.resume_uid,"
    " attempt = excluded.attempt",
)
_DROP: Final = "DELETE FROM task WHERE org_id = ? AND dedup_key = ?"

_values = msgspec.structs.astuple


def in_transaction(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Run work between BEGIN IMMEDIATE and COMMIT; whatever it raises rolls everything back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def next_xid(connection: sqlite3.Connection) -> int:
    """This transaction's place in the feeds."""
    (xid,) = connection.execute(_NEXT_XID).fetchone()
    return int(xid)


def apply(connection: sqlite3.Connection, changes: Sequence[Change]) -> list[Verdict]:
    """A verdict for each Change. Raises sqlite3.Error with nothing written."""
    return in_transaction(connection, lambda inside: _apply(inside, changes))


def _apply(connection: sqlite3.Connection, changes: Sequence[Change]) -> list[Verdict]:
    verdicts = [_check(connection, change) for change in changes]
    good = [change for change, found in zip(changes, verdicts, strict=True) if type(found) is Committed]
    if not good:
        return verdicts
    xid = next_xid(connection)
    many = connection.executemany
    people = sorted({(one.org_id, *person) for one in good for person in one.people})
    if people:
        many(_LEARN, [(*one, search_text(*one[1:])) for one in people])
    created = [(one, one.meeting) for one in good if one.before is None and one.meeting]
    if created:
        many(_INSERT_MEETING, [_values(meeting) for _, meeting in created])
        many(_INSERT_ATTENDEE, [row for one, meeting in created for row in _attendees(one, meeting)])
        records = [one for one, _ in created if one.idempotency]
        if records:
            many(_REMEMBER, [_record(one) for one in records])
    for one in good:
        if one.before and one.meeting:
            _replace(connection, one, one.meeting)
    many(_HISTORY, [(one.org_id, one.meeting_id, xid, *_entry(one.entry)) for one in good])
    tasks = [_values(task) for one in good for task in one.tasks]
    if tasks:
        many(_SCHEDULE, tasks)
    dropped = [(one.org_id, key) for one in good for key in one.dropped]
    if dropped:
        many(_DROP, dropped)
    _tell_apps(connection, good)
    return verdicts


def _tell_apps(connection: sqlite3.Connection, changes: Sequence[Change]) -> None:
    found = [(one.entry.at, told) for one in changes if (told := callbacks.happening(one))]
    if found:
        heard = telling.heard(connection, ((told.org_id, told.app_id) for _, told in found))
        telling.write(
            connection,
            [shared.new(told, at=at) for at, told in found if (told.org_id, told.app_id) in heard],
        )


def _check(connection: sqlite3.Connection, change: Change) -> Verdict:
    """Whether the guard holds. An attendee's own row is written here, for its guard is that row itself."""
    before = change.before
    if before is None:
        record = change.idempotency
        if record:
            key = (change.org_id, record.app_id, record.uid, record.key, record.created_at)
            found = connection.execute(_RECORD, key).fetchone()
            if found:
                return Repeated(*found)
        return Committed()
    row = connection.execute(_GUARD, (change.org_id, change.meeting_id)).fetchone()
    if row is None or row[0] != before.sequence:
        return Conflict()
    if change.meeting and (row[1] == 2 or row[2] != before.nudged_at):
        return Conflict()
    old, new = change.attendee_before, change.attendee
    if old and new:
        values = (new.msg_status, new.reply, new.read_at, new.answered_at, new.remind, new.card_removed_at)
        guard = (old.msg_status, old.remind, old.reply, old.card_removed_at, old.membership)
        own = (change.org_id, change.meeting_id, new.uid)
        if not connection.execute(_ANSWER, (*values, *own, *guard)).rowcount:
            return Conflict()
    return Committed()


def _replace(connection: sqlite3.Connection, change: Change, meeting: Meeting) -> None:
    """The organizer's Change of an existing meeting."""
    key = (change.org_id, change.meeting_id)
    values = [getattr(meeting, field) for field in MUTABLE]
    cancelled = meeting.push_status == PushStatus.CANCELLED
    connection.execute(_UPDATE_MEETING, (*values, cancelled, *key))
    if change.removed:
        at = (change.entry.at, meeting.sequence)
        connection.executemany(_REMOVE, [(*at, *key, uid) for uid in change.removed])
    if change.reset:
        # Behind the removals: who goes keeps their answer, by which it is decided whether they are told.
        connection.execute(_RESET, (meeting.begin_at, meeting.end_at, *key))
    if change.placed:
        connection.executemany(_PLACE, [(one.position, one.name, *key, one.uid) for one in change.placed])
    if change.added:
        connection.executemany(_START_ANEW, _attendees(change, meeting))


def _attendees(change: Change, meeting: Meeting) -> list[tuple[Any, ...]]:
    beginning = (change.org_id, change.meeting_id, meeting.begin_at, meeting.end_at)
    links = link_ids(len(change.added))
    return [(*beginning, link, *_values(one)) for one, link in zip(change.added, links, strict=True)]


def _record(change: Change) -> tuple[Any, ...]:
    record = change.idempotency
    assert record
    return (
        change.org_id,
        record.app_id,
        record.uid,
        record.key,
        record.fingerprint,
        record.meeting_id,
        record.created_at,
        record.expires_at,
    )


def _entry(entry: Entry) -> tuple[Any, ...]:
    return (entry.id, entry.at, entry.app_id, entry.actor_uid, entry.kind, entry.change)
