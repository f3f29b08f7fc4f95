"""Many Changes in one transaction: each table is written by one statement.

Locks are taken in one order everywhere: meetings by (org, id), then idempotency records by key, people by
(org, uid), tasks by key, turns of events by (org, meeting). Records come before people because a Change that turns
out to be Repeated writes nothing, its people neither.
"""

from collections.abc import Container, Iterable, Sequence
from typing import Any, Final

from huiyao.model import PushStatus, Task, TaskKind
from huiyao.pinyin import search_text
from huiyao.rules import callbacks
from huiyao.rules.change import MUTABLE, Change
from huiyao.storage import events as shared
from huiyao.storage.contract import Committed, Conflict, Repeated, Verdict
from huiyao.storage.postgres import rows, telling
from huiyao.storage.postgres.connections import Connection, columns
from huiyao.storage.workbench import link_ids

_GUARD: Final = f"""
    SELECT m.org_id, m.id, m.sequence, m.nudged_at, m.push_status, {shared.HEARD}
    FROM {rows.unnest(("org_id", "id"))} JOIN meeting m ON m.org_id = given.org_id AND m.id = given.id
    ORDER BY m.org_id, m.id FOR {{strength}} OF m
"""
_GUARD_ORGANIZERS: Final = _GUARD.format(strength="NO KEY UPDATE")
# Not a plain read: after waiting for an update it would compare the old sequence, and an answer to the old time
# would survive the reset. KEY SHARE would not wait for the update at all.
_GUARD_ATTENDEES: Final = _GUARD.format(strength="SHARE")
# Meetings with an entry of a transaction that began later and is over: this one waited for its lock, and would stand
# before it in the feed.
_OVERTAKEN: Final = f"""
    SELECT given.org_id, given.id FROM {rows.unnest(("org_id", "id"))}
    WHERE EXISTS (
        SELECT FROM history h WHERE h.org_id = given.org_id AND h.meeting_id = given.id
            AND h.xid > pg_current_xact_id()::text::bigint OFFSET 0
    )
"""

