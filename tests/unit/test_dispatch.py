"""The dispatcher's loop on a storage that tells what it was asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import StringIO
from typing import Any, cast

import pytest
from prometheus_client import REGISTRY

from huiyao import telemetry
from huiyao.dispatch import dispatcher, loop
from huiyao.dispatch.dispatcher import Dispatcher
from huiyao.dispatch.sender import Sender
from huiyao.errors import SystemFailure
from huiyao.service.caller import Clock
from huiyao.storage.contract import Expanded, Queue, Storage

NOW = 1_800_000_000_000


class FrozenClock(Clock):
    def now(self) -> int:
        return NOW


class Woken:
    """A sender that counts how often it is woken."""

    def __init__(self) -> None:
        self.wakes = 0
        self.stopped = asyncio.Event()
        self.ended = False

    async def run(self) -> None:
        await self.stopped.wait()
        self.ended = True

    def wake(self) -> None:
        self.wakes += 1

    def stop(self) -> None:
        self.stopped.set()


class Recorder:
    """A storage whose rounds are scripted; after the last one there is nothing to do."""

    def __init__(self, *rounds: Expanded | Exception) -> None:
        self.rounds = list(rounds)
        self.times: list[float] = []
        self.beats = 0
        self.waiting: list[list[Queue]] = []  # what each look at the queues finds; nothing behind the last
        self.old: list[int | Exception] = []  # what each prune finds to forget; nothing behind the last
        self.pruned: list[tuple[int, int]] = []
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

    async def queues(self, *, now: int) -> list[Queue]:
        return self.waiting.pop(0) if self.waiting else []

    async def prune(self, *, now: int, ended_before: int) -> int:
        self.pruned.append((now, ended_before))
        found = self.old.pop(0) if self.old else 0
        if isinstance(found, Exception):
            raise found
        return found

    async def listen(self, wake: Callable[[], None]) -> None:
        self.wake = wake

    async def rounds_begun(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.times) < count:
                await asyncio.sleep(0.001)


def done(
    *,
    more: bool = False,
    next_due_at: int | None = None,
    tasks: int = 0,
    deliveries: int = 0,
    failed: int = 0,
) -> Expanded:
    return Expanded(
        tasks=tasks,
        messages=tasks,
        deliveries=deliveries,
        failed=failed,
        more=more,
        next_due_at=next_due_at,
        lateness_ms=(("remind", 5),) * tasks,
    )


@asynccontextmanager
async def running(storage: Recorder, *senders: Woken, days: int = 30) -> AsyncIterator[Dispatcher]:
    found = Dispatcher(
        cast("Storage", storage),
        FrozenClock(),
        senders=cast("tuple[Sender, ...]", senders),
        delivery_days=days,
    )
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
    assert storage.times[50] - storage.times[0] < loop.POLL_SECONDS / 2


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
    assert storage.times[1] - storage.times[0] < loop.POLL_SECONDS / 2


async def test_a_wake_up_during_a_round_is_not_lost() -> None:
    storage = Recorder()
    storage.may_go_on.clear()
    async with running(storage):
        await storage.under_way.wait()
        storage.wake()
        storage.may_go_on.set()
        await storage.rounds_begun(2)
    assert storage.times[1] - storage.times[0] < loop.POLL_SECONDS / 2


async def test_stop_lets_the_transaction_under_way_finish_and_begins_no_other() -> None:
    storage = Recorder(done(more=True))
    storage.may_go_on.clear()
    async with running(storage) as found:
        await storage.under_way.wait()
        found.stop()
    assert (len(storage.times), storage.ended) == (1, 1)


@pytest.fixture
def log() -> StringIO:
    """What is logged, as in a real process."""
    written = StringIO()
    telemetry.log_to_stderr("info", written)
    return written


@pytest.mark.parametrize("failure", [SystemFailure(), RuntimeError("王芳"), OSError()])
async def test_a_failure_is_logged_without_its_text_and_tried_again_later(
    failure: Exception, log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "FIRST_PAUSE_SECONDS", 0.05)
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


async def test_new_deliveries_wake_the_senders_and_a_round_without_any_lets_them_sleep() -> None:
    one, two = Woken(), Woken()
    storage = Recorder(done(more=True, deliveries=3), done(more=True, tasks=1), done(more=True, deliveries=1))
    async with running(storage, one, two):
        await storage.rounds_begun(4)
    assert (one.wakes, two.wakes) == (2, 2)


async def test_it_ends_when_its_senders_have_ended() -> None:
    one, two = Woken(), Woken()
    async with running(Recorder(), one, two):
        pass
    assert one.ended
    assert two.ended


async def test_it_forgets_what_is_old_without_a_rest_while_there_is_more_and_then_seldom() -> None:
    storage = Recorder(*[done(more=True)] * 20)
    storage.old = [1000, 1000, 1]
    async with running(storage, days=3):
        await storage.rounds_begun(20)
    assert storage.pruned == [(NOW, NOW - 3 * 86_400_000)] * 4


async def test_what_is_old_keeps_the_next_round_from_sleeping() -> None:
    storage = Recorder()
    storage.old = [1000] * 50
    async with running(storage):
        await storage.rounds_begun(50)
    assert storage.times[49] - storage.times[0] < loop.POLL_SECONDS / 2


async def test_what_cannot_be_forgotten_holds_up_no_reminder(
    log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "FIRST_PAUSE_SECONDS", 0.01)
    storage = Recorder(*[done(more=True)] * 5)
    storage.old = [SystemFailure()] * 100
    async with running(storage):
        await storage.rounds_begun(5)
    assert len(storage.pruned) == 1
    assert json.loads(log.getvalue())["event"] == "dispatch failed"


def measured(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def test_it_measures_what_waits_and_says_when_nothing_of_a_kind_waits_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "BEAT_SECONDS", 0.0)
    labels = {"channel": "sms", "kind": "nudged"}
    storage = Recorder(*[done(more=True)] * 2)
    storage.waiting = [[Queue("sms", "nudged", 7, NOW - 2500)]]
    storage.may_go_on.clear()
    async with running(storage):
        await storage.rounds_begun(1)
        assert measured("huiyao_queue_depth", **labels) == 7
        assert measured("huiyao_queue_age_seconds", **labels) == 2.5
        storage.may_go_on.set()
        await storage.rounds_begun(2)
    assert measured("huiyao_queue_depth", **labels) == 0
    assert measured("huiyao_queue_age_seconds", **labels) == 0


async def test_tasks_that_were_put_off_are_counted() -> None:
    before = measured("huiyao_dispatch_tasks_put_off_total")
    assert before is not None
    storage = Recorder(done(more=True, failed=1), done(more=True, failed=1))
    async with running(storage):
        await storage.rounds_begun(3)
    assert measured("huiyao_dispatch_tasks_put_off_total") == before + 2
