"""Deliveries: taken to be sent, looked at and written in one transaction; what comes back; what operators see.

Writes are serial, so nothing needs a lock, and only one process sends: leases are told by its monotonic clock, and
those that an earlier process left behind are over.
"""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Final

import msgspec

from huiyao.model import Delivery, DeliveryState, Inbound
from huiyao.rules import timing
from huiyao.storage import deliveries as shared
from huiyao.storage.contract import Amend, Begun, Look, Queue, Wanted
from huiyao.storage.sqlite import rows, telling
from huiyao.storage.sqlite.reads import apart, failure, snapshot
from huiyao.storage.sqlite.writer import Writer, connect

_NEXT_DUE: Final = "SELECT min(due_at) FROM delivery WHERE channel = ? AND state = 'pending'"
_LEASED: Final = "SELECT 1 FROM delivery WHERE state = 'sending' AND lease_until <= ? LIMIT 1"
_RESCUE: Final = (
    "UPDATE delivery SET state = 'pending', lease_until = NULL, due_at = max(due_at, sent_at + ?)"
    " WHERE state = 'sending' AND lease_until <= ?"
)
_FOREVER: Final = (1 << 53) - 1  # later than any lease of any process
# CROSS JOIN keeps the order: the deliveries by their moments, then what belongs to each.
SIGHTS: Final = f"""
    SELECT {rows.DELIVERY}, {rows.MEETING}, {rows.ATTENDEE}, {shared.SEEN.format(day_ago=":day_ago")}
    FROM delivery d
    CROSS JOIN meeting m ON m.org_id = d.org_id AND m.id = d.meeting_id
    CROSS JOIN attendee a ON a.org_id = d.org_id AND a.meeting_id = d.meeting_id AND a.uid = d.uid
    CROSS JOIN org o ON o.org_id = d.org_id
    LEFT JOIN person p ON p.org_id = d.org_id AND p.uid = d.uid
    WHERE d.channel = :channel AND d.state = 'pending' AND d.due_at <= :now
    ORDER BY d.due_at, d.rowid LIMIT :look_at
"""
_WRITTEN: Final = (*shared.CHANGING, "lease_until")
_WRITE: Final = (
    f"UPDATE delivery SET {', '.join(f'{field} = ?' for field in _WRITTEN)} WHERE org_id = ? AND id = ?"
)
_ONE: Final = f"SELECT {rows.DELIVERY} FROM delivery d WHERE d.org_id = ? AND d.id = ?"
_LAST_OUTCOMES: Final = shared.LAST_OUTCOMES.format(limit="?")
_PEOPLE: Final = "SELECT org_id, uid FROM person WHERE mobile = ? AND mobile <> '' LIMIT 2"
_ANSWERABLE: Final = f"""
    SELECT {rows.DELIVERY} FROM delivery d
    WHERE d.org_id = ? AND d.uid = ? AND d.sent_at >= ? AND d.address = ?
        AND (d.uncertain > 0 OR d.state IN ('sent', 'delivered')) AND d.kind IN ({{kinds}})
    ORDER BY d.sent_at DESC, d.id DESC LIMIT 1
"""
_INBOUND: Final = Inbound.__struct_fields__
_RECORD: Final = rows.insert("inbound", _INBOUND)
_INBOUNDS: Final = f"SELECT {', '.join(_INBOUND)} FROM inbound ORDER BY at DESC, id DESC LIMIT ?"
_QUEUES: Final = """
    SELECT 'inbox', kind, count(*), min(due_at) FROM task WHERE due_at <= :now GROUP BY kind
    UNION ALL
    SELECT channel, kind, count(*), min(created_at) FROM delivery WHERE state = 'pending' GROUP BY channel, kind
    UNION ALL
    SELECT 'callback', CAST(type AS TEXT), count(*), min(at) FROM event WHERE state = 'pending' GROUP BY type
"""
_PRUNE: Final = tuple(
    f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table}"
    f" WHERE {old.format(now=':now', ended_before=':ended_before')} LIMIT {shared.PRUNED_AT_ONCE})"
    for table, _, old in shared.PRUNED
)


