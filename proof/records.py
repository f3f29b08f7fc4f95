"""Reads past Huiyao, in one snapshot of the database, what is there: meetings, history, inboxes, texts, tasks."""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import asyncpg

from tests.storage.postgres import run_apart

Told: TypeAlias = Counter[tuple[str, int, str]]  # kind, begin and address, of messages
Rows: TypeAlias = list[tuple[Any, ...]]
Fetch: TypeAlias = Callable[[str], Rows]

_SINCE: Final = "(SELECT id FROM meeting WHERE created_at >= {since})"
_STATEMENTS: Final = {
    "meetings": (
        "SELECT id, content, begin_at, end_at, address, remind_min, sequence, push_status FROM meeting"
        " WHERE created_at >= {since}"
    ),
    "people": (
        "SELECT meeting_id, uid, msg_status, remind, card_removed_at IS NOT NULL FROM attendee"
        f" WHERE meeting_id IN {_SINCE} AND removed_at IS NULL AND position >= 0"
    ),
    "history": f"SELECT meeting_id, kind FROM history WHERE meeting_id IN {_SINCE} ORDER BY xid, id",
    "messages": f"SELECT meeting_id, uid, kind, params FROM message WHERE meeting_id IN {_SINCE}",
    "texts": f"SELECT meeting_id, uid, kind FROM delivery WHERE channel = 'sms' AND meeting_id IN {_SINCE}",
    "tasks": f"SELECT meeting_id, kind FROM task WHERE meeting_id IN {_SINCE}",
}
WAITING: Final = "SELECT count(*) FROM task WHERE due_at <= {now}"


@dataclass
class Found:
    """One meeting."""

    id: int
    facts: tuple[int, int, str, int, int, bool]  # begin, end, address, remind_min, sequence, cancelled
    pushed: int
    people: dict[str, tuple[int, bool, bool]] = field(default_factory=dict)  # status, remind, card removed
    history: list[str] = field(default_factory=list)
    messages: dict[str, Told] = field(default_factory=dict)
    texts: Counter[tuple[str, str]] = field(default_factory=Counter)  # uid, kind
    tasks: Counter[str] = field(default_factory=Counter)  # kind


@dataclass
class Records:
    meetings: dict[str, list[Found]]  # by content


def read(url: str, *, since: int) -> Records:
    """Of all meetings made since that moment."""
    texts = [statement.format(since=since) for statement in _STATEMENTS.values()]
    return _collect(dict(zip(_STATEMENTS, fetch(url, *texts), strict=True)))


def fetch(url: str, *statements: str) -> list[Rows]:
    """The rows of each, from one snapshot."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(f"file:{url.removeprefix('sqlite:///')}?mode=ro", uri=True)) as reader:
            reader.execute("BEGIN")
            return [reader.execute(one).fetchall() for one in statements]
    return run_apart(_fetch(url, statements))


async def _fetch(url: str, statements: tuple[str, ...]) -> list[Rows]:
    async with asyncio.timeout(60):
        connection = await asyncpg.connect(url)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return [[tuple(row) for row in await connection.fetch(one)] for one in statements]
        finally:
            connection.terminate()


def _collect(rows: dict[str, Rows]) -> Records:
    meetings: dict[str, list[Found]] = {}
    found: dict[int, Found] = {}
    for id, content, begin, end, address, remind_min, sequence, pushed in rows["meetings"]:
        facts = (begin, end, address, remind_min, sequence, pushed == 2)
        found[id] = Found(id, facts, pushed)
        meetings.setdefault(content, []).append(found[id])
    for id, uid, status, remind, removed in rows["people"]:
        found[id].people[uid] = (status, bool(remind), bool(removed))
    for id, kind in rows["history"]:
        found[id].history.append(kind)
    for id, uid, kind, params in rows["messages"]:
        shown = json.loads(params)
        found[id].messages.setdefault(uid, Counter())[kind, shown["begin_at"], shown["address"]] += 1
    for id, uid, kind in rows["texts"]:
        found[id].texts[uid, kind] += 1
    for id, kind in rows["tasks"]:
        found[id].tasks[kind] += 1
    return Records(meetings)