_RECORD_FIELDS: Final = (
    "org_id",
    "app_id",
    "uid",
    "key",
    "fingerprint",
    "meeting_id",
    "created_at",
    "expires_at",
)
_RECORD: Final = f"""
    INSERT INTO idempotency AS stored ({", ".join(_RECORD_FIELDS)})
    SELECT * FROM {rows.unnest(_RECORD_FIELDS)}
    ON CONFLICT (org_id, app_id, uid, key) DO UPDATE SET
        fingerprint = excluded.fingerprint, meeting_id = excluded.meeting_id,
        created_at = excluded.created_at, expires_at = excluded.expires_at
    WHERE stored.expires_at <= excluded.created_at
    RETURNING org_id, app_id, uid, key
"""
_READ_RECORDS: Final = f"""
    SELECT i.org_id, i.app_id, i.uid, i.key, i.meeting_id, i.fingerprint
    FROM {rows.unnest(_RECORD_FIELDS[:4])} JOIN idempotency i USING (org_id, app_id, uid, key)
"""
_PEOPLE: Final = f"""
    INSERT INTO person (org_id, uid, name, mobile, email, timezone, locale, search)
    SELECT org_id, uid, name, '', '', '', '', search FROM {rows.unnest(("org_id", "uid", "name", "search"))}
    ON CONFLICT DO NOTHING
"""
_NEW_MEETINGS: Final = f"""
    INSERT INTO meeting ({", ".join(rows.MEETING_FIELDS)}) SELECT * FROM {rows.unnest(rows.MEETING_FIELDS)}
"""
_MEETINGS: Final = f"""
    UPDATE meeting m SET {", ".join(f"{field} = given.{field}" for field in MUTABLE)},
        push_status = CASE given.push_status WHEN {PushStatus.CANCELLED:d} THEN {PushStatus.CANCELLED:d}
            ELSE m.push_status END
    FROM {rows.unnest(rows.MEETING_FIELDS)} WHERE m.org_id = given.org_id AND m.id = given.id
"""
_REMOVED: Final = f"""
    UPDATE attendee a SET removed_at = given.removed_at, removed_sequence = given.removed_sequence
    FROM {rows.unnest(("org_id", "meeting_id", "uid", "removed_at", "removed_sequence"))}
    WHERE a.org_id = given.org_id AND a.meeting_id = given.meeting_id AND a.uid = given.uid
"""
_RESET: Final = f"""
    UPDATE attendee a
    SET msg_status = 0, reply = '', answered_at = NULL, read_at = NULL, card_removed_at = NULL,
        begin_at = given.begin_at, end_at = given.end_at
    FROM {rows.unnest(("org_id", "meeting_id", "begin_at", "end_at"))}
    WHERE a.org_id = given.org_id AND a.meeting_id = given.meeting_id AND a.removed_at IS NULL
"""
_ROW_FIELDS: Final = ("org_id", "meeting_id", "begin_at", "end_at", "link_id", *rows.ATTENDEE_FIELDS)
_LISTED: Final = f"""
    INSERT INTO attendee ({", ".join(_ROW_FIELDS)}) SELECT * FROM {rows.unnest(_ROW_FIELDS)}
"""
# Only for updates: on a create, where nobody can be there yet, looking for a conflict costs a tenth.
_ADDED: Final = f"""
    {_LISTED} ON CONFLICT (org_id, meeting_id, uid) DO UPDATE SET
        {", ".join(f"{field} = excluded.{field}" for field in _ROW_FIELDS[2:] if field != "uid")}
"""
_PLACED: Final = f"""
    UPDATE attendee a SET position = given.position, name = given.name
    FROM {rows.unnest(("org_id", "meeting_id", "uid", "position", "name"))}
    WHERE a.org_id = given.org_id AND a.meeting_id = given.meeting_id AND a.uid = given.uid
"""
_OWN_FIELDS: Final = ("msg_status", "reply", "read_at", "answered_at", "remind", "card_removed_at")
_BEFORE_FIELDS: Final = ("old_msg_status", "old_remind", "old_reply", "old_card_removed_at", "membership")
_ANSWERED: Final = f"""
    UPDATE attendee a SET {", ".join(f"{field} = given.{field}" for field in _OWN_FIELDS)}
    FROM {rows.unnest(("org_id", "meeting_id", "uid", *_OWN_FIELDS, *_BEFORE_FIELDS))}
    WHERE a.org_id = given.org_id AND a.meeting_id = given.meeting_id AND a.uid = given.uid
        AND a.msg_status = given.old_msg_status AND a.remind = given.old_remind AND a.reply = given.old_reply
        AND a.card_removed_at IS NOT DISTINCT FROM given.old_card_removed_at
        AND a.membership = given.membership AND a.removed_at IS NULL
    RETURNING a.org_id, a.meeting_id, a.uid
"""
_ENTRY_FIELDS: Final = ("org_id", "meeting_id", "id", "at", "app_id", "actor_uid", "kind", "change")
_HISTORY: Final = f"""
    INSERT INTO history ({", ".join(_ENTRY_FIELDS)}, xid)
    SELECT *, pg_current_xact_id()::text::bigint FROM {rows.unnest(_ENTRY_FIELDS)}
    RETURNING xid
"""
_JOINED: Final = ("due_at", "since_at")
_REPLACED: Final = ("kind", "meeting_id", "sequence", "topic", "old", "resume_uid", "attempt")
# DO UPDATE even where the row is as it should be: the dispatcher may be deleting that very row, and then this waits
# and inserts.
_TASKS: Final = f"""
    INSERT INTO task AS stored ({", ".join(rows.TASK_FIELDS)}) SELECT * FROM {rows.unnest(rows.TASK_FIELDS)}
    ON CONFLICT (org_id, dedup_key) DO UPDATE SET
        {
    ", ".join(
        f"{field} = CASE excluded.kind WHEN '{TaskKind.ANSWERED}' THEN LEAST(stored.{field}, excluded.{field})"
        f" ELSE excluded.{field} END"
        for field in _JOINED
    )
}, {", ".join(f"{field} = excluded.{field}" for field in _REPLACED)}
"""
_DROPPED: Final = f"""
    DELETE FROM task USING {rows.unnest(("org_id", "dedup_key"))}
    WHERE task.org_id = given.org_id AND task.dedup_key = given.dedup_key
"""

_Key = tuple[int, int, str, str]


