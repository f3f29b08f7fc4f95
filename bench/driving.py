"""Drives the real dispatcher to a moment of the benchmark's choosing, and notes what each of its rounds took."""

import asyncio
import math
import time
from typing import Any, cast

import msgspec
import uvloop
from prometheus_client import REGISTRY

from huiyao.dispatch.dispatcher import Dispatcher
from huiyao.service.caller import Clock
from huiyao.storage.contract import Expanded, Storage
from huiyao.storage.opening import open_storage

LEAD_SECONDS = 0.3  # the dispatcher runs and is asleep when the moment comes
DEADLINE_SECONDS = 60


class Drained(msgspec.Struct, frozen=True):
    seconds: float  # from the due moment to the last commit
    rounds: tuple[float, ...]  # how many seconds each took that did anything
    messages: int
    deliveries: int


class Shifted(Clock):
    """Runs as the real one does; `due_at` comes LEAD_SECONDS after it was made."""

    def __init__(self, due_at: int) -> None:
        self.due_at = due_at
        self.due = time.perf_counter() + LEAD_SECONDS  # the same moment

    def now(self) -> int:
        return self.due_at + math.floor((time.perf_counter() - self.due) * 1000)


class Watched:
    """A storage whose `expand` is timed, and that tells when nothing is due any more."""

    def __init__(self, storage: Storage, clock: Shifted) -> None:
        self._storage = storage
        self._clock = clock
        self.rounds: list[tuple[float, Expanded]] = []
        self.finished: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    async def expand(self, *, now: int, **asked: Any) -> Expanded:
        started = time.perf_counter()
        done = await self._storage.expand(now=now, **asked)
        ended = time.perf_counter()
        if done.tasks or done.messages:
            self.rounds.append((ended - started, done))
        idle = done.next_due_at is None or done.next_due_at > now
        if now >= self._clock.due_at and idle and not self.finished.done():
            self.finished.set_result(ended - self._clock.due)
        return done


async def outcome(finished: asyncio.Future[float]) -> float:
    """What it comes to. Raises where a round fails meanwhile, for what is tried again is not what is measured."""
    before = _failures()
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not finished.done():
            await asyncio.wait([finished], timeout=0.1)
            if _failures() > before:
                raise RuntimeError("a round failed; the log says where")
    return finished.result()


def _failures() -> float:
    return REGISTRY.get_sample_value("huiyao_dispatch_failures_total") or 0


def drain(url: str, *, due_at: int) -> Drained:
    """Run a dispatcher over what is due at `due_at`, until nothing is left."""
    return uvloop.run(_drain(url, due_at))


async def _drain(url: str, due_at: int) -> Drained:
    storage = await open_storage(url)
    try:
        clock = Shifted(due_at)
        watched = Watched(storage, clock)
        dispatcher = Dispatcher(cast("Storage", watched), clock)
        running = asyncio.create_task(dispatcher.run())
        seconds = await outcome(watched.finished)
        dispatcher.stop()
        await running
    finally:
        await storage.close()
    done = [one for _, one in watched.rounds]
    if any(one.failed for one in done):
        raise RuntimeError("the dispatcher put tasks off")
    return Drained(
        seconds=seconds,
        rounds=tuple(took for took, _ in watched.rounds),
        messages=sum(one.messages for one in done),
        deliveries=sum(one.deliveries for one in done),
    )
