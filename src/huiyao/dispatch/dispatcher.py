"""The dispatcher: expands what is due into messages and deliveries, keeps house, and has its senders send."""

import asyncio
import os
import socket
from collections.abc import Sequence
from typing import Final

from huiyao import telemetry
from huiyao.dispatch.loop import POLL_SECONDS, Loop
from huiyao.dispatch.sender import Sender
from huiyao.rules import announce, timing
from huiyao.service.caller import Clock
from huiyao.storage.contract import Expanded, Storage

ROWS: Final = 2000  # attendee rows one transaction looks at, so that calls never wait long behind it
LEAST_PAUSE_SECONDS: Final = 0.02  # a due task that another dispatcher holds is no reason to spin
BEAT_SECONDS: Final = 5.0
INBOX: Final = "inbox"  # the channel of messages, in metrics
PRUNE_SECONDS: Final = 60.0  # between two looks for what can be forgotten


class Dispatcher(Loop):
    """Any number of them may run on PostgreSQL; on SQLite the one in `serve`."""

    name = "dispatch"

    def __init__(
        self,
        storage: Storage,
        clock: Clock | None = None,
        *,
        senders: Sequence[Sender] = (),
        courier: Loop | None = None,
        delivery_days: int = 30,
    ) -> None:
        super().__init__()
        self._storage = storage
        self._clock = clock or Clock()
        self._senders = senders
        self._courier = courier  # of what is told to apps
        self._kept_ms = delivery_days * timing.DAY_MS
        self._listening = False
        self._node = f"{socket.gethostname()}:{os.getpid()}"
        self._next_beat = 0.0  # in the event loop's time
        self._next_prune = 0.0
        self._queues: set[tuple[str, str]] = set()

    async def run(self) -> None:
        """Until `stop`, its senders too. What goes wrong is logged and tried again."""
        helping: list[Loop] = [*self._senders, *([self._courier] if self._courier else [])]
        sending = [asyncio.create_task(one.run()) for one in helping]
        try:
            await super().run()
            for one in helping:
                one.stop()
            await asyncio.gather(*sending)
        finally:
            for task in sending:
                task.cancel()

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
        if self._courier:
            self._courier.wake()  # what woke this loop may have something to tell apps too
        if done.deliveries:
            for sender in self._senders:
                sender.wake()
        pruned = await self._prune()  # also while there is no rest
        if done.more or pruned:
            return 0
        if done.next_due_at is None:
            return POLL_SECONDS
        wait = (done.next_due_at - self._clock.now()) / 1000
        return min(POLL_SECONDS, max(LEAST_PAUSE_SECONDS, wait))

    async def _beat(self) -> None:
        moment = asyncio.get_running_loop().time()
        if moment < self._next_beat:
            return
        self._next_beat = moment + BEAT_SECONDS
        now = self._clock.now()
        await self._storage.beat(self._node, now=now)
        found = {(one.channel, one.kind): one for one in await self._storage.queues(now=now)}
        for labels in self._queues | found.keys():
            one = found.get(labels)
            telemetry.QUEUE_DEPTH.labels(*labels).set(one.depth if one else 0)
            age_ms = max(0, now - one.oldest_at) if one else 0
            telemetry.QUEUE_AGE_SECONDS.labels(*labels).set(age_ms / 1000)
        self._queues |= found.keys()

    async def _prune(self) -> bool:
        """Forget what is old, some at a time; True while there is more."""
        moment = asyncio.get_running_loop().time()
        if moment < self._next_prune:
            return False
        self._next_prune = moment + PRUNE_SECONDS  # where it fails, nothing that is due waits for it
        now = self._clock.now()
        gone = await self._storage.prune(now=now, ended_before=now - self._kept_ms)
        if gone:
            self._next_prune = moment
        return gone > 0

    def _count(self, done: Expanded) -> None:
        telemetry.TASKS.inc(done.tasks)
        telemetry.MESSAGES.inc(done.messages)
        telemetry.TASKS_PUT_OFF.inc(done.failed)
        for kind, late_ms in done.lateness_ms:
            telemetry.LATENESS_SECONDS.labels(INBOX, kind).observe(late_ms / 1000)
        behind = 0 if done.next_due_at is None else max(0, self._clock.now() - done.next_due_at)
        telemetry.BEHIND_SECONDS.set(behind / 1000)
