"""Events for apps: taken in turn, what became of them, and what operators see.

Any number of senders at once: each takes turns that no other holds. Whoever writes an event holds its meeting's turn,
and the turn is given on in the same transaction, after the lock: what another has just committed is seen then. Leases
run by the database's clock.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from huiyao.model import Event
from huiyao.storage import events as shared
from huiyao.storage.event_contract import AmendEvent, EventsWanted
from huiyao.storage.postgres import rows
from huiyao.storage.postgres.connections import TRANSIENT, Connection, Connections, columns

T = TypeVar("T")

_CLOCK: Final = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_WAITING: Final = """
    SELECT b.app_id, turn.due_at FROM app b, LATERAL (
        SELECT t.due_at FROM event_turn t WHERE t.app_id = b.app_id AND t.lease_until IS NULL
        ORDER BY t.due_at LIMIT 1
    ) AS turn
"""
_DUE: Final = """
    SELECT org_id, meeting_id FROM event_turn WHERE app_id = $1 AND lease_until IS NULL AND due_at <= $2
    ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
"""
# The first event of a meeting `given` that has not ended.
_FIRST: Final = """LATERAL (
    SELECT o.id, o.app_id, o.due_at FROM event o
    WHERE o.org_id = given.org_id AND o.meeting_id = given.meeting_id AND o.ended_at IS NULL
    ORDER BY o.id LIMIT 1
)"""
_BEGIN: Final = f"""
    UPDATE event e SET state = 'sending', attempt = e.attempt + 1, sent_at = $1
    FROM {rows.unnest(("org_id", "meeting_id"), first=2)}, {_FIRST} AS head
    WHERE e.org_id = given.org_id AND e.id = head.id RETURNING {shared.EVENT}
"""
_LEASE: Final = f"""
    UPDATE event_turn t SET lease_until = {_CLOCK} + $1::bigint
    FROM {rows.unnest(("org_id", "meeting_id"), first=2)}
    WHERE t.org_id = given.org_id AND t.meeting_id = given.meeting_id
"""
_MEETINGS: Final = f"""
    SELECT DISTINCT e.org_id, e.meeting_id, e.app_id, e.due_at FROM {rows.unnest(("org_id", "id"))}
    JOIN event e ON e.org_id = given.org_id AND e.id = given.id
"""
# There may be none where an event that has ended is to be replayed.
_LOCK_TURNS: Final = f"""
    INSERT INTO event_turn AS turn (org_id, meeting_id, app_id, due_at)
    SELECT * FROM {rows.unnest(("org_id", "meeting_id", "app_id", "due_at"))} ORDER BY 1, 2
    ON CONFLICT (org_id, meeting_id) DO UPDATE SET due_at = turn.due_at
"""
_READ: Final = f"""
    SELECT {shared.EVENT} FROM {rows.unnest(("org_id", "id"))}
    JOIN event e ON e.org_id = given.org_id AND e.id = given.id
"""
_WRITE: Final = f"""
    UPDATE event e SET {", ".join(f"{field} = given.{field}" for field in shared.CHANGING)}
    FROM {rows.unnest(("org_id", "id", *shared.CHANGING))}
    WHERE e.org_id = given.org_id AND e.id = given.id
"""
_END_TURNS: Final = f"""
    DELETE FROM event_turn t USING {rows.unnest(("org_id", "meeting_id"))}
    WHERE t.org_id = given.org_id AND t.meeting_id = given.meeting_id AND NOT EXISTS (
        SELECT FROM event o WHERE o.org_id = t.org_id AND o.meeting_id = t.meeting_id AND o.ended_at IS NULL
        OFFSET 0)
"""
# One that is under way keeps its lease.
_GIVE_TURNS: Final = f"""
    UPDATE event_turn t SET due_at = head.due_at, lease_until = NULL
    FROM {rows.unnest(("org_id", "meeting_id"))}, {_FIRST} AS head
    WHERE t.org_id = given.org_id AND t.meeting_id = given.meeting_id AND NOT EXISTS (
        SELECT FROM event o WHERE o.org_id = t.org_id AND o.meeting_id = t.meeting_id AND o.ended_at IS NULL
            AND o.state = 'sending' OFFSET 0)
"""
_RESCUE: Final = f"""
    WITH lost AS (
        SELECT org_id, meeting_id FROM event_turn WHERE lease_until <= {_CLOCK} FOR UPDATE SKIP LOCKED
    ), freed AS (
        UPDATE event e SET state = 'pending' FROM lost
        WHERE e.org_id = lost.org_id AND e.meeting_id = lost.meeting_id AND e.ended_at IS NULL
            AND e.state = 'sending'
    )
    UPDATE event_turn t SET lease_until = NULL FROM lost
    WHERE t.org_id = lost.org_id AND t.meeting_id = lost.meeting_id RETURNING t.org_id
