"""Daily quotas in blocks: never over, hardly under, and the database asked before a block runs out."""

import asyncio
from typing import Any

import pytest

from huiyao import errors
from huiyao.service.caller import Clock
from huiyao.service.pace import Standing
from huiyao.service.quotas import DAY_MS, Quotas, block_of
from huiyao.storage.contract import Leased

NOON = 20_000 * DAY_MS + DAY_MS // 2


class Ledger:
    """What the database does, for any number of processes; it answers when `gate` is open."""

    def __init__(self) -> None:
        self.taken: dict[tuple[int, int], int] = {}
        self.wants: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.away = False

    async def lease_quota(self, app_id: int, *, day: int, want: int, quota: int) -> Leased:
        self.wants.append(want)
        await self.gate.wait()
        if self.away:
            raise errors.SystemFailure
        taken = self.taken.get((app_id, day), 0)
        granted = max(0, min(want, quota - taken))
        self.taken[app_id, day] = taken + granted
        return Leased(granted, taken + granted)


class HandClock(Clock):
    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> int:
        return self.at


class Process(Quotas):
    def __init__(self, ledger: Any, clock: Clock) -> None:
        super().__init__(ledger, clock)

    async def count(self, quota: int, tries: int) -> int:
        """How many of that many tries get a call."""
        got = 0
        for _ in range(tries):
            got += (await self.spend(7, quota))[0]
            await asyncio.sleep(0)  # a lease under way comes back
        return got


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.mark.parametrize("quota", [1, 2, 7, 99, 100, 101, 999, 5000])
async def test_one_process_gives_exactly_the_quota(clock: HandClock, quota: int) -> None:
    assert await Process(Ledger(), clock).count(quota, quota + 50) == quota


@pytest.mark.parametrize("quota", [1, 3, 100, 1234])
async def test_processes_together_give_never_more_and_hardly_less(clock: HandClock, quota: int) -> None:
    ledger = Ledger()
    processes = [Process(ledger, clock) for _ in range(4)]
    given = await asyncio.gather(*(one.count(quota, quota) for one in processes))
    assert sum(given) == quota, "all of them went on until there was nothing left"
    unlucky = Ledger()
    dying = Process(unlucky, clock)
    given_first = await dying.count(quota, 1)
    rest = await Process(unlucky, clock).count(quota, 2 * quota)
    assert quota - block_of(quota) <= given_first + rest <= quota


async def test_no_call_waits_for_the_database_but_the_first(clock: HandClock) -> None:
    ledger = Ledger()
    process = Process(ledger, clock)
    await process.spend(7, 10_000)
    for _ in range(1000):
        spending = process.spend(7, 10_000)
        with pytest.raises(StopIteration):  # it ends without ever giving way to the loop
            spending.send(None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert max(ledger.wants) == block_of(10_000) == 100
    assert len(ledger.wants) < 30


async def test_a_database_that_is_slow_has_half_a_block_of_time(clock: HandClock) -> None:
    ledger = Ledger()
    process = Process(ledger, clock)
    await process.spend(7, 10_000)
    ledger.gate.clear()
    assert await process.count(10_000, 49) == 49
    assert ledger.wants == [100, 50], "asked for what will be missing, while half is left"
    assert await process.count(10_000, 50) == 50
    ledger.gate.set()
    assert await process.count(10_000, 50) == 50


async def test_no_process_ever_holds_more_than_a_block(clock: HandClock) -> None:
    ledger = Ledger()
    process = Process(ledger, clock)
    for spent in range(1, 3000):
        await process.spend(7, 100_000)
        await asyncio.sleep(0)
        assert sum(ledger.taken.values()) - spent <= block_of(100_000)


async def test_calls_at_once_share_one_lease(clock: HandClock) -> None:
    ledger = Ledger()
    ledger.gate.clear()
    process = Process(ledger, clock)
    spending = [asyncio.create_task(process.spend(7, 10_000)) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert ledger.wants == [100]
    spending[0].cancel()
    ledger.gate.set()
    done = await asyncio.gather(*spending[1:])
    assert all(left for left, _ in done)


async def test_the_day_is_one_of_utc(clock: HandClock) -> None:
    process = Process(Ledger(), clock)
    assert await process.count(5, 9) == 5
    assert await process.spend(7, 5) == (False, Standing(5, 0, 43_200))
    clock.at = 20_001 * DAY_MS - 1
    assert await process.spend(7, 5) == (False, Standing(5, 0, 1))
    clock.at += 1
    assert await process.spend(7, 5) == (True, Standing(5, 4, 86_400))


async def test_a_quota_that_is_raised_counts_at_once_and_one_that_is_lowered_too(clock: HandClock) -> None:
    process = Process(Ledger(), clock)
    assert await process.count(5, 9) == 5
    assert await process.count(8, 9) == 3
    assert await process.count(6, 9) == 0


async def test_what_is_held_of_a_quota_that_is_raised_is_not_lost(clock: HandClock) -> None:
    ledger = Ledger()
    process = Process(ledger, clock)
    assert await process.count(1000, 1) == 1, "of a block of ten"
    assert await process.count(2000, 2500) == 1999
    ledger.gate.clear()
    late = asyncio.create_task(process.spend(7, 3000))  # and a lease of the smaller one that comes back late
    await asyncio.sleep(0)
    raised = asyncio.create_task(process.spend(7, 4000))
    await asyncio.sleep(0)
    ledger.gate.set()
    assert [(await one)[0] for one in (late, raised)] == [True, True]
    assert await process.count(4000, 2500) == 1998


async def test_a_lease_under_way_counts_to_the_block(clock: HandClock) -> None:
    """Whoever kills a process then loses what it held and what it was about to get: never more than a block."""
    ledger = Ledger()
    process = Process(ledger, clock)
    await process.spend(7, 10_000)
    held = process._held[7]
    for spent in range(500):
        if spent % 30 < 20 and held.left > 1:  # now and then the database is slow
            ledger.gate.clear()
        else:
            ledger.gate.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await process.spend(7, 10_000)
        await asyncio.sleep(0)
        assert held.left + (ledger.wants[-1] if held.lease else 0) <= block_of(10_000)
    assert len(ledger.wants) > 5


async def test_a_database_that_is_away_fails_calls_only_once_the_block_is_spent(clock: HandClock) -> None:
    ledger = Ledger()
    process = Process(ledger, clock)
    await process.spend(7, 10_000)
    ledger.away = True
    assert await process.count(10_000, 99) == 99
    with pytest.raises(errors.SystemFailure):
        await process.spend(7, 10_000)
    ledger.away = False
    assert await process.count(10_000, 10) == 10
