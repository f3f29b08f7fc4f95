"""The dispatcher's loop on a storage that tells what it was asked."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from io import StringIO
from typing import Any, cast

import pytest
import structlog

from huiyao import telemetry
from huiyao.dispatch import dispatcher
from huiyao.dispatch.dispatcher import Dispatcher
from huiyao.errors import SystemFailure
from huiyao.service.caller import Clock
from huiyao.storage.contract import Expanded, Storage

NOW = 1_800_000_000_000


class FrozenClock(Clock):
    def now(self) -> int:
        return NOW


class Recorder:
    """A storage whose rounds are scripted; after the last one there is nothing to do."""

    def __init__(self, *rounds: Expanded | Exception) -> None:
        self.rounds = list(rounds)
        self.times: list[float] = []
        self.beats = 0
        self.wake: Callable[[], None] = lambda: None
        self.under_way = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.ended = 0

    async def expand(self, *, now: int, rows: int, **_: Any) -> Expanded:
        assert (now, rows) == (NOW, dispatcher.ROWS)
        self.times.append(asyncio.get_running_loop().time())
        self.under_way.set()
        await self.may_go_on.wait()
        self.ended += 1
        found = self.rounds.pop(0) if self.rounds else done()
        if isinstance(found, Exception):
            raise found
        return found

    async def beat(self, node: str, *, now: int) -> None:
        self.beats += 1

    async def listen(self, wake: Callable[[], None]) -> None:
        self.wake = wake

    async def rounds_begun(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.times) < count:
                await asyncio.sleep(0.001)


def done(*, more: bool = False, next_due_at: int | None = None, tasks: int = 0) -> Expanded:
    return Expanded(tasks=tasks, messages=tasks, more=more, next_due_at=next_due_at, lateness_ms=(5,) * tasks)


@asynccontextmanager
async def running(storage: Recorder) -> AsyncIterator[Dispatcher]:
    found = Dispatcher(cast("Storage", storage), FrozenClock())
    task = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        found.stop()
        storage.may_go_on.set()
        async with asyncio.timeout(5):
            await task


async def test_it_goes_on_at_once_while_more_is_due() -> None:
    storage = Recorder(*[done(more=True, tasks=1)] * 50)
    async with running(storage):
        await storage.rounds_begun(51)
    assert storage.times[50] - storage.times[0] < dispatcher.POLL_SECONDS / 2


async def test_it_sleeps_until_the_next_task_is_due() -> None:
    storage = Recorder(done(next_due_at=NOW + 200))
    async with running(storage):
        await storage.rounds_begun(2)
    assert 0.19 <= storage.times[1] - storage.times[0] < 0.6


async def test_it_looks_every_second_though_nothing_is_due_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "POLL_SECONDS", 0.1)
    storage = Recorder(done(next_due_at=NOW + 3_600_000))
    async with running(storage):
        await storage.rounds_begun(3)
    assert 0.09 <= storage.times[1] - storage.times[0] < 0.5


async def test_it_does_not_spin_on_a_due_task_that_another_dispatcher_holds() -> None:
    storage = Recorder(*[done(next_due_at=NOW - 1000)] * 20)
    async with running(storage):
        await storage.rounds_begun(6)
    assert storage.times[5] - storage.times[0] >= 5 * dispatcher.LEAST_PAUSE_SECONDS * 0.9


async def test_a_wake_up_ends_its_sleep() -> None:
    storage = Recorder()
    async with running(storage):
        await storage.rounds_begun(1)
        await asyncio.sleep(0)
        storage.wake()
        await storage.rounds_begun(2)
    assert storage.times[1] - storage.times[0] < dispatcher.POLL_SECONDS / 2


async def test_a_wake_up_during_a_round_is_not_lost() -> None:
    storage = Recorder()
    storage.may_go_on.clear()
    async with running(storage):
        await storage.under_way.wait()
        storage.wake()
        storage.may_go_on.set()
        await storage.rounds_begun(2)
    assert storage.times[1] - storage.times[0] < dispatcher.POLL_SECONDS / 2


async def test_stop_lets_the_transaction_under_way_finish_and_begins_no_other() -> None:
    storage = Recorder(done(more=True))
    storage.may_go_on.clear()
    async with running(storage) as found:
        await storage.under_way.wait()
        found.stop()
    assert (len(storage.times), storage.ended) == (1, 1)


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What is logged, as in a real process."""
    handlers = logging.root.handlers[:]
    written = StringIO()
    telemetry.log_to_stderr("info", written)
    yield written
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers


@pytest.mark.parametrize("failure", [SystemFailure(), RuntimeError("王芳"), OSError()])
async def test_a_failure_is_logged_without_its_text_and_tried_again_later(
    failure: Exception, log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "FIRST_PAUSE_SECONDS", 0.05)
    storage = Recorder(failure, failure, failure)
    async with running(storage):
        await storage.rounds_begun(2)
        storage.wake()
        await storage.rounds_begun(4)
    pauses = [after - before for before, after in zip(storage.times, storage.times[1:], strict=False)]
    assert all(pause >= 0.05 * 2**number / 2 for number, pause in enumerate(pauses[:3], start=1))
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["event"], line["failures"]) for line in lines] == [
        ("dispatch failed", n) for n in (1, 2, 3)
    ]
    assert "王芳" not in log.getvalue()


async def test_it_beats_at_once_and_every_few_seconds_not_every_round() -> None:
    storage = Recorder(*[done(more=True)] * 20)
    async with running(storage):
        await storage.rounds_begun(20)
    assert storage.beats == 1
