"""A loop that looks, sleeps until something is due, wakes early when told, and goes on whatever happens."""

import asyncio
import random
from typing import Final

from huiyao import telemetry

POLL_SECONDS: Final = 1.0  # polling is what guarantees; a wake-up is only a hint
FIRST_PAUSE_SECONDS: Final = 0.5  # after a failure; doubled each time
LONGEST_PAUSE_SECONDS: Final = 5.0


class Loop:
    """Subclasses say what one round is."""

    name = "loop"  # in logs and metrics

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._stopping = False
        self._log = telemetry.logger()

    def wake(self) -> None:
        """Look at once instead of at the next poll."""
        self._woken.set()

    def stop(self) -> None:
        """Let what is under way finish, then return from `run`."""
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
                self._log.error(f"{self.name} failed", failures=failures, error=telemetry.frames(failure))
                longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(failures, 10))
                pause = longest * random.uniform(0.5, 1)  # noqa: S311
            # After a failure a wake-up is no reason to hurry: what woke us cannot be done yet.
            await self._sleep(pause, early=not failures)

    async def _round(self) -> float:
        """Do what is due; answers how many seconds there is nothing to do behind it."""
        raise AssertionError("a loop without rounds")

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
