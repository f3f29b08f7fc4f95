"""Overload: more calls than can be done, by clients that wait for nobody, among connections that are idle or slow.

What is shed must be told so at once, what was taken must be done, /healthz must answer all the time, memory must stay
below what was set for it, and seconds later everything is as it was.
"""

import asyncio
import contextlib
import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from multiprocessing.synchronize import Event
from subprocess import Popen

import httpx

from bench import flood, lives, load, report, servers
from proof import records
from proof.asking import Asking, in_turn
from proof.result import Measure, Row, Run
from proof.watching import repeating

KINDS = ("sqlite", "postgresql")
MEETINGS = 30_000  # so many that those created meanwhile make no call dearer
MEMBERS = 10_000  # of the meeting whose detail slow readers ask for
TIMES_CAPACITY = 2.0
SETTINGS = {"HUIYAO_MAX_WAITING": "500"}  # calls under way; what is more is shed
CONNECTIONS = 3_000  # of the flood
IDLE = 5_000
SLOW_READERS, SLOW_WRITERS, HUGE = 20, 600, 40  # more slow writers than calls may be under way
HUGE_BYTES = 8_000_000
AT_ONCE = 100  # of the crowd, between two breaths
DEADLINE_SECONDS = 60.0
MEMORY_MB = 800
HEALTH_SECONDS = 2.0
BACK_SECONDS = 5.0
STRETCHES, STRETCH_SECONDS = 15, 0.5


class Watching:
    """Asks for /healthz, each time on a connection of its own, and looks at the process's memory."""

    def __init__(self, port: int, process: Popen[bytes]) -> None:
        self.seconds: list[float] = []
        self.failures: list[str] = []
        self.memory_mb = 0.0
        self._address = f"http://127.0.0.1:{port}/healthz"
        self._process = process
        self._http = httpx.Client(trust_env=False, timeout=30, headers={"connection": "close"})

    def look(self) -> None:
        self.memory_mb = max(self.memory_mb, servers.resident_mb(self._process))
        began = time.perf_counter()
        try:
            status = self._http.get(self._address).status_code
        except httpx.TransportError as error:
            self.failures.append(f"/healthz: {type(error).__name__}")
            return
        self.seconds.append(time.perf_counter() - began)
        if status != 200:
            self.failures.append(f"/healthz answered {status}")


class Crowd:
    """Connections that do nothing, or everything slowly, in a process of their own."""

    def __init__(
        self, port: int, *, sizes: Mapping[str, int], reading: bytes, writing: bytes, huge: bytes
    ) -> None:
        self._port = port
        self._sizes = sizes
        self._reading, self._writing, self._huge = reading, writing, huge

    @contextmanager
    def around(self) -> Iterator[None]:
        context = multiprocessing.get_context("spawn")
        ready = context.Event()
        process = context.Process(target=self.run, args=[ready], name="crowd")
        process.start()
        try:
            if not ready.wait(DEADLINE_SECONDS):
                raise RuntimeError("the crowd does not come together")
            yield
        finally:
            process.terminate()
            process.join()

    def run(self, ready: Event) -> None:
        flood.raise_limit()
        asyncio.run(self._run(ready))

    async def _run(self, ready: Event) -> None:
        doing = {"idle": self._idle, "reading": self._read, "writing": self._write, "huge": self._send_huge}
        tasks = []
        for what, count in self._sizes.items():
            for number in range(count):
                tasks.append(asyncio.create_task(doing[what]()))
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0.05)
        ready.set()
        await asyncio.gather(*tasks)

    async def _open(self, *, limit: int = 1 << 16) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port, limit=limit)

    async def _idle(self) -> None:
        _, writer = await self._open()
        try:
            await asyncio.sleep(3600)
        finally:
            writer.transport.abort()

    async def _read(self) -> None:
        """Asks for a long answer, twice in one go, and takes none of it; comes again after a while."""
        while True:
            _, writer = await self._open()
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            try:
                writer.write(self._reading * 2)
                await asyncio.sleep(30)
            finally:
                writer.transport.abort()

    async def _write(self) -> None:
        """One byte a second of a body that never ends; comes again when it is thrown out."""
        while True:
            _, writer = await self._open()
            try:
                writer.write(self._writing)
                with contextlib.suppress(ConnectionError):
                    while not writer.is_closing():
                        writer.write(b" ")
                        await writer.drain()
                        await asyncio.sleep(1)
            finally:
                writer.transport.abort()
            await asyncio.sleep(1)

    async def _send_huge(self) -> None:
        """A body as long as is allowed, all but its end, then silence; again and again."""
        while True:
            _, writer = await self._open()
            try:
                writer.write(self._huge)
                with contextlib.suppress(ConnectionError):
                    await writer.drain()
                    await asyncio.sleep(30)
            finally:
                writer.transport.abort()
            await asyncio.sleep(1)


def prove(run: Run) -> Iterator[Row]:
    flood.raise_limit()
    for kind in KINDS:
        with closing(servers.Databases(kind, run.place(kind))) as databases:
            yield from _overload(databases, run)


