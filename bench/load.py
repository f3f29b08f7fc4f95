"""A load generator for loopback: a fixed number of connections, each with one request under way at a time."""

import asyncio
import time
from collections.abc import Callable
from typing import cast

import msgspec
import uvloop

MakeRequest = Callable[[int], bytes]


class Result(msgspec.Struct, frozen=True):
    """What one run measured; latencies in seconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    failed: int
    bodies: list[bytes]

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


class _Client(asyncio.Protocol):
    """Sends the next request when an answer is complete."""

    def __init__(self, run: "_Run") -> None:
        self._run = run
        self._buffer = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without being derived from it
        self._send()

    def _send(self) -> None:
        assert self._transport is not None
        request = self._run.next_request()
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        head = buffer.find(b"\r\n\r\n")
        if head < 0:
            self._buffer = buffer
            return
        start = buffer.lower().index(b"content-length:", 0, head) + 15
        length = int(buffer[start : buffer.index(b"\r", start)])
        if len(buffer) < head + 4 + length:
            self._buffer = buffer
            return
        self._buffer = b""
        self._run.answered(time.perf_counter() - self._sent_at, buffer[head + 4 : head + 4 + length])
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.lost(exc)


class _Run:
    def __init__(
        self, make: MakeRequest, *, count: int | None, seconds: float | None, keep: bool, connections: int
    ):
        self._make = make
        self._count = count
        self._keep = keep
        self._until = time.perf_counter() + seconds if seconds else float("inf")
        self._sent = 0
        self._open = connections
        self.latencies: list[float] = []
        self.bodies: list[bytes] = []
        self.failed = 0
        self.done = asyncio.get_running_loop().create_future()

    def next_request(self) -> bytes | None:
        if time.perf_counter() >= self._until or (self._count is not None and self._sent >= self._count):
            return None
        self._sent += 1
        return self._make(self._sent - 1)

    def answered(self, latency: float, body: bytes) -> None:
        self.latencies.append(latency)
        if not body.startswith(b'{"status":0'):
            self.failed += 1
        if self._keep:
            self.bodies.append(body)

    def lost(self, exc: Exception | None) -> None:
        self.failed += exc is not None
        self._open -= 1
        if not self._open:
            self.done.set_result(None)


async def _run(
    port: int, make: MakeRequest, *, connections: int, count: int | None, seconds: float | None, keep: bool
) -> Result:
    loop = asyncio.get_running_loop()
    run = _Run(make, count=count, seconds=seconds, keep=keep, connections=connections)
    started = time.perf_counter()
    for _ in range(connections):
        await loop.create_connection(lambda: _Client(run), "127.0.0.1", port)
    await run.done
    spent = time.perf_counter() - started
    ordered = sorted(run.latencies) or [0.0]
    return Result(
        requests=len(run.latencies),
        seconds=spent,
        p50=ordered[len(ordered) // 2],
        p99=ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
        failed=run.failed,
        bodies=run.bodies,
    )


def drive(
    port: int,
    make: MakeRequest,
    *,
    connections: int = 32,
    count: int | None = None,
    seconds: float | None = None,
    keep: bool = False,
) -> Result:
    """Send `count` requests, or as many as fit into `seconds`; `make(n)` gives the bytes of the n-th.

    An answer whose body does not begin with status 0 counts as failed, as does a connection that breaks.
    """
    return uvloop.run(_run(port, make, connections=connections, count=count, seconds=seconds, keep=keep))


def request(method: str, path: str, body: bytes = b"", headers: tuple[str, ...] = ()) -> bytes:
    """The bytes of one HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body