class Deliveries:
    """The part of the storage that senders use."""

    _path: str
    _reader: sqlite3.Connection
    _writer: Writer
    _freed = False  # whether the leases of an earlier process are over with

    async def begin_deliveries(
        self, channel: str, *, now: int, room: int, look_at: int, lease_ms: int, look: Look
    ) -> Begun:
        with snapshot(self._reader) as reader:
            due = _next_due(reader, channel)
        if due is None or due > now:  # idle: nothing is written
            return shared.begun((), due=due, now=now)

        def work(connection: sqlite3.Connection) -> Begun:
            values = {"channel": channel, "now": now, "look_at": look_at, "day_ago": now - timing.DAY_MS}
            seen = connection.execute(SIGHTS, values).fetchall()
            found = shared.look_through(
                (shared.sight(row, rows.delivery, rows.meeting, rows.attendee) for row in seen),
                room=room,
                look=look,
            )
            lease_until = _monotonic() + lease_ms
            _write(connection, [_leased(delivery, lease_until) for delivery, _ in found])
            telling.write_failures(connection, (delivery for delivery, _ in found))
            return shared.begun(found, due=_next_due(connection, channel), now=now)

        return await self._writer.run(work, background=True)

    async def amend_deliveries(self, amendments: Sequence[tuple[int, int, Amend]]) -> list[Delivery | None]:
        def work(connection: sqlite3.Connection) -> list[Delivery | None]:
            written: list[Delivery | None] = []
            for org_id, delivery_id, amend in amendments:
                row = connection.execute(_ONE, (org_id, delivery_id)).fetchone()
                after = amend(rows.delivery(row)) if row else None
                if after is not None:
                    _write(connection, [after])
                    telling.write_failures(connection, [after])
                written.append(after)
            return written

        return await self._writer.run(work)

    async def rescue_deliveries(self, *, wait_ms: int) -> int:
        over = _monotonic() if self._freed else _FOREVER
        with snapshot(self._reader) as reader:
            found = reader.execute(_LEASED, (over,)).fetchone()
        rescued = 0
        if found:
            rescued = await self._writer.run(
                lambda connection: connection.execute(_RESCUE, (wait_ms, over)).rowcount
            )
        self._freed = True
        return rescued

    async def deliveries(self, wanted: Wanted) -> list[Delivery]:
        conditions = shared.conditions(wanted)
        where = " AND ".join(["d.id < :below", *(f"d.{name} = :{name}" for name in conditions)])
        statement = f"SELECT {rows.DELIVERY} FROM delivery d WHERE {where} ORDER BY d.id DESC LIMIT :limit"
        values = {**conditions, "below": shared.below(wanted), "limit": wanted.limit}

        def look() -> list[Delivery]:
            with apart(self._path) as reader:
                return list(map(rows.delivery, reader.execute(statement, values)))

        return await asyncio.to_thread(look)  # no index has them in this order: it may go through all of them

    async def delivery(self, org_id: int, delivery_id: int) -> Delivery | None:
        with snapshot(self._reader) as reader:
            row = reader.execute(_ONE, (org_id, delivery_id)).fetchone()
        return rows.delivery(row) if row else None

    async def last_outcomes(self, *, limit: int) -> list[str]:
        with snapshot(self._reader) as reader:
            return [state for (state,) in reader.execute(_LAST_OUTCOMES, (limit,))]

    async def answerable(
        self, number: str, *, kinds: Sequence[str], since: int
    ) -> tuple[Sequence[tuple[int, str]], Delivery | None]:
        with snapshot(self._reader) as reader:
            people = reader.execute(_PEOPLE, (number,)).fetchall()
            if len(people) != 1:
                return people, None
            statement = _ANSWERABLE.format(kinds=", ".join("?" * len(kinds)))
            row = reader.execute(statement, (*people[0], since, number, *kinds)).fetchone()
        return people, rows.delivery(row) if row else None

    async def record_inbound(self, inbound: Inbound) -> None:
        values = msgspec.structs.astuple(inbound)
        await self._writer.run(lambda connection: connection.execute(_RECORD, values).rowcount)

    async def inbounds(self, *, limit: int) -> list[Inbound]:
        with snapshot(self._reader) as reader:
            found = reader.execute(_INBOUNDS, (limit,)).fetchall()
        return [Inbound(**dict(zip(_INBOUND, row, strict=True))) for row in found]

    async def queues(self, *, now: int) -> list[Queue]:
        def look() -> list[Queue]:
            try:
                with closing(connect(self._path)) as connection:
                    return [Queue(*row) for row in connection.execute(_QUEUES, {"now": now})]
            except sqlite3.Error as error:
                raise failure(error) from error

        return await asyncio.to_thread(look)  # it counts what may be a hundred thousand rows

    async def prune(self, *, now: int, ended_before: int) -> int:
        moments = {"now": now, "ended_before": ended_before}
        return await self._writer.run(
            lambda connection: sum(connection.execute(one, moments).rowcount for one in _PRUNE),
            background=True,
        )


def _monotonic() -> int:
    return time.monotonic_ns() // 1_000_000


def _next_due(connection: sqlite3.Connection, channel: str) -> int | None:
    due: int | None = connection.execute(_NEXT_DUE, (channel,)).fetchone()[0]
    return due


def _leased(delivery: Delivery, lease_until: int) -> Delivery:
    if delivery.state != DeliveryState.SENDING:
        return delivery
    return msgspec.structs.replace(delivery, lease_until=lease_until)


def _write(connection: sqlite3.Connection, deliveries: Sequence[Delivery]) -> None:
    connection.executemany(
        _WRITE, [(*(getattr(one, field) for field in _WRITTEN), one.org_id, one.id) for one in deliveries]
    )
