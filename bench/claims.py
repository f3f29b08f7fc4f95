"""The plain claim loop: what the database alone needs to claim tasks, write their messages and delete the tasks.

One statement each and one commit per chunk, as durable as Huiyao's, and nothing else: no rules, no audiences, no
look at what changed meanwhile. What the dispatcher needs beyond it is what it does beyond it.
"""

import asyncio
import json
import sqlite3
import time
from contextlib import closing

import asyncpg

from huiyao.storage.sqlite.writer import connect

COLUMNS = "org_id, uid, xid, id, meeting_id, kind, occasion, as_of, params, created_at, read_at"
DUE = "SELECT org_id, id, meeting_id FROM task WHERE due_at <= {} ORDER BY due_at LIMIT {}"
# CROSS JOIN keeps the order: else the planner may scan all attendees for each meeting.
SQLITE_TELL = f"""
    INSERT INTO message ({COLUMNS})
    SELECT a.org_id, a.uid, :xid, :first + row_number() OVER (), a.meeting_id, 'reminder',
        m.begin_at || ':' || m.remind_min, m.sequence,
        json_object('organizer', m.organizer_name, 'content', m.content, 'address', m.address,
            'begin_at', m.begin_at, 'end_at', m.end_at),
        :now, NULL
    FROM json_each(:claimed) c
    CROSS JOIN meeting m ON m.org_id = c.value ->> 0 AND m.id = c.value ->> 2
    CROSS JOIN attendee a ON a.org_id = m.org_id AND a.meeting_id = m.id
    WHERE a.remind = 1 AND a.msg_status <> 3 AND a.removed_at IS NULL
"""
POSTGRES_TELL = f"""
    INSERT INTO message ({COLUMNS})
    SELECT a.org_id, a.uid, pg_current_xact_id()::text::bigint, nextval('huiyao_id'), a.meeting_id, 'reminder',
        m.begin_at || ':' || m.remind_min, m.sequence,
        json_build_object('organizer', m.organizer_name, 'content', m.content, 'address', m.address,
            'begin_at', m.begin_at, 'end_at', m.end_at)::text,
        $3, NULL
    FROM unnest($1::bigint[], $2::bigint[]) AS c (org_id, meeting_id)
    JOIN meeting m ON m.org_id = c.org_id AND m.id = c.meeting_id
    JOIN attendee a ON a.org_id = m.org_id AND a.meeting_id = m.id
    WHERE a.remind = 1 AND a.msg_status <> 3 AND a.removed_at IS NULL
"""
# By index, as Huiyao's own connections: a chunk is small beside the tables.
BY_INDEX = dict.fromkeys(("enable_hashjoin", "enable_mergejoin", "enable_seqscan", "jit"), "off")


def drain(url: str, *, now: int, tasks: int) -> float:
    """Do everything that is due, `tasks` at a time; the seconds it took."""
    if url.startswith("sqlite:///"):
        return _drain_sqlite(url.removeprefix("sqlite:///"), now, tasks)
    return asyncio.run(_drain_postgres(url, now, tasks))


def _drain_sqlite(path: str, now: int, tasks: int) -> float:
    with closing(connect(path)) as file:  # with the settings of Huiyao's own writer
        started = time.perf_counter()
        while _chunk(file, now, tasks):
            pass
        return time.perf_counter() - started


def _chunk(file: sqlite3.Connection, now: int, tasks: int) -> bool:
    file.execute("BEGIN IMMEDIATE")
    claimed = file.execute(DUE.format("?", "?"), (now, tasks)).fetchall()
    (xid,) = file.execute(
        "UPDATE counter SET value = value + 1 WHERE name = 'xid' RETURNING value"
    ).fetchone()
    (first,) = file.execute("SELECT value FROM counter WHERE name = 'id'").fetchone()
    told = file.execute(SQLITE_TELL, {"claimed": json.dumps(claimed), "now": now, "xid": xid, "first": first})
    file.execute("UPDATE counter SET value = value + ? WHERE name = 'id'", (told.rowcount,))
    file.executemany("DELETE FROM task WHERE org_id = ? AND id = ?", [one[:2] for one in claimed])
    file.execute("COMMIT")
    return bool(claimed)


async def _drain_postgres(url: str, now: int, tasks: int) -> float:
    connection = await asyncpg.connect(url, server_settings=BY_INDEX)
    try:
        claim = f"{DUE.format('$1', '$2')} FOR UPDATE SKIP LOCKED"
        started = time.perf_counter()
        claimed = True
        while claimed:
            async with connection.transaction():
                found = await connection.fetch(claim, now, tasks)
                orgs, ids, meetings = zip(*found, strict=True) if found else ((), (), ())
                await connection.execute(POSTGRES_TELL, orgs, meetings, now)
                await connection.execute(
                    "DELETE FROM task t USING unnest($1::bigint[], $2::bigint[]) AS c (org_id, id)"
                    " WHERE t.org_id = c.org_id AND t.id = c.id",
                    orgs,
                    ids,
                )
                claimed = bool(found)
        return time.perf_counter() - started
    finally:
        await connection.close()
