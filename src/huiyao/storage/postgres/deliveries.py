"""Deliveries: taken to be sent, looked at and written in one transaction; what comes back; what operators see.

Any number of senders at once: each takes what no other holds, then locks the people, so that two texts to one person
are looked at one after the other, and then reads what it looks at. Leases run by the database's clock.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import msgspec

from huiyao.model import Delivery, Inbound
from huiyao.rules import timing
from huiyao.rules.deliver import Sight
from huiyao.storage import deliveries as shared
from huiyao.storage.contract import Amend, Begun, Look, Queue, Wanted
from huiyao.storage.postgres import rows, telling
from huiyao.storage.postgres.connections import TRANSIENT, Connection, Connections, columns

T = TypeVar("T")

CONNECTIONS: Final = 4

_CLOCK: Final = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_NEXT_DUE: Final = "SELECT min(due_at) FROM delivery WHERE channel = $1 AND state = 'pending'"
_TAKE: Final = """
    SELECT org_id, id, uid FROM delivery WHERE channel = $1 AND state = 'pending' AND due_at <= $2
    ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
"""
_LAST_OUTCOMES: Final = shared.LAST_OUTCOMES.format(limit="$1")
_LOCK_PEOPLE: Final = f"""
    SELECT FROM {rows.unnest(("org_id", "uid"))} JOIN person p ON p.org_id = given.org_id AND p.uid = given.uid
    ORDER BY p.org_id, p.uid FOR NO KEY UPDATE OF p
"""
# LATERAL and OFFSET 0 keep the planner from looking people and meetings up by the organisation alone.
_SIGHTS: Final = f"""
    SELECT {rows.DELIVERY}, {rows.MEETING}, {rows.ATTENDEE}, {shared.SEEN.format(day_ago="$1")}
    FROM {rows.unnest(("org_id", "id"), first=2)}
    JOIN delivery d ON d.org_id = given.org_id AND d.id = given.id
    CROSS JOIN LATERAL (SELECT * FROM meeting WHERE org_id = d.org_id AND id = d.meeting_id OFFSET 0) m
    CROSS JOIN LATERAL (
        SELECT * FROM attendee WHERE org_id = d.org_id AND meeting_id = d.meeting_id AND uid = d.uid OFFSET 0
    ) a
    JOIN org o ON o.org_id = d.org_id
    LEFT JOIN person p ON p.org_id = d.org_id AND p.uid = d.uid
    ORDER BY d.due_at, d.id
"""
_WRITE: Final = f"""
    UPDATE delivery d SET {", ".join(f"{field} = given.{field}" for field in shared.CHANGING)},
        lease_until = CASE given.state WHEN 'sending' THEN {_CLOCK} + $1::bigint END
    FROM {rows.unnest(("org_id", "id", *shared.CHANGING), first=2)}
    WHERE d.org_id = given.org_id AND d.id = given.id
"""
_LOCK: Final = f"""
    SELECT {rows.DELIVERY} FROM {rows.unnest(("org_id", "id"))}
    JOIN delivery d ON d.org_id = given.org_id AND d.id = given.id
    ORDER BY d.org_id, d.id FOR UPDATE OF d
"""
_RESCUE: Final = f"""
    UPDATE delivery d SET state = 'pending', lease_until = NULL, due_at = greatest(due_at, sent_at + $1::bigint)
    FROM (SELECT org_id, id FROM delivery WHERE state = 'sending' AND lease_until <= {_CLOCK}
        FOR UPDATE SKIP LOCKED) AS lost
    WHERE d.org_id = lost.org_id AND d.id = lost.id
    RETURNING d.id
"""
_ONE: Final = f"SELECT {rows.DELIVERY} FROM delivery d WHERE d.org_id = $1 AND d.id = $2"
_PEOPLE: Final = "SELECT org_id, uid FROM person WHERE mobile = $1 AND mobile <> '' LIMIT 2"
_ANSWERABLE: Final = f"""
    SELECT {rows.DELIVERY} FROM delivery d
    WHERE d.org_id = $1 AND d.uid = $2 AND d.sent_at >= $3 AND d.address = $4
        AND (d.uncertain > 0 OR d.state IN ('sent', 'delivered')) AND d.kind = ANY($5::text[])
    ORDER BY d.sent_at DESC, d.id DESC LIMIT 1
"""
_INBOUND: Final = ", ".join(Inbound.__struct_fields__)
_RECORD: Final = f"INSERT INTO inbound ({_INBOUND}) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"
_INBOUNDS: Final = f"SELECT {_INBOUND} FROM inbound ORDER BY at DESC, id DESC LIMIT $1"
_QUEUES: Final = """
    SELECT 'inbox', kind, count(*), min(due_at) FROM task WHERE due_at <= $1 GROUP BY kind
    UNION ALL
    SELECT channel, kind, count(*), min(created_at) FROM delivery WHERE state = 'pending' GROUP BY channel, kind
    UNION ALL
    SELECT 'callback', type::text, count(*), min(at) FROM event WHERE state = 'pending' GROUP BY type
