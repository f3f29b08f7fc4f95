"""How many texts a sender begins and acknowledges in a second where the gateway costs nothing: the channel log:."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, cast

import uvloop

from bench import driving, report, seeding, servers
from huiyao.channels.log import Log
from huiyao.dispatch.sender import Sender
from huiyao.model import Delivery, DeliveryState
from huiyao.storage.contract import Amend, Storage
from huiyao.storage.opening import open_storage

MEMBERS = 10
DAILY_LIMIT = 20
WAIT_SECONDS = 60


class Counted:
    """A storage that tells when so many deliveries have been sent."""

    def __init__(self, storage: Storage, count: int) -> None:
        self._storage = storage
        self._left = count
        self.finished: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    async def amend_deliveries(self, amendments: Sequence[tuple[int, int, Amend]]) -> list[Delivery | None]:
        written = await self._storage.amend_deliveries(amendments)
        self._left -= sum(one is not None and one.state == DeliveryState.SENT for one in written)
        if self._left <= 0 and not self.finished.done():
            self.finished.set_result(time.perf_counter())
        return written


def texts(databases: servers.Databases, *, count: int, rounds: int) -> dict[str, object]:
    """Reminders due at once that go out as texts too: until they are queued, and then until all are sent."""
    meetings = count // MEMBERS
    url = databases.create("texts")
    seeding.prepare(url)
    seeding.directory(url)
    seeding.fill(
        url,
        seeding.Meetings(
            first=seeding.FIRST_ID, count=meetings, members=MEMBERS, due_at=seeding.DUE_AT, remind_type=1
        ),
    )
    queued, sent = [], []
    for _ in range(rounds):
        with databases.copied("texts") as copy:
            drained = driving.drain(copy, due_at=seeding.DUE_AT)
            if drained.deliveries != meetings * MEMBERS:
                raise RuntimeError(f"{drained.deliveries} texts were queued")
            queued.append(drained.seconds)
            databases.settle()
            sent.append(uvloop.run(_send(copy, drained.deliveries)))
    return {
        "texts": meetings * MEMBERS,
        "told_and_queued_s": report.middle(queued, 3),
        "sent_per_second": round(meetings * MEMBERS / report.middle(sent, 4)),
    }


async def _send(url: str, count: int) -> float:
    """Seconds until so many deliveries that are due have been sent."""
    storage = await open_storage(url)
    try:
        counted = Counted(storage, count)
        sender = Sender(
            cast("Storage", counted),
            Log(),
            daily_limit=DAILY_LIMIT,
            wait_seconds=WAIT_SECONDS,
            clock=driving.Shifted(seeding.DUE_AT + driving.DEADLINE_SECONDS * 1000),
        )
        started = time.perf_counter()
        running = asyncio.create_task(sender.run())
        ended = await driving.outcome(counted.finished)
        sender.stop()
        await running
    finally:
        await storage.close()
    return ended - started