async def write_organizers(
    connection: Connection, changes: Sequence[Change]
) -> tuple[list[Verdict], int | None]:
    """Write the organizers' Changes whose guards hold, at most one a meeting, in the open transaction.

    Answers their verdicts, and the transaction's id where anything was written.
    """
    verdicts, heard = await _guard(connection, changes, _GUARD_ORGANIZERS)
    await _refuse_overtaken(connection, changes, verdicts)
    await _claim_keys(connection, changes, verdicts)
    valid = [change for change, verdict in zip(changes, verdicts, strict=True) if verdict is COMMITTED]
    if not valid:
        return verdicts, None
    people = {(change.org_id, uid): name for change in valid for uid, name in reversed(change.people)}
    learned = [(*key, people[key], search_text(key[1], people[key])) for key in sorted(people)]
    await _run(connection, _PEOPLE, learned)
    await _write_meetings(connection, valid)
    await _write_attendees(connection, valid)
    return verdicts, await _write_rest(connection, valid, heard)


async def write_attendees(
    connection: Connection, changes: Sequence[Change]
) -> tuple[list[Verdict], int | None]:
    """Write the attendees' own Changes whose guards hold, at most one a person and meeting. As write_organizers."""
    verdicts, heard = await _guard(connection, changes, _GUARD_ATTENDEES)
    own: dict[tuple[int, int, str], Sequence[Any]] = {}
    for change, verdict in zip(changes, verdicts, strict=True):
        before, after = change.attendee_before, change.attendee
        if verdict is COMMITTED and before is not None and after is not None:
            own[change.org_id, change.meeting_id, before.uid] = (
                *(getattr(after, field) for field in _OWN_FIELDS),
                before.msg_status,
                before.remind,
                before.reply,
                before.card_removed_at,
                before.membership,
            )
    written = await _run(connection, _ANSWERED, [(*key, *own[key]) for key in sorted(own)])
    applied = {tuple(row) for row in written}
    valid = []
    for number, change in enumerate(changes):
        before = change.attendee_before
        if before is None or (change.org_id, change.meeting_id, before.uid) not in applied:
            verdicts[number] = CONFLICT
        else:
            valid.append(change)
    return verdicts, await _write_rest(connection, valid, heard) if valid else None


async def _guard(
    connection: Connection, changes: Sequence[Change], lock: str
) -> tuple[list[Verdict], set[tuple[int, int]]]:
    """Lock the meetings in order and compare what each Change was decided on.

    Answers with the verdicts the meetings whose apps are to be told of what happens to them.
    """
    existing = sorted({(change.org_id, change.meeting_id) for change in changes if change.before})
    found = {(row[0], row[1]): row for row in await _run(connection, lock, existing)}
    verdicts: list[Verdict] = []
    for change in changes:
        before = change.before
        if before is None:
            verdicts.append(COMMITTED)
            continue
        row = found.get((change.org_id, change.meeting_id))
        holds = row is not None and (row[2], row[3]) == (before.sequence, before.nudged_at)
        if change.meeting is not None and row is not None and row[4] == PushStatus.CANCELLED:
            holds = False
        verdicts.append(COMMITTED if holds else CONFLICT)
    return verdicts, {key for key, row in found.items() if row[5]}


async def _refuse_overtaken(
    connection: Connection, changes: Sequence[Change], verdicts: list[Verdict]
) -> None:
    """Conflict where an answer would stand behind the update that resets it. A statement of its own, behind the locks:
    one that waits for a lock does not see what was written meanwhile.
    """
    existing = sorted(
        (change.org_id, change.meeting_id)
        for change, verdict in zip(changes, verdicts, strict=True)
        if change.before and verdict is COMMITTED
    )
    overtaken = {(row[0], row[1]) for row in await _run(connection, _OVERTAKEN, existing)}
    for number, change in enumerate(changes):
        if (change.org_id, change.meeting_id) in overtaken:
            verdicts[number] = CONFLICT


