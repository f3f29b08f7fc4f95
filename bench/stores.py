"""The reference's two databases: one writer each, what waits is committed together, in the plainest code."""

import asyncio
import queue
import sqlite3
import threading
from typing import Any

import asyncpg

from huiyao.storage.postgres import meetings as postgres_sql
from huiyao.storage.sqlite import reads as sqlite_sql

Rows = dict[str, list[tuple[Any, ...]]]
COLUMNS = {
    "meeting": "org_id id app_id organizer_uid organizer_name content address begin_at end_at remind_min"
    " remind_type push_status sequence moved_sequence ical_uid create_time created_at updated_at cancelled_at"
    " nudged_at size",
    "attendee": "org_id meeting_id uid name position organizer msg_status remind reply read_at answered_at"
    " card_removed_at removed_at membership invited_sequence removed_sequence quiet begin_at end_at link_id",
    "history": "org_id id meeting_id at app_id actor_uid kind change",
    "task": "org_id id due_at kind meeting_id sequence dedup_key topic since_at old resume_uid",
}
TEXTS = (
    "organizer_uid organizer_name content address ical_uid uid name reply actor_uid kind change dedup_key"
    " topic old resume_uid"
)


def finish(waiting: list[asyncio.Future[None]]) -> None:
    for one in waiting:
        one.set_result(None)


class Sqlite:
    """Reads on the event loop, one writer thread, what waits is committed together."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.waiting: queue.SimpleQueue[tuple[Rows, asyncio.Future[None]]] = queue.SimpleQueue()
        self.reader = self.connect()
        self.loop = asyncio.get_running_loop()
        threading.Thread(target=self.write, daemon=True).start()

    def connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON")
        return connection

    async def rows(self, sql: str, *values: object) -> list[Any]:
        return self.reader.execute(sql.format(*"??????"), values).fetchall()

    async def whole_meeting(self, *key: int) -> tuple[Any, list[Any]]:
        people = self.reader.execute(sqlite_sql._ATTENDEES, key)
        return self.reader.execute(sqlite_sql._MEETING, key).fetchone(), people.fetchall()

    async def insert(self, rows: Rows) -> None:
        done = self.loop.create_future()
        self.waiting.put((rows, done))
        await done

    def write(self) -> None:
        connection = self.connect()
        while True:
            batch = [self.waiting.get()]
            while not self.waiting.empty():
                batch.append(self.waiting.get())
            connection.execute("BEGIN IMMEDIATE")
            xid = connection.execute(
                "UPDATE counter SET value = value + 1 WHERE name = 'xid' RETURNING value"
            ).fetchone()
            for table, columns in COLUMNS.items():
                names = columns.split()
                rows = [row for one, _ in batch for row in one[table]]
                if table == "history":
                    names, rows = [*names, "xid"], [(*row, *xid) for row in rows]
                marks = ",".join("?" * len(names))
                connection.executemany(f"INSERT INTO {table} ({','.join(names)}) VALUES ({marks})", rows)
            connection.execute("COMMIT")
            self.loop.call_soon_threadsafe(finish, [done for _, done in batch])


class Postgres:
    """A pool for reads, one committer, one unnest statement per table and batch."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self.pool = pool
        self.waiting: asyncio.Queue[tuple[Rows, asyncio.Future[None]]] = asyncio.Queue()
        self.task = asyncio.get_running_loop().create_task(self.write())

    async def rows(self, sql: str, *values: object) -> list[Any]:
        return await self.pool.fetch(sql.format("$1", "$2", "$3"), *values)

    async def whole_meeting(self, *key: int) -> tuple[Any, list[Any]]:
        row = await self.pool.fetchrow(postgres_sql._WHOLE_MEETING, *key)
        assert row
        return row, list(zip(*row[postgres_sql._WIDTH :], strict=True))

    async def insert(self, rows: Rows) -> None:
        done = asyncio.get_running_loop().create_future()
        self.waiting.put_nowait((rows, done))
        await done

    async def write(self) -> None:
        async with self.pool.acquire() as connection:
            while True:
                batch = [await self.waiting.get()]
                while not self.waiting.empty():
                    batch.append(self.waiting.get_nowait())
                async with connection.transaction():
                    for table, columns in COLUMNS.items():
                        names = columns.split()
                        casts = [
                            f"${n}::{'text' if c in TEXTS.split() else 'bigint'}[]"
                            for n, c in enumerate(names, 1)
                        ]
                        xid = (
                            ("", "")
                            if table != "history"
                            else (", xid", ", pg_current_xact_id()::text::bigint")
                        )
                        lists = zip(*(row for one, _ in batch for row in one[table]), strict=True)
                        into = f"INSERT INTO {table} ({','.join(names)}{xid[0]})"
                        await connection.execute(
                            f"{into} SELECT *{xid[1]} FROM unnest({','.join(casts)})", *map(list, lists)
                        )
                finish([done for _, done in batch])
