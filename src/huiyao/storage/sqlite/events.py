"""Events for apps: taken in turn, what became of them, and what operators see.

Writes are serial, so nothing needs a lock. Only one process sends: leases
are told by its monotonic clock, and those that an earlier process left behind are over.
"""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from typing import Final

from huiyao.model import Event
from huiyao.storage import events as shared
from huiyao.storage.event_contract import AmendEvent, EventsWanted
from huiyao.storage.sqlite.reads import apart, snapshot
from huiyao.storage.sqlite.writer import Writer

_WAITING: Final = """
    SELECT * FROM (
        SELECT b.app_id, (SELECT min(due_at) FROM event_turn t
            WHERE t.app_id = b.app_id AND t.lease_until IS NULL) AS due_at FROM app b
    ) WHERE due_at IS NOT NULL
"""
_DUE: Final = """
    SELECT org_id, meeting_id FROM event_turn WHERE app_id = ? AND lease_until IS NULL AND due_at <= ?
    ORDER BY due_at, rowid LIMIT ?
"""
_FIRST: Final = f"""
    SELECT {shared.EVENT} FROM event e WHERE e.org_id = ? AND e.meeting_id = ? AND e.ended_at IS NULL
    ORDER BY e.id LIMIT 1
"""
_BEGIN: Final = f"""
    UPDATE event SET state = 'sending', attempt = attempt + 1, sent_at = ? WHERE org_id = ? AND id = ?
    RETURNING {", ".join(shared.EVENT_FIELDS)}
"""
_LEASE: Final = "UPDATE event_turn SET lease_until = ? WHERE org_id = ? AND meeting_id = ?"
_END_TURN: Final = "DELETE FROM event_turn WHERE org_id = ? AND meeting_id = ?"
_GIVE_TURN: Final = """
    INSERT INTO event_turn (org_id, meeting_id, app_id, due_at) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET due_at = excluded.due_at, lease_until = NULL
"""
_WRITE: Final = (
    f"UPDATE event SET {', '.join(f'{field} = ?' for field in shared.CHANGING)} WHERE org_id = ? AND id = ?"
)
_ONE: Final = f"SELECT {shared.EVENT} FROM event e WHERE e.org_id = ? AND e.id = ?"
_LEASED: Final = "SELECT org_id, meeting_id FROM event_turn WHERE lease_until <= ?"
_FREE_EVENT: Final = (
    "UPDATE event SET state = 'pending'"
    " WHERE org_id = ? AND meeting_id = ? AND ended_at IS NULL AND state = 'sending'"
)
_FREE_TURN: Final = "UPDATE event_turn SET lease_until = NULL WHERE org_id = ? AND meeting_id = ?"
_OVERDUE: Final = """
    SELECT org_id, id FROM event WHERE state = 'pending' AND give_up_at <= ? ORDER BY give_up_at LIMIT ?
"""
_CLOSE: Final = "UPDATE app SET callback_gone_at = ? WHERE app_id = ? AND callback_url = ?"
_FOREVER: Final = (1 << 53) - 1  # later than any lease of any process


class Events:
    """The part of the storage that the sender of events uses."""

    _path: str
    _reader: sqlite3.Connection
    _writer: Writer
    _turns_freed = False  # whether the leases of an earlier process are over with

    async def waiting_apps(self) -> list[tuple[int, int]]:
        with snapshot(self._reader) as reader:
            return list(reader.execute(_WAITING))

    async def begin_events(self, rooms: Sequence[tuple[int, int]], *, now: int, lease_ms: int) -> list[Event]:
        def work(connection: sqlite3.Connection) -> list[Event]:
            begun: list[Event] = []
            for app_id, room in rooms:
                for turn in connection.execute(_DUE, (app_id, now, room)).fetchall():
                    row = connection.execute(_FIRST, turn).fetchone()
                    if row is None:
                        connection.execute(_END_TURN, turn)
                        continue
                    first = shared.event(row)
                    row = connection.execute(_BEGIN, (now, first.org_id, first.id)).fetchone()
                    connection.execute(_LEASE, (_monotonic() + lease_ms, *turn))
                    begun.append(shared.event(row))
            return begun

        return await self._writer.run(work, background=True) if rooms else []

    async def amend_events(self, amendments: Sequence[tuple[int, int, AmendEvent]]) -> list[Event | None]:
        def work(connection: sqlite3.Connection) -> list[Event | None]:
            written: list[Event | None] = []
            for org_id, event_id, amend in amendments:
                row = connection.execute(_ONE, (org_id, event_id)).fetchone()
                after = amend(shared.event(row)) if row else None
                if after is not None:
                    values = (getattr(after, field) for field in shared.CHANGING)
                    connection.execute(_WRITE, (*values, org_id, event_id))
                    _give_turn(connection, after)
                written.append(after)
            return written

        return await self._writer.run(work) if amendments else []

    async def rescue_events(self) -> int:
        over = _monotonic() if self._turns_freed else _FOREVER
        with snapshot(self._reader) as reader:
            found = reader.execute(f"{_LEASED} LIMIT 1", (over,)).fetchone()
        rescued = 0
        if found:

            def free(connection: sqlite3.Connection) -> int:
                turns = connection.execute(_LEASED, (over,)).fetchall()
                connection.executemany(_FREE_EVENT, turns)
                connection.executemany(_FREE_TURN, turns)
                return len(turns)

            rescued = await self._writer.run(free)
        self._turns_freed = True
        return rescued

    async def overdue_events(self, *, before: int, limit: int) -> list[tuple[int, int]]:
        with snapshot(self._reader) as reader:
            return list(reader.execute(_OVERDUE, (before, limit)))

    async def events(self, wanted: EventsWanted) -> list[Event]:
        conditions = shared.conditions(wanted)
        where = " AND ".join(["e.id < :below", *(f"e.{name} = :{name}" for name in conditions)])
        statement = f"SELECT {shared.EVENT} FROM event e WHERE {where} ORDER BY e.id DESC LIMIT :limit"
        values = {**conditions, "below": shared.below(wanted), "limit": wanted.limit}

        def look() -> list[Event]:
            with apart(self._path) as reader:
                return list(map(shared.event, reader.execute(statement, values)))

        return await asyncio.to_thread(look)  # no index has them in this order: it may go through all of them

    async def event(self, org_id: int, event_id: int) -> Event | None:
        with snapshot(self._reader) as reader:
            row = reader.execute(_ONE, (org_id, event_id)).fetchone()
        return shared.event(row) if row else None

    async def close_callback(self, app_id: int, url: str, *, now: int) -> None:
        await self._writer.run(lambda connection: connection.execute(_CLOSE, (now, app_id, url)).rowcount)


def _give_turn(connection: sqlite3.Connection, amended: Event) -> None:
    """To the first event of the meeting that has not ended; one that is under way keeps its lease."""
    key = (amended.org_id, amended.meeting_id)
    row = connection.execute(_FIRST, key).fetchone()
    if row is None:
        connection.execute(_END_TURN, key)
        return
    first = shared.event(row)
    under_way = connection.execute(
        "SELECT 1 FROM event e WHERE e.org_id = ? AND e.meeting_id = ? AND e.ended_at IS NULL"
        " AND e.state = 'sending' LIMIT 1",
        key,
    ).fetchone()
    if not under_way:
        connection.execute(_GIVE_TURN, (*key, first.app_id, first.due_at))


def _monotonic() -> int:
    return time.monotonic_ns() // 1_000_000
