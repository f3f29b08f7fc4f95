"""Clients that live meetings' lives at full speed, in a thread of their own, and log what they know of each call."""

import asyncio
import itertools
import random
import threading
import time
from collections.abc import Sequence
from typing import Final

import msgspec
import uvloop

from proof.calls import UNCERTAIN, Answer, Connection, Outcome
from proof.life import Author, Fate, Life, Step, Taken, perform

CLIENTS: Final = 16
AGAIN_SECONDS: Final = 0.02  # after a call that was not done
LONGEST_LIFE: Final = 8  # steps
REPEATING_SECONDS: Final = 60.0
NUDGED_LATELY: Final = 4600  # of a repeated remindagain: the first one was done


class Attempt(msgspec.Struct, frozen=True):
    """One call, in time.monotonic()."""

    outcome: Outcome
    started: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.started


class Load:
    """`start`, then `stop`; `lives` and `faults` are whole after `stop`, `attempts` only grows."""

    def __init__(
        self,
        ports: Sequence[int],
        token: str,
        *,
        org: int,
        people: Sequence[str],
        name: str,
        clients: int = CLIENTS,
    ) -> None:
        """`name` is no other load's on the same database; everything random comes from it."""
        self.lives: list[Life] = []
        self.attempts: list[Attempt] = []
        self.faults: list[str] = []  # answers that there should never be
        self._ports = list(ports)
        self._token = token
        self._org = org
        self._people = list(people)
        self._name = name
        self._clients = clients
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._run()), name="load")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Every client ends its life where it stands."""
        self._stopping.set()
        self._thread.join()

    def done_since(self, moment: float) -> float | None:
        """When a call that was begun since then was first acknowledged."""
        done = (
            one.ended
            for one in itertools.takewhile(lambda one: one.ended >= moment, reversed(self.attempts[:]))
            if one.outcome is Outcome.DONE and one.started >= moment
        )
        return min(done, default=None)

    def count(self, *outcomes: Outcome) -> int:
        return sum(one.outcome in outcomes for one in self.attempts)

    async def _run(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(self._clients)))

    async def _client(self, number: int) -> None:
        name = f"{self._name}.{number}"
        luck = random.Random(name)
        author = Author(luck, self._org, self._people, name=name)
        ports = itertools.cycle(luck.sample(self._ports, len(self._ports)))
        client = _Client(Connection(next(ports), self._token), luck, self)
        while not self.stopping:
            await client.live(author)
            if len(self._ports) > 1:
                client.connection.close()
                client.connection.port = next(ports)
        client.connection.close()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()


class _Client:
    def __init__(self, connection: Connection, luck: random.Random, load: Load) -> None:
        self.connection = connection
        self._luck = luck
        self._load = load

    async def live(self, author: Author) -> None:
        life, first, state = author.begin(_now())
        self._load.lives.append(life)
        step: Step | None = first
        while step and len(life.taken) < LONGEST_LIFE and not self._load.stopping:
            taken, goes_on = await self._take(step, life)
            if taken:
                life.taken.append(taken)
            if not taken or not goes_on:
                return
            perform(state, taken)
            step = author.next(life, state, _now())

    async def _take(self, step: Step, life: Life) -> tuple[Taken | None, bool]:
        """Ask, and again as a client may; what became of it, None if nothing was sent; and whether the life goes on.

        A call of unknown outcome is now and then repeated as it is. That ends the life, too: the first request may
        still arrive.
        """
        uncertain = False
        until = time.monotonic() + REPEATING_SECONDS
        started_at = _now()
        while True:
            answer = await self._ask(step)
            over = self._load.stopping or time.monotonic() > until
            if answer.outcome is Outcome.DONE or (uncertain and answer.status == NUDGED_LATELY):
                if step.call == "create":
                    life.id = int(answer.data["meetingInviteId"])
                return Taken(step, Fate.DONE, started_at, _now()), not uncertain
            if answer.outcome is Outcome.REFUSED:
                self._load.faults.append(
                    f"{step.call} was answered {answer.status} {answer.said}: {life.story()}"
                )
                return Taken(step, Fate.UNKNOWN if uncertain else Fate.FAILED, started_at, _now()), False
            uncertain = uncertain or answer.outcome in UNCERTAIN
            if uncertain:
                if over or self._luck.random() < 0.5:
                    return Taken(step, Fate.UNKNOWN, started_at, _now()), False
            elif answer.outcome is Outcome.FAILED and (over or self._luck.random() < 0.5):
                return Taken(step, Fate.FAILED, started_at, _now()), False
            elif over:
                return None, False
            await asyncio.sleep(AGAIN_SECONDS)
            if not uncertain:
                started_at = _now()

    async def _ask(self, step: Step) -> Answer:
        answer = await self.connection.call(step.call, {"requesterUid": step.uid, **step.body})
        self._load.attempts.append(Attempt(answer.outcome, answer.started, answer.ended))
        if answer.outcome is Outcome.HUNG:
            self._load.faults.append(f"{step.call} had no answer for {answer.seconds:.0f} s")
        return answer


def _now() -> int:
    return time.time_ns() // 1_000_000
