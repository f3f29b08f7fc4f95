"""The dispatcher's loop: expand what is due, sleep until the next moment, wake early when told."""

import asyncio
import os
import random
import socket
from typing import Final

from huiyao import telemetry
from huiyao.rules import announce
from huiyao.service.caller import Clock
from huiyao.storage.contract import Expanded, Storage

ROWS: Final = 2000  # attendee rows one transaction looks at, so that calls never wait long behind it
LEAST_PAUSE_SECONDS: Final = 0.02  # a due task that another dispatcher holds is no reason to spin
POLL_SECONDS: Final = 1.0  # polling is what guarantees; a wake-up is only a hint
BEAT_SECONDS: Final = 5.0
FIRST_PAUSE_SECONDS: Final = 0.5  # after a failure; doubled each time
LONGEST_PAUSE_SECONDS: Final = 30.0


class Dispatcher:
    """Any number of them may run on PostgreSQL; on SQLite the one in `serve`."""

    def __init__(self, storage: Storage, clock: Clock | None = None) -> None:
        self._storage = storage
        self._clock = clock or Clock()
        self._woken = asyncio.Event()
        self._stopping = False
        self._listening = False
        self._node = f"{socket.gethostname()}:{os.getpid()}"
        self._next_beat = 0.0  # in the event loop's time
        self._log = telemetry.logger()

    def wake(self) -> None:
        """Look at once instead of at the next poll."""
        self._woken.set()

    def stop(self) -> None:
        """Let the transaction under way finish, then return from `run`."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Until `stop`. A failure is logged and tried again, with growing, jittered pauses."""
        failures = 0
        while not self._stopping:
            self._woken.clear()
            try:
                pause = await self._round()
                failures = 0
            except Exception as failure:  # the loop's edge: whatever it is, reminders must go on
                failures += 1
                telemetry.DISPATCH_FAILURES.inc()
                self._log.error("dispatch failed", failures=failures, error=telemetry.frames(failure))
                longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(failures, 10))
                pause = longest * random.uniform(0.5, 1)  # noqa: S311
            # After a failure a wake-up is no reason to hurry: what woke us cannot be done yet.
            await self._sleep(pause, early=not failures)

    async def _round(self) -> float:
        """One transaction; answers how many seconds nothing is due behind it."""
        if not self._listening:
            await self._storage.listen(self.wake)
            self._listening = True
        await self._beat()
        now = self._clock.now()
        done = await self._storage.expand(
            now=now,
            rows=ROWS,
            decide=lambda task, meeting, answers, count: announce.notices(
                task, meeting, answers, count, now=now
            ),
            missed=lambda task, meeting: announce.missed(task, meeting, now=now),
        )
        self._count(done)
        if done.more:
            return 0
        if done.next_due_at is None:
            return POLL_SECONDS
        wait = (done.next_due_at - self._clock.now()) / 1000
        return min(POLL_SECONDS, max(LEAST_PAUSE_SECONDS, wait))

    async def _beat(self) -> None:
        moment = asyncio.get_running_loop().time()
        if moment >= self._next_beat:
            await self._storage.beat(self._node, now=self._clock.now())
            self._next_beat = moment + BEAT_SECONDS

    async def _sleep(self, seconds: float, *, early: bool) -> None:
        """Until a wake-up (where `early`), `stop`, or the time is over; calls get their turn even at 0."""
        until = asyncio.get_running_loop().time() + seconds
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        while not self._stopping:
            try:
                async with asyncio.timeout_at(until):
                    await self._woken.wait()
            except TimeoutError:
                return
            if early:
                return
            self._woken.clear()

    def _count(self, done: Expanded) -> None:
        telemetry.TASKS.inc(done.tasks)
        telemetry.MESSAGES.inc(done.messages)
        for late in done.lateness_ms:
            telemetry.LATENESS_SECONDS.observe(late / 1000)
        behind = 0 if done.next_due_at is None else max(0, self._clock.now() - done.next_due_at)
        telemetry.BEHIND_SECONDS.set(behind / 1000)