async def _claim_keys(connection: Connection, changes: Sequence[Change], verdicts: list[Verdict]) -> None:
    """Write the idempotency records of the valid Changes; those whose key is taken become Repeated."""
    records: dict[_Key, tuple[int, Sequence[Any]]] = {}
    for number, change in enumerate(changes):
        record = change.idempotency
        if record is not None and verdicts[number] is COMMITTED:
            key = (change.org_id, record.app_id, record.uid, record.key)
            rest = (record.fingerprint, record.meeting_id, record.created_at, record.expires_at)
            records[key] = (number, rest)
    if not records:
        return
    written = await _run(connection, _RECORD, [(*key, *records[key][1]) for key in sorted(records)])
    taken = sorted(records.keys() - {tuple(row) for row in written})
    for row in await _run(connection, _READ_RECORDS, taken):
        number, _ = records[row[0], row[1], row[2], row[3]]
        verdicts[number] = Repeated(row[4], row[5])
    for key in taken:  # its record was pruned between the two statements: let the caller start over
        if verdicts[records[key][0]] is COMMITTED:
            verdicts[records[key][0]] = CONFLICT


async def _write_meetings(connection: Connection, changes: Sequence[Change]) -> None:
    new: list[Sequence[Any]] = []
    changed: list[Sequence[Any]] = []
    for change in changes:
        if change.meeting is not None:
            (new if change.before is None else changed).append(rows.values(change.meeting))
    await _run(connection, _NEW_MEETINGS, new)
    await _run(connection, _MEETINGS, changed)


async def _write_attendees(connection: Connection, changes: Sequence[Change]) -> None:
    """Those removed first, for a reset leaves their answers: who declined is not told of the removal."""
    removed = [
        (change.org_id, change.meeting_id, uid, change.entry.at, change.meeting.sequence)
        for change in changes
        if change.meeting is not None
        for uid in change.removed
    ]
    await _run(connection, _REMOVED, removed)
    reset: list[Sequence[Any]] = []
    listed: list[Sequence[Any]] = []
    added: list[Sequence[Any]] = []
    for change in changes:
        if change.meeting is None:
            continue
        beginning = (change.org_id, change.meeting_id, change.meeting.begin_at, change.meeting.end_at)
        if change.reset:
            reset.append(beginning)
        given = listed if change.before is None else added
        links = link_ids(len(change.added))
        given += [
            (*beginning, link, *rows.values(one)) for one, link in zip(change.added, links, strict=True)
        ]
    await _run(connection, _RESET, reset)
    await _run(connection, _LISTED, listed)
    await _run(connection, _ADDED, added)
    placed = [
        (change.org_id, change.meeting_id, one.uid, one.position, one.name)
        for change in changes
        for one in change.placed
    ]
    await _run(connection, _PLACED, placed)


async def _write_rest(
    connection: Connection, changes: Sequence[Change], heard: Container[tuple[int, int]]
) -> int:
    """History, tasks and events. The transaction's id."""
    entries = [
        (
            change.org_id,
            change.meeting_id,
            change.entry.id,
            change.entry.at,
            change.entry.app_id,
            change.entry.actor_uid,
            change.entry.kind,
            change.entry.change,
        )
        for change in changes
    ]
    written = await _run(connection, _HISTORY, entries)
    await _run(connection, _TASKS, _merged(task for change in changes for task in change.tasks))
    dropped = sorted((change.org_id, key) for change in changes for key in change.dropped)
    await _run(connection, _DROPPED, dropped)
    told = (
        (callbacks.happening(one), one.entry.at) for one in changes if (one.org_id, one.meeting_id) in heard
    )
    await telling.write(connection, [shared.new(one, at=at) for one, at in told if one])
    xid: int = written[0][0]
    return xid


def _merged(tasks: Iterable[Task]) -> list[Sequence[Any]]:
    """Rows in key order; answers of one meeting that came in one batch are joined already."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for task in tasks:
        row = dict(zip(rows.TASK_FIELDS, rows.values(task), strict=True))
        first = found.setdefault((task.org_id, task.dedup_key), row)
        if first is not row:
            for field in _JOINED:
                first[field] = min(first[field], row[field])
    return [tuple(found[key].values()) for key in sorted(found)]


async def _run(connection: Connection, statement: str, given: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """One statement over rows handed as arrays; nothing at all where there are none."""
    return await connection.fetch(statement, *columns(given)) if given else ()


COMMITTED: Final = Committed()
CONFLICT: Final = Conflict()