def _overload(databases: servers.Databases, run: Run) -> Iterator[Row]:
    seconds = 5.0 if run.quick else 20.0
    life = lives.Life(meetings=MEETINGS, now=time.time_ns() // 1_000_000, members=MEMBERS)
    how = f"at twice the capacity on {databases.kind}"
    url = databases.create("overload")
    app = servers.prepare(url)
    lives.fill(url, life)
    port = servers.free_port()
    with ExitStack() as stack:
        process = stack.enter_context(
            servers.running(servers.serve(url, port=port), port=port, url=url, settings=SETTINGS)
        )
        asking = Asking(url, life, servers.token(port, app))
        creates = asking.repeatable()["create"]
        load.drive(port, in_turn(creates), seconds=1)
        yield _flooded(
            f"calls alone {how}",
            url,
            port,
            process,
            creates,
            seconds=seconds,
            among=nullcontext(),
        )
        crowd = Crowd(
            port,
            sizes={"idle": IDLE, "reading": SLOW_READERS, "writing": SLOW_WRITERS, "huge": HUGE},
            reading=asking.of_large()["detail"][0],
            writing=_unfinished(creates[0], length=100_000),
            huge=_unfinished(creates[0], length=HUGE_BYTES) + b" " * (HUGE_BYTES - 1_000),
        )
        yield _flooded(
            f"calls among {IDLE:,} idle connections, {SLOW_READERS} that read nothing, {SLOW_WRITERS} that write"
            f" a byte a second and {HUGE} with {HUGE_BYTES // 1_000_000} MB {how}",
            *(url, port, process, creates),
            seconds=seconds,
            among=crowd.around(),
        )


def _flooded(
    what: str,
    url: str,
    port: int,
    process: Popen[bytes],
    requests: Sequence[bytes],
    *,
    seconds: float,
    among: AbstractContextManager[None],
) -> Row:
    before = _capacity(port, requests)
    watching = Watching(port, process)
    with among, repeating(watching.look, pause_seconds=0.1):
        arguments = {"rate": before * TIMES_CAPACITY, "seconds": seconds}
        with flood.apart(port, requests, connections=CONNECTIONS, **arguments) as over:
            found = over.result()
    due = _due(url)
    back, rates = _back(port, requests, before)
    left = _due(url)
    wrong = [*sorted(set(watching.failures))]
    wrong += [f"{found.silent} were shed without Retry-After"] if found.silent else []
    wrong += [f"{count} were answered {said}" for said, count in found.said.items()]
    wrong += [f"{found.lost} got no answer"] if found.lost else []
    return Row(
        done=what,
        times=1,
        counted=f"{found.due:,} calls in {found.seconds:.0f} s, {found.done:,} done, {found.shed:,} shed with 503",
        wrong=tuple(wrong),
        measures=(
            Measure(what="capacity", value=before, unit="creates a second"),
            Measure(what="done under it", value=found.rate, unit="creates a second"),
            Measure(what="p99 of what was shed", value=found.shed_seconds.get(99, 0), unit="s"),
            Measure(what="p99 of what was done", value=found.done_seconds.get(99, 0), unit="s"),
            Measure(what="/healthz, longest", value=max(watching.seconds), unit="s", at_most=HEALTH_SECONDS),
            Measure(what="memory, most", value=watching.memory_mb, unit="MB", at_most=MEMORY_MB),
            Measure(
                what="back at 0.9 of the capacity after",
                value=back,
                unit="s",
                at_most=BACK_SECONDS,
                why=f"the stretches of {STRETCH_SECONDS} s until then made {min(rates):,.0f} to {max(rates):,.0f}"
                f" a second, in the middle {report.middle(rates, 0):,.0f}, while those who dispatch in the same"
                f" process worked off {due:,} announcements that were due; {left:,} were left",
            ),
        ),
    )


def _capacity(port: int, requests: Sequence[bytes]) -> float:
    """Creates a second, in the middle of several stretches as long as those that `_back` looks at."""
    return report.middle([_stretch(port, requests) for _ in range(STRETCHES)], 1)


def _back(port: int, requests: Sequence[bytes], before: float) -> tuple[float, list[float]]:
    """Seconds until one stretch went as before, at most a minute; and the rates of all stretches until then."""
    began = time.monotonic()
    rates: list[float] = []
    while time.monotonic() - began < 60:
        rates.append(_stretch(port, requests))
        if rates[-1] > 0.9 * before:
            break
    return time.monotonic() - began - STRETCH_SECONDS, rates


def _due(url: str) -> int:
    """How many tasks wait to be told."""
    ((count,),) = records.fetch(url, records.WAITING.format(now=time.time_ns() // 1_000_000))[0]
    return int(count)


def _stretch(port: int, requests: Sequence[bytes]) -> float:
    return load.drive(port, in_turn(requests), seconds=STRETCH_SECONDS).rate


def _unfinished(request: bytes, *, length: int) -> bytes:
    """The head of this request, with a longer body."""
    head = request.partition(b"\r\n\r\n")[0]
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
    return b"\r\n".join([*lines, b"Content-Length: %d" % length, b"", b"{"])
