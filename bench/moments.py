"""How late single reminders come on an idle system, and how soon an invitation follows its commit."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import uvloop

from bench import report, seeding, servers
from huiyao.dispatch.dispatcher import Dispatcher
from huiyao.model import Kind, Org
from huiyao.rules import commands
from huiyao.service import meetings
from huiyao.service.caller import Caller, Services
from huiyao.storage.contract import Position, Storage
from huiyao.storage.opening import open_storage

ORG = Org(id=servers.ORG, name="b")
MINUTE_MS = 60_000
REMIND_MIN = 15
LOOK_SECONDS = 0.001  # between two looks into an inbox; what is measured is that much too long at most
SETTLE_SECONDS = 2.0  # from the creates of the reminders to the first one's moment
DEADLINE_SECONDS = 60


def lateness(databases: servers.Databases, *, count: int, seconds: float, rounds: int) -> dict[str, float]:
    """`count` reminders of one member, due at moments spread at random over `seconds`, to their being in the inbox."""
    url = databases.create("lateness")
    seeding.prepare(url)
    late = uvloop.run(_lateness(url, count=count, seconds=seconds, rounds=rounds))
    return {
        "reminders": count,
        "over_seconds": seconds,
        "p50_ms": report.middle([report.quantile(one, 50) for one in late], 1),
        "p99_ms": report.middle([report.quantile(one, 99) for one in late], 1),
        "max_ms": report.middle([max(one) for one in late], 1),
    }


def wake(databases: servers.Databases, *, count: int) -> dict[str, object]:
    """From a create's commit to its invitation: in this process on SQLite, told by another one on PostgreSQL."""
    url = databases.create("wake")
    seeding.prepare(url)
    if databases.kind == "sqlite":
        took = uvloop.run(_wake(url, count=count, here=True))
    else:
        with servers.dispatching(url):
            took = uvloop.run(_wake(url, count=count, here=False))
    return {
        "processes": 1 if databases.kind == "sqlite" else 2,
        "commits": count,
        "p50_ms": round(report.quantile(took, 50), 2),
        "p99_ms": round(report.quantile(took, 99), 2),
    }


@asynccontextmanager
async def _opened(url: str, *, dispatching: bool) -> AsyncIterator[Storage]:
    """The database, with a dispatcher at work here where asked."""
    storage = await open_storage(url)
    dispatcher = Dispatcher(storage)
    running = asyncio.create_task(dispatcher.run()) if dispatching else None
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while await storage.last_beat() is None:
                await asyncio.sleep(LOOK_SECONDS)
        yield storage
    finally:
        dispatcher.stop()
        if running:
            await running
        await storage.close()


async def _lateness(url: str, *, count: int, seconds: float, rounds: int) -> list[list[float]]:
    async with _opened(url, dispatching=True) as storage:
        services = Services(storage)
        return [await _late(services, f"watched{n}", count=count, seconds=seconds) for n in range(rounds)]


async def _late(services: Services, uid: str, *, count: int, seconds: float) -> list[float]:
    """How many milliseconds after its moment each reminder was there."""
    start = services.clock.now() + int(SETTLE_SECONDS * 1000)
    moments = [start + int(random.random() * seconds * 1000) for _ in range(count)]
    ids = await asyncio.gather(*[_create(services, uid, remind_at=moment) for moment in moments])
    waits = dict(zip(ids, moments, strict=True))
    late = []
    end = Position(0, 0)
    async with asyncio.timeout(SETTLE_SECONDS + seconds + DEADLINE_SECONDS):
        while waits:
            await asyncio.sleep(max(LOOK_SECONDS, min(waits.values()) / 1000 - time.time()))
            page = await services.storage.inbox(ORG.id, uid, after=end, size=50)
            there = time.time() * 1000
            end = page.end
            for message in page.messages:
                if message.kind == Kind.REMINDER:
                    late.append(there - waits.pop(message.meeting_id))
    return late


async def _wake(url: str, *, count: int, here: bool) -> list[float]:
    """Milliseconds from each commit to its invitation."""
    took = []
    async with _opened(url, dispatching=here) as storage, asyncio.timeout(DEADLINE_SECONDS + count):
        services = Services(storage)
        end = Position(0, 0)
        for _ in range(count):
            await asyncio.sleep(random.random() / 10)
            await _create(services, "watched", remind_at=services.clock.now() + 60 * MINUTE_MS)
            committed = time.perf_counter()
            messages: Sequence[object] = ()
            while not messages:
                page = await storage.inbox(ORG.id, "watched", after=end, size=50)
                messages, end = page.messages, page.end
                if not messages:
                    await asyncio.sleep(LOOK_SECONDS)
            took.append((time.perf_counter() - committed) * 1000)
    return took


async def _create(services: Services, uid: str, *, remind_at: int) -> int:
    begin_at = remind_at + REMIND_MIN * MINUTE_MS
    detail = commands.Detail(
        content="第三季度预算讨论会，请各部门负责人准备材料",
        address="总部大楼三层第一会议室",
        begin_at=begin_at,
        end_at=begin_at + 60 * MINUTE_MS,
        remind_min=REMIND_MIN,
        remind_type=0,
        create_time=None,
        invitees=(commands.Invitee(uid, "张三丰"),),
    )
    caller = Caller(app_id=1, org=ORG, uid="organizer")
    return await meetings.create(services, caller, commands.Create(requester_name="王芳", detail=detail))