"""
# Each with the one moment that it needs.
_PRUNE: Final = tuple(
    (
        f"""
        DELETE FROM {table} gone USING (
            SELECT {", ".join(key)} FROM {table} WHERE {old.format(now="$1", ended_before="$1")}
            LIMIT {shared.PRUNED_AT_ONCE} FOR UPDATE SKIP LOCKED
        ) AS old WHERE {" AND ".join(f"gone.{name} = old.{name}" for name in key)}
        """,
        "{now}" in old,
    )
    for table, key, old in shared.PRUNED
)


class Deliveries:
    """The part of the storage that senders use."""

    _reads: Connections
    _sending: Connections

    async def begin_deliveries(
        self, channel: str, *, now: int, room: int, look_at: int, lease_ms: int, look: Look
    ) -> Begun:
        async def work(connection: Connection) -> Begun:
            taken = await connection.fetch(_TAKE, channel, now, look_at)
            found: list[tuple[Delivery, Sight]] = []
            if taken:
                people = sorted({(row[0], row[2]) for row in taken})
                await connection.fetch(_LOCK_PEOPLE, *columns(people))
                keys = [(row[0], row[1]) for row in taken]
                seen = await connection.fetch(_SIGHTS, now - timing.DAY_MS, *columns(keys))
                found = shared.look_through(
                    (shared.sight(tuple(row), rows.delivery, rows.meeting, rows.attendee) for row in seen),
                    room=room,
                    look=look,
                )
                await _write(connection, [delivery for delivery, _ in found], lease_ms=lease_ms)
                await telling.write_failures(connection, [delivery for delivery, _ in found])
            due: int | None = await connection.fetchval(_NEXT_DUE, channel)
            return shared.begun(found, due=due, now=now)

        return await self._transact(work)

    async def amend_deliveries(self, amendments: Sequence[tuple[int, int, Amend]]) -> list[Delivery | None]:
        async def work(connection: Connection) -> list[Delivery | None]:
            keys = sorted({(org_id, delivery_id) for org_id, delivery_id, _ in amendments})
            locked = await connection.fetch(_LOCK, *columns(keys))
            found = {(one.org_id, one.id): one for one in (rows.delivery(tuple(row)) for row in locked)}
            written: list[Delivery | None] = []
            changed: dict[tuple[int, int], Delivery] = {}
            for org_id, delivery_id, amend in amendments:
                before = found.get((org_id, delivery_id))
                after = amend(before) if before else None
                if after is not None:
                    found[org_id, delivery_id] = changed[org_id, delivery_id] = after
                written.append(after)
            await _write(connection, list(changed.values()), lease_ms=0)
            await telling.write_failures(connection, list(changed.values()))
            return written

        return await self._transact(work) if amendments else []

    async def rescue_deliveries(self, *, wait_ms: int) -> int:
        return len(await self._sending.fetch(_RESCUE, wait_ms))

    async def deliveries(self, wanted: Wanted) -> list[Delivery]:
        conditions = shared.conditions(wanted)
        numbered = (f"d.{name} = ${number}" for number, name in enumerate(conditions, start=3))
        where = " AND ".join(["d.id < $2", *numbered])
        statement = f"SELECT {rows.DELIVERY} FROM delivery d WHERE {where} ORDER BY d.id DESC LIMIT $1"
        found = await self._reads.fetch(statement, wanted.limit, shared.below(wanted), *conditions.values())
        return [rows.delivery(tuple(row)) for row in found]

    async def delivery(self, org_id: int, delivery_id: int) -> Delivery | None:
        row = await self._reads.fetch_row(_ONE, org_id, delivery_id)
        return rows.delivery(tuple(row)) if row else None

    async def last_outcomes(self, *, limit: int) -> list[str]:
        return [row[0] for row in await self._reads.fetch(_LAST_OUTCOMES, limit)]

    async def answerable(
        self, number: str, *, kinds: Sequence[str], since: int
    ) -> tuple[Sequence[tuple[int, str]], Delivery | None]:
        people = [(row[0], row[1]) for row in await self._reads.fetch(_PEOPLE, number)]
        if len(people) != 1:
            return people, None
        row = await self._reads.fetch_row(_ANSWERABLE, *people[0], since, number, list(kinds))
        return people, rows.delivery(tuple(row)) if row else None

    async def record_inbound(self, inbound: Inbound) -> None:
        await self._reads.fetch(_RECORD, *msgspec.structs.astuple(inbound))

    async def inbounds(self, *, limit: int) -> list[Inbound]:
        return [Inbound(**dict(row)) for row in await self._reads.fetch(_INBOUNDS, limit)]

    async def queues(self, *, now: int) -> list[Queue]:
        return [Queue(*row) for row in await self._sending.fetch(_QUEUES, now)]

    async def prune(self, *, now: int, ended_before: int) -> int:
        async def work(connection: Connection) -> int:
            moments = ((statement, now if at_now else ended_before) for statement, at_now in _PRUNE)
            tags = [await connection.execute(statement, moment) for statement, moment in moments]
            return sum(int(tag.rpartition(" ")[2]) for tag in tags)

        return await self._transact(work)

    async def _transact(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Once more where it met a deadlock."""
        for passing in (TRANSIENT, ()):
            try:
                async with self._sending.transaction(passing=passing) as connection:
                    return await work(connection)
            except TRANSIENT:
                continue
        raise AssertionError("unreachable")


async def _write(connection: Connection, deliveries: Sequence[Delivery], *, lease_ms: int) -> None:
    if deliveries:
        given = [
            (one.org_id, one.id, *(getattr(one, field) for field in shared.CHANGING)) for one in deliveries
        ]
        await connection.execute(_WRITE, lease_ms, *columns(given))
