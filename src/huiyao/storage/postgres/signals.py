"""Hints between processes that something was committed: LISTEN and NOTIFY, each on a connection of its own.

NOTIFY serialises commits, so it is sent after them, empty, and at most every 50 ms. A hint may be lost.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from huiyao.storage.postgres.connections import DRIVER_ERRORS, Connection, connect, facts

TASKS: Final = "huiyao"  # tasks were committed
FEED: Final = "huiyao_feed"  # messages or history were
NOTIFY_PAUSE_SECONDS: Final = 0.05
RECONNECT_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class Notifier:
    """Tells the other processes."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._wanted = asyncio.Event()
        self._channels: set[str] = set()

    def notify(self, channel: str) -> None:
        self._channels.add(channel)
        self._wanted.set()

    async def run(self) -> None:
        """Until cancelled."""
        connection: Connection | None = None
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                statements = "; ".join(f"NOTIFY {channel}" for channel in sorted(self._channels))
                self._channels.clear()
                try:
                    if connection is None or connection.is_closed():
                        connection = await connect(self._url)
                    await connection.execute(statements)
                except DRIVER_ERRORS as error:
                    log.warning("notify failed", **facts(error))
                    if connection is not None:
                        connection.terminate()
                        connection = None
                await asyncio.sleep(NOTIFY_PAUSE_SECONDS)
        finally:
            if connection is not None:
                connection.terminate()


class Listener:
    """Calls `wake` when another process, or this one, has told; reconnects by itself."""

    def __init__(self, url: str, wake: Callable[[], None], *, channel: str) -> None:
        self._url = url
        self._wake = wake
        self._channel = channel
        self._lost = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        connection: Connection | None = None
        try:
            while True:
                self._lost.clear()
                try:
                    connection = await connect(self._url)
                    connection.add_termination_listener(self._on_loss)
                    await connection.add_listener(self._channel, self._on_notify)
                    self._wake()  # what was told while nobody listened
                    await self._lost.wait()
                except DRIVER_ERRORS as error:
                    log.warning("listen failed", **facts(error))
                    if connection is not None:
                        connection.terminate()
                await asyncio.sleep(RECONNECT_SECONDS)
        finally:
            if connection is not None:
                connection.terminate()

    def _on_notify(self, connection: object, pid: int, channel: str, payload: object) -> None:
        self._wake()

    def _on_loss(self, connection: object) -> None:
        self._lost.set()
