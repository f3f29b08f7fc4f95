"""Carries what the log (the WAL) holds into the database file, beside the writer.

Left to itself SQLite does that in the commit that fills the log, and whoever waits for that commit waits for the disk:
0.1 s and more where a million meetings spread what is written over the whole file. Here a thread does nearly all of it
meanwhile; the writer only carries over what has come in during its last pass, and begins the log anew.
"""

import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

# Between two rounds, so that a page written many times is carried over a few times only.
PAUSE_SECONDS: Final = 0.05
SHORT_SECONDS: Final = 0.005  # a pass that took no longer has left little
PASSES: Final = 5
# Pages, 64 MB: from then on the log is begun anew as soon as may be.
ENOUGH: Final = 16_000
# Pages: only where the thread does not keep up does the writer carry over as much as that.
TOO_MANY: Final = 8 * ENOUGH
FAILED_PAUSE_SECONDS: Final = 5.0

log = structlog.get_logger(__name__)


class Checkpoints:
    """The thread. `finish` is called in it when the rest is the writer's to do."""

    def __init__(self, connection: sqlite3.Connection, *, finish: Callable[[], None]) -> None:
        self._connection = connection
        self._finish = finish
        self._written = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sqlite-checkpoints", daemon=True)
        self._thread.start()

    def written(self) -> None:
        """There may be something to carry over."""
        self._written.set()

    def close(self) -> None:
        self._stopping.set()
        self._written.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        pause = PAUSE_SECONDS
        while True:
            self._written.wait()
            self._written.clear()  # not behind the next look: `close` sets both, the one that is waited for last
            if self._stopping.wait(pause):
                return
            try:
                if self._carry_over() >= ENOUGH:
                    self._finish()
                pause = PAUSE_SECONDS
            except sqlite3.Error as error:  # the disk is full or broken; what is committed stands in the log
                log.error("checkpoint failed", error=getattr(error, "sqlite_errorname", type(error).__name__))
                self._written.set()
                pause = FAILED_PAUSE_SECONDS

    def _carry_over(self) -> int:
        """Pages in the log, until little is left to be carried over."""
        pages = 0
        for _ in range(PASSES):
            began = time.monotonic()
            pages = carry_over(self._connection)
            if time.monotonic() - began < SHORT_SECONDS:
                break
        return pages


def carry_over(connection: sqlite3.Connection) -> int:
    """All that can be without waiting for anybody; answers the pages in the log. Raises sqlite3.Error."""
    _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(pages)
