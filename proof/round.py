"""One fault under load, and what became of it: how long nobody was served, how fast calls were answered meanwhile."""

import random
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import msgspec

from bench.report import quantile
from proof import judge, records
from proof.calls import Outcome
from proof.house import LAST_SECONDS, House, inboxes_of, now, texts_of
from proof.load import Attempt, Load
from proof.result import Measure
from tests.acceptance.process import eventually

BACK_SECONDS: Final = 60.0  # after which it counts as not having come back
RUN_UP_SECONDS: Final = (0.3, 1.5)  # of load before the fault strikes
AFTER_SECONDS: Final = 0.3  # of load once calls are done again

# In time.monotonic(): when the fault struck, and from when on it is Huiyao's own time that passes.
Moments: TypeAlias = tuple[float, float]


class Told(msgspec.Struct):
    """What all rounds of a program came to."""

    back: list[float] = []  # seconds until the first call that was begun behind the fault was done
    outage: list[float] = []  # seconds that each call took which came in between
    settled: list[float] = []
    wrong: list[str] = []
    done: int = 0
    uncertain: int = 0
    failed: int = 0
    refused: int = 0

    def count(self, load: Load) -> None:
        self.done += load.count(Outcome.DONE)
        self.uncertain += load.count(Outcome.UNKNOWN, Outcome.HUNG)
        self.failed += load.count(Outcome.FAILED)
        self.refused += load.count(Outcome.AWAY)

    def counted(self) -> str:
        return (
            f"{self.done:,} calls acknowledged, {self.uncertain:,} of unknown outcome, {self.failed:,} answered -1,"
            f" {self.refused:,} found nobody"
        )

    def measures(self, *, back: float, answered: float | None = None) -> tuple[Measure, ...]:
        """`back` and `answered` are what is allowed, in seconds."""
        found = [
            Measure(what="back after, median", value=_middle(self.back), unit="s"),
            Measure(what="back after, at most", value=_most(self.back), unit="s", at_most=back),
        ]
        if self.outage:
            found += [
                Measure(what="answers meanwhile, p99", value=_round(quantile(self.outage, 99)), unit="s"),
                Measure(
                    what="answers meanwhile, slowest", value=_most(self.outage), unit="s", at_most=answered
                ),
            ]
        return tuple(found)


def strike(house: House, told: Told, fault: Callable[[], Moments], luck: random.Random) -> None:
    """Load; the fault; load until calls are done again; then judge what is there.

    `fault` returns once Huiyao is to come back by itself.
    """
    load = house.load()
    began_at = now()
    load.start()
    try:
        time.sleep(luck.uniform(*RUN_UP_SECONDS))
        struck, mended = fault()
        back = eventually(lambda: load.done_since(mended), seconds=BACK_SECONDS, what="a call that is done")
        time.sleep(AFTER_SECONDS)
    finally:
        load.stop()
    told.back.append(back - mended)
    told.outage += [one.seconds for one in between(load.attempts, struck, back)]
    told.count(load)
    told.wrong += load.faults
    told.settled.append(house.settle())
    told.wrong += judge.mistakes(load.lives, records.read(house.url, since=began_at))
    print(".", end="", file=sys.stderr, flush=True)  # a program of many faults takes minutes


def between(attempts: Sequence[Attempt], start: float, end: float) -> list[Attempt]:
    """Those that were under way at some time in between."""
    return [one for one in attempts if one.ended > start and one.started < end]


def conclude(house: House, told: Told) -> int:
    """Once nothing is to come any more, judge every life again, and the texts; how many of those came twice."""
    time.sleep(LAST_SECONDS)
    house.settle()
    found = records.read(house.url, since=house.began_at)
    lives = [life for load in house.loads for life in load.lives]
    told.wrong += [f"at the end: {one}" for one in judge.mistakes(lives, found)]
    left = sum(
        one.tasks["answered"] + one.tasks["announce"] for ones in found.meetings.values() for one in ones
    )
    if left:
        told.wrong.append(f"{left} tasks were left undone")
    wrong, repeated = texts_of(house)
    told.wrong += wrong
    told.wrong += inboxes_of(house)
    return repeated


def _middle(values: Sequence[float]) -> float:
    return _round(quantile(values, 50))


def _most(values: Sequence[float]) -> float:
    return _round(max(values))


def _round(seconds: float) -> float:
    return round(seconds, 3)
