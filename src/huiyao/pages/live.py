"""Live events: what pages that stay open are told over server-sent events (design section 5, point 5).

One hub in each process looks, when woken or by polling, whose inboxes and which meetings have something new, and wakes
those streams; each stream then reads its own inbox behind its own cursor, so that it neither loses nor repeats.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from typing import Final

from huiyao import errors, telemetry
from huiyao.pages.reader import Reader
from huiyao.pages.watchers import Watcher, Watchers
from huiyao.service.caller import Services
from huiyao.storage.contract import News, Position
from huiyao.wire import events

LOOK_PAUSE_SECONDS: Final = 0.05  # between two looks, at least
POLL_SECONDS: Final = 2.0  # and at most; a wake is only a hint
ASKED_AT_ONCE: Final = 1_000  # people in one question to the database
WOKEN_AT_ONCE: Final = 50  # streams, before calls get their turn
READERS: Final = 4  # streams that read at the same time: the database's few connections are for calls too
HEARTBEAT_SECONDS: Final = 20.0  # proxies close what is silent for longer, and who has gone is found
STILL_SECONDS: Final = 15.0  # between two questions whether the session goes on
RETRY_SECONDS: Final = 2.0  # where the database does not answer


class Live:
    """The hub of one process, and its streams."""

    def __init__(self, services: Services) -> None:
        self._storage = services.storage
        self._watchers = Watchers()
        self._seen: int | None = None  # the horizon below which everybody was told; None: nobody is there
        self._occupied = asyncio.Event()
        self._woken = asyncio.Event()
        self._reading = asyncio.Semaphore(READERS)
        self._stopping = False
        self._log = telemetry.logger()

    @property
    def streams(self) -> int:
        """How many pages of this process listen now."""
        return self._watchers.count

    async def run(self) -> None:
        """Until `stop`. Asks the database nothing while nobody is connected."""
        clock = asyncio.get_running_loop().time
        watching = False
        pause = POLL_SECONDS
        while True:
            await self._occupied.wait()
            if self._stopping:
                return
            # What woke us may not be below the horizon yet: look again soon, then ever less often.
            pause = LOOK_PAUSE_SECONDS if self._woken.is_set() else min(1.5 * pause, POLL_SECONDS)
            self._woken.clear()
            try:
                if not watching:
                    await self._storage.watch(self._woken.set)
                    watching = True
                await self._look()
            except errors.SystemFailure:  # the storage has logged it
                pass
            except Exception as failure:  # the loop's edge: whatever it is, pages must go on
                self._log.error("live failed", error=telemetry.frames(failure))
            looked_at = clock()
            await asyncio.sleep(LOOK_PAUSE_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(looked_at + pause):
                    await self._woken.wait()

    def stop(self) -> None:
        """End every stream, and those that come later at once; then `run`."""
        self._stopping = True
        self._occupied.set()
        self._woken.set()
        for watcher in self._watchers:
            watcher.end()

    def sign_out(self, org_id: int, uid: str) -> None:
        """End this person's streams here now; those of other processes end when they ask again."""
        for watcher in self._watchers.of(org_id, uid):
            watcher.end()

    def admit(self, org_id: int, uid: str) -> None:
        """Raises Overloaded where this process has too many streams; a person who has too many loses the oldest."""
        self._watchers.admit()

    async def stream(
        self,
        org_id: int,
        uid: str,
        *,
        locale: str,
        timezone: str,
        after: Position,
        meetings: Collection[int] = (),
        since: int,
        still: Callable[[], Awaitable[bool]],
    ) -> AsyncGenerator[bytes, None]:
        """Server-sent events: the person's messages behind `after`, in order, each once; and changes of those of
        `meetings` that are the person's, from the horizon `since` on.

        Ends when the process stops, and where `still`, asked every STILL_SECONDS, answers False. While the database
        fails, it waits.
        """
        clock = asyncio.get_running_loop().time
        watcher = Watcher(org_id, uid, meetings)
        reader = Reader(
            self._storage,
            self._watchers,
            watcher,
            after=after,
            since=since,
            locale=locale,
            timezone=timezone,
        )
        self._enter(watcher)
        try:
            yield events.OPENING
            asked_at = clock()
            while not watcher.ended:
                try:
                    if clock() - asked_at >= STILL_SECONDS:
                        if not await still():
                            return
                        asked_at = clock()
                    frames = await self._read(reader)
                except errors.SystemFailure:
                    await watcher.rest(RETRY_SECONDS)
                    frames = events.HEARTBEAT
                if frames:
                    yield frames
                elif not await watcher.wait(HEARTBEAT_SECONDS):
                    yield events.HEARTBEAT
            if watcher.displaced:
                yield events.DISPLACED
        finally:
            self._leave(watcher)

    def _enter(self, watcher: Watcher) -> None:
        self._watchers.enter(watcher)
        if self._stopping:
            watcher.end()
        self._occupied.set()

    def _leave(self, watcher: Watcher) -> None:
        self._watchers.leave(watcher)
        if not self._watchers.count and not self._stopping:
            self._occupied.clear()
            self._seen = None

    async def _read(self, reader: Reader) -> bytes:
        async with self._reading:
            if self._seen is None:  # before the first stream reads: from here on the hub tells
                horizon = await self._storage.horizon()
                if self._seen is None:
                    self._seen = horizon
            return await reader.read(seen=self._seen)

    async def _look(self) -> None:
        """Wake every stream that has something new since the last look."""
        since = self._seen
        if since is None:
            return
        until = await self._storage.horizon()
        if until < since:  # another server has taken over, with transaction numbers of its own
            for watcher in self._watchers:
                watcher.look()
        elif until > since:
            # Whoever comes meanwhile reads behind `until`.
            for org_id in self._watchers.organisations():
                await self._ask(org_id, since=since, until=until)
        if self._seen == since:  # not: everybody has left, and perhaps others have come
            self._seen = until

    async def _ask(self, org_id: int, *, since: int, until: int) -> None:
        people, meetings = self._watchers.people(org_id), self._watchers.meetings(org_id)
        for first in range(0, len(people), ASKED_AT_ONCE):
            asked = people[first : first + ASKED_AT_ONCE]
            await self._tell(
                org_id, await self._storage.news(org_id, asked, meetings, since=since, until=until)
            )
            meetings = []  # asked about once

    async def _tell(self, org_id: int, news: News) -> None:
        for number, _ in enumerate(self._watchers.tell(org_id, news)):
            if number % WOKEN_AT_ONCE == WOKEN_AT_ONCE - 1:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
