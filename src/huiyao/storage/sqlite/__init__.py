"""SQLite: one file, one process that serves, one writer thread; reads on the event loop.

What differs from PostgreSQL: writes are serial, so guards need no locks, feeds are ordered by a counter of
transactions, and everything committed is visible.
"""

import sqlite3
from collections.abc import Callable

import msgspec

from huiyao.errors import OperatorError
from huiyao.rules.change import Change
from huiyao.storage.contract import NOTHING_DUE, Decide, Expanded, Missed, Verdict
from huiyao.storage.sqlite import expand
from huiyao.storage.sqlite.deliveries import Deliveries
from huiyao.storage.sqlite.events import Events
from huiyao.storage.sqlite.history import History
from huiyao.storage.sqlite.ids import take_ids
from huiyao.storage.sqlite.live import Live
from huiyao.storage.sqlite.operating import Operating
from huiyao.storage.sqlite.people import People
from huiyao.storage.sqlite.reads import Reads, snapshot
from huiyao.storage.sqlite.sealed import Sealed
from huiyao.storage.sqlite.sessions import Sessions
from huiyao.storage.sqlite.workbench import Workbench
from huiyao.storage.sqlite.writer import Writer, connect


async def open_sqlite(path: str, *, max_waiting: int) -> "Sqlite":
    """The database in this file, which must exist and have its tables. Raises OperatorError."""
    try:
        return Sqlite(path, max_waiting=max_waiting)
    except sqlite3.Error as error:
        raise OperatorError(f"The database file {path} cannot be opened: {error}.") from error


class Sqlite(Reads, History, Workbench, Sessions, Live, Deliveries, Events, People, Sealed, Operating):
    """Keeps `contract.Storage` on a SQLite file."""

    backend = "sqlite"

    def __init__(self, path: str, *, max_waiting: int) -> None:
        self._path = path
        self._reader = connect(path)
        self._writer = Writer(path, max_waiting=max_waiting)
        self._watching = []
        self._writer.on_commits(self._on_feed)

    async def close(self) -> None:
        await self._writer.close()
        self._reader.close()

    async def commit(self, change: Change) -> Verdict:
        return await self._writer.commit(change)

    async def reserve_ids(self, count: int) -> range:
        first = await self._writer.run(lambda connection: take_ids(connection, count))
        return range(first, first + count)

    async def listen(self, wake: Callable[[], None]) -> None:
        self._writer.on_tasks(wake)

    async def expand(self, *, now: int, rows: int, decide: Decide, missed: Missed) -> Expanded:
        with snapshot(self._reader) as reader:
            due = expand.next_due(reader)
        if due is None or due > now:  # idle: nothing is written
            return NOTHING_DUE if due is None else msgspec.structs.replace(NOTHING_DUE, next_due_at=due)
        at_most = rows
        while True:
            try:
                done = await self._expand(now, rows, at_most, decide, missed)
            except Exception as failure:
                if at_most == 1 or isinstance(failure.__cause__, sqlite3.OperationalError):
                    raise
                at_most = at_most // 2 or 1  # down to the one at fault, which is then put off
            else:
                if done.messages or done.tasks:
                    self._on_feed()
                return done

    async def _expand(self, now: int, rows: int, at_most: int, decide: Decide, missed: Missed) -> Expanded:
        return await self._writer.run(
            lambda connection: expand.expand(
                connection, now=now, limit=rows, at_most=at_most, decide=decide, missed=missed
            ),
            background=True,
        )
