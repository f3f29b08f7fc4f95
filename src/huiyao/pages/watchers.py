"""The open streams of this process: whose they are, which meetings they show, and which have something to look at."""

import asyncio
import contextlib
import random
from collections.abc import Collection, Iterator
from typing import Final

from huiyao import errors, telemetry
from huiyao.storage.contract import News

STREAMS_PER_PERSON: Final = 8  # more tabs than anybody looks at; the oldest gives way
STREAMS: Final = 5_000  # of one process
# A page asks for a meeting anew when it is told, so that it is told of no more than this, and all pages together of
# one meeting no more often than that.
PAUSE_SECONDS: Final = 1.0
PAGES_PER_SECOND: Final = 200
FEW_PAGES: Final = 20  # are told at once


class Watcher:
    """One stream: what it has yet to look at, and how it is woken."""

    __slots__ = (
        "_due_at",
        "_told_at",
        "_woken",
        "changed",
        "displaced",
        "ended",
        "inbox",
        "meetings",
        "org_id",
        "uid",
    )

    def __init__(self, org_id: int, uid: str, meetings: Collection[int]) -> None:
        self.org_id = org_id
        self.uid = uid
        self.meetings = set(meetings)  # the page shows
        self.inbox = True  # there may be messages behind its cursor
        self.changed: set[int] = set()  # meetings of which to tell the page, once it is time
        self.ended = False
        self.displaced = False  # ended by another of the same person
        self._told_at = float("-inf")  # of meetings, in the event loop's time
        self._due_at = 0.0
        self._woken = asyncio.Event()

    def look(self) -> None:
        """There may be a message."""
        self.inbox = True
        self._woken.set()

    def change(self, meeting_ids: Collection[int], *, pages: int = 1) -> None:
        """Meetings have changed that as many pages show."""
        if not self.changed:
            spread = pages / PAGES_PER_SECOND
            delay = 0.0 if pages <= FEW_PAGES else spread * random.random()  # noqa: S311
            self._due_at = max(_now(), self._told_at + max(PAUSE_SECONDS, spread)) + delay
        self.changed |= self.meetings.intersection(meeting_ids)
        self._woken.set()

    def take_changed(self) -> set[int]:
        """The meetings of which it is time to tell the page; they count as told."""
        if not self.changed or _now() < self._due_at:
            return set()
        self._told_at = _now()
        taken, self.changed = self.changed, set()
        return taken

    def end(self, *, displaced: bool = False) -> None:
        self.ended = True
        self.displaced = displaced
        self._woken.set()

    async def wait(self, seconds: float) -> bool:
        """Until there is something to do, at most so long; whether there is."""
        until = _now() + seconds
        while not (self.ended or self.inbox or (self.changed and _now() >= self._due_at)):
            self._woken.clear()
            try:
                async with asyncio.timeout_at(min(until, self._due_at) if self.changed else until):
                    await self._woken.wait()
            except TimeoutError:
                if _now() >= until:
                    return False
        return True

    async def rest(self, seconds: float) -> None:
        """So long, unless it ends."""
        until = _now() + seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                while not self.ended:
                    self._woken.clear()
                    await self._woken.wait()


class Watchers:
    """All of them."""

    def __init__(self) -> None:
        self.count = 0
        self._people: dict[int, dict[str, list[Watcher]]] = {}  # by organisation; the oldest stream first
        self._meetings: dict[int, dict[int, set[Watcher]]] = {}

    def __iter__(self) -> Iterator[Watcher]:
        return iter([one for people in self._people.values() for own in people.values() for one in own])

    def admit(self) -> None:
        """Raises Overloaded where there are too many."""
        if self.count >= STREAMS:
            raise errors.Overloaded

    def enter(self, watcher: Watcher) -> None:
        """Where the person has too many, the oldest ends."""
        own = self._people.setdefault(watcher.org_id, {}).setdefault(watcher.uid, [])
        going_on = [one for one in own if not one.ended]
        if len(going_on) >= STREAMS_PER_PERSON:
            going_on[0].end(displaced=True)
        own.append(watcher)
        for meeting_id in watcher.meetings:
            self._meetings.setdefault(watcher.org_id, {}).setdefault(meeting_id, set()).add(watcher)
        self.count += 1
        telemetry.LIVE_STREAMS.inc()

    def leave(self, watcher: Watcher) -> None:
        for meeting_id in list(watcher.meetings):
            self.forget(watcher, meeting_id)
        people = self._people[watcher.org_id]
        people[watcher.uid].remove(watcher)
        if not people[watcher.uid]:
            del people[watcher.uid]
        if not people:
            del self._people[watcher.org_id]
        self.count -= 1
        telemetry.LIVE_STREAMS.dec()

    def forget(self, watcher: Watcher, meeting_id: int) -> None:
        """Its page shows this meeting no more."""
        watcher.meetings.discard(meeting_id)
        meetings = self._meetings[watcher.org_id]
        meetings[meeting_id].discard(watcher)
        if not meetings[meeting_id]:
            del meetings[meeting_id]
        if not meetings:
            del self._meetings[watcher.org_id]

    def of(self, org_id: int, uid: str) -> list[Watcher]:
        return list(self._people.get(org_id, {}).get(uid, ()))

    def organisations(self) -> list[int]:
        return list(self._people)

    def people(self, org_id: int) -> list[str]:
        return list(self._people.get(org_id, ()))

    def meetings(self, org_id: int) -> list[int]:
        return list(self._meetings.get(org_id, ()))

    def tell(self, org_id: int, news: News) -> Iterator[None]:
        """Wake those concerned, one at each step, so that whoever drives it can let others have their turn."""
        people, meetings = self._people.get(org_id, {}), self._meetings.get(org_id, {})
        for watcher in [one for uid in news.uids for one in people.get(uid, ())]:
            watcher.look()
            yield
        for meeting_id in news.meetings:
            pages = list(meetings.get(meeting_id, ()))
            for watcher in pages:
                watcher.change({meeting_id}, pages=len(pages))
                yield


def _now() -> float:
    return asyncio.get_running_loop().time()
