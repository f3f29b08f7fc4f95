"""SQLite: one file, one process that serves, one writer thread; reads on the event loop.

What differs from PostgreSQL: writes are serial, so guards need no locks, feeds are ordered by a counter of
transactions, and everything committed is visible.
"""

import sqlite3
from collections.abc import Callable
from typing import Final

from huiyao.errors import OperatorError
from huiyao.rules.change import Change
from huiyao.storage.contract import Decide, Expanded, Missed, Verdict
from huiyao.storage.sqlite import expand
from huiyao.storage.sqlite.operating import Operating
from huiyao.storage.sqlite.reads import Reads, snapshot
from huiyao.storage.sqlite.writer import Writer, connect

PRUNE_MS: Final = 60_000  # between two looks for expired idempotency records
PRUNED_AT_ONCE: Final = 1000


async def open_sqlite(path: str, *, max_waiting: int) -> "Sqlite":
    """The database in this file, which must exist and have its tables. Raises OperatorError."""
    try:
        return Sqlite(path, max_waiting=max_waiting)
    except sqlite3.Error as error:
        raise OperatorError(f"The database file {path} cannot be opened: {error}.") from error


class Sqlite(Reads, Operating):
    """Keeps `contract.Storage` on a SQLite file."""

    backend = "sqlite"

    def __init__(self, path: str, *, max_waiting: int) -> None:
        self._path = path
        self._reader = connect(path)
        self._writer = Writer(path, max_waiting=max_waiting)
        self._pruned_at = 0

    async def close(self) -> None:
        await self._writer.close()
        self._reader.close()

    async def commit(self, change: Change) -> Verdict:
        return await self._writer.commit(change)

    async def reserve_ids(self, count: int) -> range:
        first = await self._writer.run(lambda connection: expand.take_ids(connection, count))
        return range(first, first + count)

    async def listen(self, wake: Callable[[], None]) -> None:
        self._writer.on_tasks(wake)

    async def expand(self, *, now: int, rows: int, decide: Decide, missed: Missed) -> Expanded:
        await self._prune(now)
        with snapshot(self._reader) as reader:
            due = expand.next_due(reader)
        if due is None or due > now:  # idle: nothing is written
            return Expanded(tasks=0, messages=0, more=False, next_due_at=due, lateness_ms=())
        return await self._writer.run(
            lambda connection: expand.expand(connection, now=now, limit=rows, decide=decide, missed=missed),
            background=True,
        )

    async def _prune(self, now: int) -> None:
        """Forget expired idempotency records, some at a time, without a rest while there are more."""
        if now - self._pruned_at < PRUNE_MS:
            return
        gone = await self._writer.run(
            lambda connection: (
                connection.execute(
                    "DELETE FROM idempotency WHERE rowid IN"
                    " (SELECT rowid FROM idempotency WHERE expires_at <= ? LIMIT ?)",
                    (now, PRUNED_AT_ONCE),
                ).rowcount
            ),
            background=True,
        )
        if gone < PRUNED_AT_ONCE:
            self._pruned_at = now