"""
_OVERDUE: Final = """
    SELECT org_id, id FROM event WHERE state = 'pending' AND give_up_at <= $1 ORDER BY give_up_at LIMIT $2
"""
_ONE: Final = f"SELECT {shared.EVENT} FROM event e WHERE e.org_id = $1 AND e.id = $2"
_CLOSE: Final = "UPDATE app SET callback_gone_at = $3 WHERE app_id = $1 AND callback_url = $2"


class Events:
    """The part of the storage that the sender of events uses."""

    _reads: Connections
    _sending: Connections

    async def waiting_apps(self) -> list[tuple[int, int]]:
        return [(row[0], row[1]) for row in await self._sending.fetch(_WAITING)]

    async def begin_events(self, rooms: Sequence[tuple[int, int]], *, now: int, lease_ms: int) -> list[Event]:
        async def work(connection: Connection) -> list[Event]:
            begun: list[Event] = []
            for app_id, room in rooms:
                turns = [tuple(row) for row in await connection.fetch(_DUE, app_id, now, room)]
                if turns:
                    found = await connection.fetch(_BEGIN, now, *columns(turns))
                    await connection.execute(_LEASE, lease_ms, *columns(turns))
                    await connection.execute(_END_TURNS, *columns(turns))
                    begun += (shared.event(tuple(row)) for row in found)
            return begun

        return await self._in_transaction(work) if rooms else []

    async def amend_events(self, amendments: Sequence[tuple[int, int, AmendEvent]]) -> list[Event | None]:
        async def work(connection: Connection) -> list[Event | None]:
            keys = sorted({(org_id, event_id) for org_id, event_id, _ in amendments})
            about = {
                (row[0], row[1]): tuple(row) for row in await connection.fetch(_MEETINGS, *columns(keys))
            }
            if not about:
                return [None for _ in amendments]
            turns = columns([about[key] for key in sorted(about)])
            await connection.execute(_LOCK_TURNS, *turns)
            read = (shared.event(tuple(row)) for row in await connection.fetch(_READ, *columns(keys)))
            found = {(one.org_id, one.id): one for one in read}
            written: list[Event | None] = []
            changed: dict[tuple[int, int], Event] = {}
            for org_id, event_id, amend in amendments:
                before = found.get((org_id, event_id))
                after = amend(before) if before else None
                if after is not None:
                    found[org_id, event_id] = changed[org_id, event_id] = after
                written.append(after)
            if changed:
                values = [
                    (*key, *(getattr(one, field) for field in shared.CHANGING))
                    for key, one in sorted(changed.items())
                ]
                await connection.execute(_WRITE, *columns(values))
            await connection.execute(_END_TURNS, *turns[:2])
            await connection.execute(_GIVE_TURNS, *turns[:2])
            return written

        return await self._in_transaction(work) if amendments else []

    async def rescue_events(self) -> int:
        return len(await self._sending.fetch(_RESCUE))

    async def overdue_events(self, *, before: int, limit: int) -> list[tuple[int, int]]:
        return [(row[0], row[1]) for row in await self._sending.fetch(_OVERDUE, before, limit)]

    async def events(self, wanted: EventsWanted) -> list[Event]:
        conditions = shared.conditions(wanted)
        numbered = (f"e.{name} = ${number}" for number, name in enumerate(conditions, start=3))
        where = " AND ".join(["e.id < $2", *numbered])
        statement = f"SELECT {shared.EVENT} FROM event e WHERE {where} ORDER BY e.id DESC LIMIT $1"
        found = await self._reads.fetch(statement, wanted.limit, shared.below(wanted), *conditions.values())
        return [shared.event(tuple(row)) for row in found]

    async def event(self, org_id: int, event_id: int) -> Event | None:
        row = await self._reads.fetch_row(_ONE, org_id, event_id)
        return shared.event(tuple(row)) if row else None

    async def close_callback(self, app_id: int, url: str, *, now: int) -> None:
        await self._reads.fetch(_CLOSE, app_id, url, now)

    async def _in_transaction(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Once more where it met a deadlock."""
        for passing in (TRANSIENT, ()):
            try:
                async with self._sending.transaction(passing=passing) as connection:
                    return await work(connection)
            except TRANSIENT:
                continue
        raise AssertionError("unreachable")
