"""An open-loop generator: requests are sent at their moments, however long the answers to earlier ones take.

It runs in a process of its own, so that whoever measures beside it is not slowed by it.
"""

import asyncio
import multiprocessing
import resource
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import cast

import msgspec
import uvloop

from bench import report

TICK_SECONDS = 0.001
PATIENCE_SECONDS = 30.0  # for answers after the last request


class Flooded(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the requests; seconds from the moment a request was due."""

    due: int
    seconds: float
    done: int  # answered with status 0
    shed: int  # answered 503
    silent: int  # of those, how many did not say when to come again
    failed: int  # answered otherwise
    lost: int  # the connection broke, or there was no answer in time
    done_seconds: dict[int, float]  # percentile by percentile
    shed_seconds: dict[int, float]
    said: dict[str, int]  # how failed ones were answered, as far as it matters

    @property
    def rate(self) -> float:
        """Done a second."""
        return self.done / self.seconds


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, flood: "_Flood") -> None:
        self._flood = flood
        self._buffer = b""
        self._due_at: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._flood.free(self)

    def send(self, due_at: float, request: bytes) -> None:
        self._due_at = due_at
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lower = head.lower()
        length = int(lower.partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) < length:
            return
        self._buffer = b""
        due_at, self._due_at = self._due_at, None
        assert due_at is not None
        self._flood.answered(
            int(head[9:12]), time.perf_counter() - due_at, body, advised=b"retry-after:" in lower
        )
        if b"connection: close" in lower:
            self._transport.close()
        else:
            self._flood.free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._flood.gone(self, asked=self._due_at is not None)

    def close(self) -> None:
        self._transport.abort()


class _Flood:
    def __init__(self, port: int, requests: Sequence[bytes], *, connections: int) -> None:
        self._port = port
        self._requests = requests
        self._connections = connections
        self._open = 0  # or being opened
        self._idle: list[_Connection] = []
        self._waiting: deque[float] = (
            deque()
        )  # moments at which requests were due that have no connection yet
        self._sent = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.count: Counter[str] = Counter()
        self.said: Counter[str] = Counter()
        self.seconds: dict[str, list[float]] = {"done": [], "shed": []}

    async def run(self, *, rate: float, seconds: float) -> Flooded:
        started = time.perf_counter()
        due = 0
        while (now := time.perf_counter()) < started + seconds:
            for number in range(due, int((now - started) * rate)):
                self._ask(started + number / rate)
            due = max(due, int((now - started) * rate))
            await asyncio.sleep(TICK_SECONDS)
        spent = time.perf_counter() - started
        until = time.perf_counter() + PATIENCE_SECONDS
        while self._answered() < due and time.perf_counter() < until:
            await asyncio.sleep(0.01)
        return Flooded(
            due=due,
            seconds=spent,
            done=self.count["done"],
            shed=self.count["shed"],
            silent=self.count["silent"],
            failed=self.count["failed"],
            lost=due - self.count["done"] - self.count["shed"] - self.count["failed"],
            done_seconds=_quantiles(self.seconds["done"]),
            shed_seconds=_quantiles(self.seconds["shed"]),
            said=dict(self.said.most_common(5)),
        )

    def free(self, connection: _Connection) -> None:
        if self._waiting:
            self._send(connection, self._waiting.popleft())
        else:
            self._idle.append(connection)

    def gone(self, connection: _Connection, *, asked: bool) -> None:
        self._open -= 1
        self.count["lost"] += asked
        if connection in self._idle:
            self._idle.remove(connection)
        if self._waiting:
            self._connect()

    def answered(self, status: int, seconds: float, body: bytes, *, advised: bool) -> None:
        kind = "shed" if status == 503 else "done" if body.startswith(b'{"status":0') else "failed"
        self.count[kind] += 1
        self.count["silent"] += kind == "shed" and not advised
        if kind in self.seconds:
            self.seconds[kind].append(seconds)
        else:
            self.said[f"{status} {body[:80].decode(errors='replace')}"] += 1

    def _ask(self, due_at: float) -> None:
        if self._idle:
            self._send(self._idle.pop(), due_at)
            return
        self._waiting.append(due_at)
        if self._open < self._connections:
            self._connect()

    def _send(self, connection: _Connection, due_at: float) -> None:
        connection.send(due_at, self._requests[self._sent % len(self._requests)])
        self._sent += 1

    def _connect(self) -> None:
        self._open += 1
        task = asyncio.create_task(self._connected())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connected(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
        except OSError:
            self._open -= 1

    def _answered(self) -> int:
        return sum(self.count[kind] for kind in ("done", "shed", "failed", "lost"))


def _quantiles(values: Sequence[float]) -> dict[int, float]:
    return (
        {percent: round(report.quantile(values, percent), 4) for percent in (50, 99, 100)} if values else {}
    )


@contextmanager
def apart(
    port: int, requests: Sequence[bytes], *, rate: float, seconds: float, connections: int
) -> Iterator["Future[Flooded]"]:
    """The flood, begun in a process of its own; its result once it is over, which the block's end waits for."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        process.submit(raise_limit).result()  # it is there, and has what it needs
        yield process.submit(_flood, port, requests, rate=rate, seconds=seconds, connections=connections)


def raise_limit() -> None:
    """As many open files as the system lets this process have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _flood(port: int, requests: Sequence[bytes], *, rate: float, seconds: float, connections: int) -> Flooded:
    return uvloop.run(_Flood(port, requests, connections=connections).run(rate=rate, seconds=seconds))
