"""A sender at work in the tests, on any storage: one that refuses now and then too."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from prometheus_client import REGISTRY

from huiyao.dispatch.sender import Sender
from huiyao.errors import SystemFailure
from huiyao.model import Delivery, RemindType
from huiyao.storage.contract import Amend, Begun, Storage
from tests.storage.gateway import Gateway
from tests.storage.node import HOUR, NOW, Node, until

WAIT_SECONDS: Final = 60  # for a receipt
WAIT: Final = WAIT_SECONDS * 1000


def sender_to(node: Node, gateway: Gateway, storage: Storage | None = None, **options: Any) -> Sender:
    known: dict[str, Any] = {"daily_limit": 1000, "wait_seconds": WAIT_SECONDS, "clock": node.clock}
    return Sender(storage or node.storage, gateway, **(known | options))


@asynccontextmanager
async def running(
    node: Node, gateway: Gateway, storage: Storage | None = None, **options: Any
) -> AsyncIterator[Sender]:
    """A sender at work, in real time but for the node's clock."""
    found = sender_to(node, gateway, storage, **options)
    task = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        found.stop()
        gateway.open.set()
        async with asyncio.timeout(5):
            await task
    assert gateway.closed


async def texts_for(node: Node, *uids: str, begin_at: int = NOW + 24 * HOUR) -> int:
    """A meeting whose invitations wait to be sent to these people's numbers."""
    await node.people(*uids)
    meeting_id = await node.create(*uids, begin_at=begin_at, remind_type=RemindType.SMS)
    await node.expand_all()
    return meeting_id


async def until_outcomes(node: Node, *expected: tuple[str, str], uid: str | None = None) -> None:
    """Wait until the deliveries have these states and reasons, the oldest first."""

    async def there() -> bool:
        return [(one.state, one.reason) for one in await node.deliveries(uid)] == list(expected)

    await until(there, seconds=5)


def measured(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class Unreliable:
    """A storage that refuses some of what a sender writes: as often as it is told, or whatever names `poison`."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.refusals = 0
        self.poison: int | None = None
        self.begins = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    async def amend_deliveries(self, amendments: Sequence[tuple[int, int, Amend]]) -> list[Delivery | None]:
        self._refuse(poisoned=any(one == self.poison for _, one, _ in amendments))
        return await self._storage.amend_deliveries(amendments)

    async def begin_deliveries(self, channel: str, **rest: Any) -> Begun:
        self.begins += 1
        self._refuse(poisoned=False)
        return await self._storage.begin_deliveries(channel, **rest)

    def _refuse(self, *, poisoned: bool) -> None:
        if self.refusals:
            self.refusals -= 1
            raise SystemFailure
        if poisoned:
            raise SystemFailure
