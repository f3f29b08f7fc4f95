"""Fills a database as Huiyao would have left it, by statements over whole sets that both kinds understand."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import asyncpg
import msgspec

from bench import servers
from huiyao.storage import migrate

PEOPLE = 100_000
STRIDE = 7919  # neighbours on a list stand far apart in the directory; coprime to PEOPLE
REMIND_MIN = 15
FIRST_ID = 1_000_000_000_000
DUE_AT = 1_900_000_000_000
CREATED_AT = 1_800_000_000_000
CONTENT = "第三季度预算讨论会，请各部门负责人准备材料"
ADDRESS = "总部大楼三层第一会议室"
PARAMS = f'{{"organizer":"王芳","content":"{CONTENT}","address":"{ADDRESS}","begin_at":1,"end_at":2}}'


class Meetings(msgspec.Struct, frozen=True, kw_only=True):
    """Meetings whose invitations are in their inboxes and whose reminders wait; ids from `first` on."""

    first: int
    count: int
    members: int  # of each, the organizer among them; all want the reminder
    due_at: int  # of the first reminder
    apart_ms: int = 0  # from one reminder's due moment to the next one's
    remind_type: int = 0


def prepare(url: str) -> None:
    """The newest schema and an organisation."""
    migrate.upgrade(url)
    run(
        url,
        [f"INSERT INTO org (org_id, name, timezone, closed) VALUES ({servers.ORG}, 'b', 'Asia/Shanghai', 0)"],
    )


def directory(url: str) -> None:
    """Everybody, with a number."""
    run(
        url,
        [
            f"""
            {numbers(PEOPLE)}
            INSERT INTO person (org_id, uid, name, mobile, email, timezone, locale, search)
            SELECT {servers.ORG}, {_uid("i")}, '张三丰', '+86138' || CAST(10000000 + i AS text), '', '', '',
                '张三丰 zhangsanfeng zsf ' || {_uid("i")}
            FROM n
            """
        ],
    )


def fill(url: str, meetings: Meetings, *, settle: bool = True) -> None:
    """Write the meetings; they are sound, so what the database would check of each row is left out."""
    statements = [_meetings(meetings), _attendees(meetings), _invitations(meetings), _reminders(meetings)]
    run(url, statements, settle=settle)


def numbers(count: int) -> str:
    """The head of a statement that selects from `n (i)`: 0 to count - 1."""
    return (
        "WITH RECURSIVE n (i) AS (SELECT CAST(0 AS bigint) UNION ALL"
        f" SELECT i + 1 FROM n WHERE i < {count - 1})"
    )


def _uid(number: str) -> str:
    return f"'u' || CAST({PEOPLE} + ({number}) * {STRIDE} % {PEOPLE} AS text)"


def _begin(m: Meetings, number: str) -> str:
    return f"{m.due_at + REMIND_MIN * 60_000} + {number} * {m.apart_ms}"


def _meetings(m: Meetings) -> str:
    begin = _begin(m, "i")
    return f"""
        {numbers(m.count)}
        INSERT INTO meeting (org_id, id, app_id, organizer_uid, organizer_name, content, address, begin_at, end_at,
            remind_min, remind_type, push_status, sequence, moved_sequence, ical_uid, create_time, created_at,
            updated_at, cancelled_at, nudged_at, size)
        SELECT {servers.ORG}, {m.first} + i, 1, {_uid(f"i * {m.members}")}, '王芳', '{CONTENT}', '{ADDRESS}', {begin},
            {begin} + 3600000, {REMIND_MIN}, {m.remind_type}, 1, 0, 0,
            CAST({m.first} + i AS text) || '.{servers.ORG}@huiyao', {CREATED_AT}, {CREATED_AT}, {CREATED_AT}, NULL,
            NULL, {m.members}
        FROM n
    """


def _attendees(m: Meetings) -> str:
    begin = _begin(m, f"(i / {m.members})")
    return f"""
        {numbers(m.count * m.members)}
        INSERT INTO attendee (org_id, meeting_id, uid, name, position, organizer, msg_status, remind, reply, read_at,
            answered_at, card_removed_at, removed_at, membership, invited_sequence, removed_sequence, quiet,
            begin_at, end_at, link_id)
        SELECT {servers.ORG}, {m.first} + i / {m.members}, {_uid("i")}, '张三丰', i % {m.members},
            CASE WHEN i % {m.members} = 0 THEN 1 ELSE 0 END, 0, 1, '', NULL, NULL, NULL, NULL, 1, 0, NULL, 0,
            {begin}, {begin} + 3600000, i + 1
        FROM n
    """


def _invitations(m: Meetings) -> str:
    return f"""
        INSERT INTO message (org_id, uid, xid, id, meeting_id, kind, occasion, as_of, params, created_at, read_at)
        SELECT org_id, uid, 1, meeting_id, meeting_id, 'invited', '0', 0, '{PARAMS}', {CREATED_AT}, NULL
        FROM attendee
        WHERE org_id = {servers.ORG} AND meeting_id BETWEEN {m.first} AND {m.first + m.count - 1} AND organizer = 0
    """


def _reminders(m: Meetings) -> str:
    return f"""
        {numbers(m.count)}
        INSERT INTO task
            (org_id, id, due_at, kind, meeting_id, sequence, dedup_key, topic, since_at, old, resume_uid)
        SELECT {servers.ORG}, {m.first} + i, {m.due_at} + i * {m.apart_ms}, 'remind', {m.first} + i, 0,
            'remind:' || CAST({m.first} + i AS text), '', 0, '', ''
        FROM n
    """


def run(url: str, statements: Sequence[str], *, settle: bool = True) -> None:
    """All of them in one transaction, without foreign keys; then, where there is such a thing, vacuumed."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as file:
            for statement in ("BEGIN", *statements, "COMMIT"):
                file.execute(statement)
    else:
        asyncio.run(_run(url, statements, settle=settle))


async def _run(url: str, statements: Sequence[str], *, settle: bool) -> None:
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            for statement in ("SET LOCAL session_replication_role = replica", *statements):
                await connection.execute(statement)
        if settle:  # as autovacuum would have by now, and not while we measure
            await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def number(url: str, query: str) -> int:
    """The one number a query answers."""
    return int(rows(url, query)[0][0])


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """All that a query answers."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
            return file.execute(query).fetchall()
    return asyncio.run(_rows(url, query))


async def _rows(url: str, query: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()
