"""Daily quotas of calls, of all processes together: each leases a block from the database and spends it by itself.

Never more than the quota is spent; less by what each process holds that dies, or when the quota is lowered: never more
than a block, what is being leased included. A day is one of UTC.
"""

import asyncio
import math
from typing import Final

from huiyao import telemetry
from huiyao.service.caller import Clock
from huiyao.service.pace import Standing
from huiyao.storage.contract import Storage

DAY_MS: Final = 86_400_000
LARGEST_BLOCK: Final = 1000
AGAIN_MS: Final = 1000  # after a database that did not answer
BLOCKS: Final = 100  # into which a smaller quota is parted


def block_of(quota: int) -> int:
    """How many calls of a quota one process holds at the most."""
    return max(1, min(LARGEST_BLOCK, quota // BLOCKS))


class _Held:
    """What this process holds of one app's quota on one day."""

    __slots__ = ("again_at", "block", "day", "lease", "left", "quota", "taken", "used_up")

    def __init__(self, day: int, quota: int) -> None:
        self.day = day
        self.quota = quota
        self.block = block_of(quota)
        self.left = 0
        self.taken = 0  # by all processes, when this one last asked
        self.used_up = False
        self.again_at = 0  # no earlier than this while there is something left
        self.lease: asyncio.Task[None] | None = None  # under way

    def raise_to(self, quota: int) -> None:
        """What is held of a smaller quota is of a larger one too."""
        self.quota, self.block, self.used_up = quota, block_of(quota), False


class Quotas:
    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._held: dict[int, _Held] = {}
        self._log = telemetry.logger().bind()

    async def spend(self, app_id: int, quota: int) -> tuple[bool, Standing]:
        """Count one call: whether one was left, and how the app stands then.

        Waits only where the database had no time to answer before. Raises SystemFailure where it does not answer.
        """
        now = self._clock.now()
        day = now // DAY_MS
        held = self._held.get(app_id)
        if held is None or held.day != day or held.quota > quota:
            held = self._held[app_id] = _Held(day, quota)
        elif held.quota < quota:
            held.raise_to(quota)
        while not held.left:
            if held.used_up:
                return False, _standing(held, now)
            await asyncio.shield(held.lease or self._begin_lease(app_id, held))
        held.left -= 1
        # Before it runs out, so that no call has to wait; and never so much that more than a block is held.
        half = held.left <= held.block // 2
        if half and held.lease is None and not held.used_up and now >= held.again_at:
            self._begin_lease(app_id, held)
        return True, _standing(held, now)

    def _begin_lease(self, app_id: int, held: _Held) -> asyncio.Task[None]:
        held.lease = asyncio.create_task(self._lease(app_id, held))
        held.lease.add_done_callback(lambda task: self._leased(app_id, held, task))
        return held.lease

    async def _lease(self, app_id: int, held: _Held) -> None:
        want, quota = held.block - held.left, held.quota
        try:
            leased = await self._storage.lease_quota(app_id, day=held.day, want=want, quota=quota)
        finally:
            held.lease = None
        held.left += leased.granted
        held.taken = leased.taken
        held.used_up = leased.granted < want and held.quota == quota

    def _leased(self, app_id: int, held: _Held, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception():  # a call that cannot do without it tells its caller
            held.again_at = self._clock.now() + AGAIN_MS
            self._log.error("quota not leased", app_id=app_id, error=type(task.exception()).__name__)


def _standing(held: _Held, now: int) -> Standing:
    """As far as this process knows: what others have taken since it last asked is not in it."""
    remaining = max(0, held.quota - held.taken) + held.left
    return Standing(held.quota, remaining, math.ceil((DAY_MS - now % DAY_MS) / 1000))
