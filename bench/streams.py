"""Many open streams of one server, and calls whose events are awaited on one of them each."""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from bench import report

OPENING = 100  # connections at a time
PAUSE_SECONDS = 0.1  # between two calls, at most
DEADLINE_SECONDS = 60


class Told(msgspec.Struct, frozen=True):
    """Milliseconds from a call's answer to its event at the client; `from_call_ms`: the median from the call itself."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    from_call_ms: float


class Listener(asyncio.Protocol):
    """One open stream; notes when events come."""

    def __init__(self, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._request = request
        self.open: asyncio.Future[None] = loop.create_future()
        self.event: asyncio.Future[float] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one without being derived from it
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if b"event: message" in data and not self.event.done():
            self.event.set_result(time.perf_counter())
        elif not self.open.done():
            if data.startswith(b"HTTP/1.1 200"):
                self.open.set_result(None)
            else:
                self.open.set_exception(RuntimeError(f"no stream: {data[:200]!r}"))

    def connection_lost(self, exc: Exception | None) -> None:
        for one in (self.open, self.event):
            if not one.done():
                one.set_exception(RuntimeError("the stream was closed"))
                one.exception()  # known here; whoever waits is told too


class Caller:
    """One kept connection for calls."""

    async def connect(self, port: int) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)

    async def call(self, request: bytes) -> float:
        """The moment of its answer. Raises RuntimeError where that is a refusal."""
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        answered = time.perf_counter()
        _, found, rest = head.partition(b"content-length:")
        body = await self._reader.readexactly(int(rest.split(b"\r\n")[0])) if found else b""
        if not head.startswith(b"http/1.1 20") or (body and not body.startswith(b'{"status":0')):
            raise RuntimeError(f"refused: {head!r} {body!r}")
        return answered

    def close(self) -> None:
        self._writer.transport.abort()


class Streams:
    """Open streams by name, all of one server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listeners: dict[str, Listener] = {}

    async def open(self, requests: Mapping[str, bytes]) -> None:
        names = list(requests)
        async with asyncio.timeout(DEADLINE_SECONDS):
            for first in range(0, len(names), OPENING):
                await asyncio.gather(*[self._open(one, requests[one]) for one in names[first:][:OPENING]])

    async def _open(self, name: str, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        _, listener = await loop.create_connection(lambda: Listener(request), "127.0.0.1", self._port)
        await listener.open
        self._listeners[name] = listener

    async def told(self, calls: Sequence[tuple[str, bytes]]) -> Told:
        """Each call is made for itself, at a random distance from the one before, and its event awaited."""
        caller = Caller()
        await caller.connect(self._port)
        took, whole = [], []
        for name, request in calls:
            await asyncio.sleep(random.random() * PAUSE_SECONDS)
            listener = self._listeners[name]
            listener.event = asyncio.get_running_loop().create_future()
            async with asyncio.timeout(DEADLINE_SECONDS):
                began = time.perf_counter()
                answered = await caller.call(request)
                there = await listener.event
            took.append((there - answered) * 1000)
            whole.append((there - began) * 1000)
        caller.close()
        return Told(
            p50_ms=round(report.quantile(took, 50), 2),
            p99_ms=round(report.quantile(took, 99), 2),
            max_ms=round(max(took), 2),
            from_call_ms=round(report.quantile(whole, 50), 2),
        )

    def close(self) -> None:
        for listener in self._listeners.values():
            listener.transport.abort()
