"""The PostgreSQL backend, on asyncpg: any number of processes on one database."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from huiyao import errors
from huiyao.rules.change import Change
from huiyao.storage.contract import IDS_AHEAD, Decide, Expanded, Missed, Progress, Verdict
from huiyao.storage.postgres import deliveries, expand, ids, xids
from huiyao.storage.postgres.commit import Committer, Queue
from huiyao.storage.postgres.connections import DRIVER_ERRORS, Connections
from huiyao.storage.postgres.deliveries import Deliveries
from huiyao.storage.postgres.directory import Directory
from huiyao.storage.postgres.events import Events
from huiyao.storage.postgres.history import History
from huiyao.storage.postgres.inbox import Inbox
from huiyao.storage.postgres.live import Live
from huiyao.storage.postgres.meetings import Meetings
from huiyao.storage.postgres.people import People
from huiyao.storage.postgres.sealed import Sealed
from huiyao.storage.postgres.sessions import Sessions
from huiyao.storage.postgres.signals import TASKS, Listener, Notifier
from huiyao.storage.postgres.workbench import Workbench
from huiyao.storage.postgres.write import write_attendees, write_organizers

DAY_MS: Final = 86_400_000
_AHEAD: Final = (
    "SELECT setval('huiyao_id', nextval('huiyao_id') + $1::bigint),"
    " setval('huiyao_event', nextval('huiyao_event') + $1::bigint)"
)
# Two, so that one prepares its batch while the database works on the other's.
ORGANIZERS_COMMITTERS: Final = 2
ATTENDEES_COMMITTERS: Final = 1


class Postgres(
    Meetings, Inbox, History, Live, Deliveries, Events, Workbench, Sessions, People, Sealed, Directory
):
    """`storage.contract.Storage` on PostgreSQL. Made by `open_postgres`."""

    backend = "postgresql"

    def __init__(self, url: str, *, max_waiting: int, pool_size: int) -> None:
        self._url = url
        self._reads = Connections(url, pool_size)
        self._dispatch = Connections(url, expand.CONNECTIONS)
        self._sending = Connections(url, deliveries.CONNECTIONS, replanning=True)
        self._expander = expand.Expander(self._dispatch)
        self._organizers = Queue(max_waiting)
        self._attendees = Queue(max_waiting)
        self._notifier = Notifier(url)
        self._wakes: list[Callable[[], None]] = []
        self._watching: list[Callable[[], None]] = []
        committers = [
            Committer(url, queue, write=write, committed=self._on_committed)
            for queue, write, count in (
                (self._organizers, write_organizers, ORGANIZERS_COMMITTERS),
                (self._attendees, write_attendees, ATTENDEES_COMMITTERS),
            )
            for _ in range(count)
        ]
        self._committing = [asyncio.create_task(one.run()) for one in committers]
        self._signalling = [asyncio.create_task(self._notifier.run())]

    async def close(self) -> None:
        self._organizers.close()
        self._attendees.close()
        await asyncio.gather(*self._committing)
        for task in self._signalling:
            task.cancel()
        await asyncio.gather(*self._signalling, return_exceptions=True)
        await self._reads.close()
        await self._dispatch.close()
        await self._sending.close()
        await asyncio.sleep(0)  # connections cut off above are let go of in the loop's next turn

    async def commit(self, change: Change) -> Verdict:
        queue = self._organizers if change.attendee_before is None else self._attendees
        return await queue.put(change)

    async def reserve_ids(self, count: int) -> range:
        return await ids.reserve(self._reads, count)

    async def expand(self, *, now: int, rows: int, decide: Decide, missed: Missed) -> Expanded:
        done = await self._expander.expand(now=now, rows=rows, decide=decide, missed=missed)
        if done.messages or done.tasks:
            self._on_feed()
        return done

    async def beat(self, node: str, *, now: int) -> None:
        await self._reads.fetch(
            "WITH old AS (DELETE FROM heartbeat WHERE at < $3 AND node <> $1)"
            " INSERT INTO heartbeat (node, at) VALUES ($1, $2) ON CONFLICT (node) DO UPDATE SET at = excluded.at",
            node,
            now,
            now - DAY_MS,
        )

    async def last_beat(self) -> int | None:
        row = await self._reads.fetch_row("SELECT max(at) FROM heartbeat")
        return row[0] if row else None

    async def listen(self, wake: Callable[[], None]) -> None:
        self._wakes.append(wake)
        self._signalling.append(asyncio.create_task(Listener(self._url, wake, channel=TASKS).run()))

    async def ping(self) -> None:
        await self._reads.fetch("SELECT 1")

    async def schema_version(self) -> str | None:
        # Asked for first: a statement that fails is an error in the log.
        there = await self._reads.fetch_row("SELECT to_regclass('alembic_version') IS NOT NULL")
        if there is None or not there[0]:
            return None
        row = await self._reads.fetch_row("SELECT version_num FROM alembic_version")
        return row[0] if row else None

    async def setting(self, name: str) -> str | None:
        row = await self._reads.fetch_row("SELECT value FROM setting WHERE name = $1", name)
        return row[0] if row else None

    async def keep_setting(self, name: str, value: str) -> str:
        await self._reads.fetch(
            "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", name, value
        )
        row = await self._reads.fetch_row("SELECT value FROM setting WHERE name = $1", name)
        return row[0] if row else value

    async def restored(self, *, progress: Progress) -> None:
        await self._reads.fetch(_AHEAD, IDS_AHEAD)
        try:
            await xids.count_on(self._url, progress=progress)
        except DRIVER_ERRORS as error:
            raise self._reads.failure(error) from error

    async def backup(self, path: str) -> None:
        raise errors.OperatorError(f"PostgreSQL is backed up with its own pg_dump, not into {path}.")

    def _on_committed(self, changes: Sequence[Change]) -> None:
        if any(change.tasks for change in changes):
            self._notifier.notify(TASKS)
            for wake in self._wakes:
                wake()
        self._on_feed()


async def open_postgres(url: str, *, max_waiting: int = 2_000, pool_size: int = 10) -> Postgres:
    """Open the database at this URL. Connects when first used, so it opens while the server is away too."""
    return Postgres(url, max_waiting=max_waiting, pool_size=pool_size)
