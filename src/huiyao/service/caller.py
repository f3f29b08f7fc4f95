"""Who is calling, and what every use case works with."""

import asyncio
import time
from collections.abc import Container, Iterable, Iterator

import msgspec

from huiyao import errors
from huiyao.model import Org
from huiyao.storage.contract import Storage

ID_BLOCK = 1000
KNOWN_PEOPLE = 100_000  # of one organisation

_NOBODY: frozenset[str] = frozenset()


class _Everybody:
    def __contains__(self, uid: object) -> bool:
        return True


_EVERYBODY = _Everybody()


class Caller(msgspec.Struct, frozen=True, gc=False):
    """An app acting for one person of one organisation, or that person by text."""

    app_id: int | None  # None: by text
    org: Org
    uid: str


class Clock:
    """The moment now, epoch milliseconds; tests replace it."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000


class Ids:
    """Ids in blocks from the database, so that choosing one before the commit costs nothing."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._block: Iterator[int] = iter(())
        self._left = 0
        self._refilling = asyncio.Lock()

    async def take(self, count: int) -> Iterator[int]:
        """An iterator that gives at least `count` new ids."""
        while self._left < count:
            async with self._refilling:
                if self._left < count:  # another call may have refilled while this one waited
                    fresh = await self._storage.reserve_ids(ID_BLOCK)
                    self._block, self._left = iter(fresh), len(fresh)
        self._left -= count
        return self._block  # shared: whoever takes `count` uses no more, so the block holds out


class Services:
    """What a use case needs: a database, a clock, ids, and the people this node has seen in the directory."""

    def __init__(self, storage: Storage, clock: Clock | None = None, *, session_hours: int = 12) -> None:
        self.storage = storage
        self.clock = clock or Clock()
        self.session_hours = session_hours  # how long people stay signed in
        self.ids = Ids(storage)
        self._known: dict[int, set[str]] = {}

    def known(self, org: Org) -> Container[str]:
        """Uids the directory need not be taught: those this node has seen in it; a closed one learns nobody."""
        return _EVERYBODY if org.closed else self._known.get(org.id, _NOBODY)

    def learned(self, org_id: int, people: tuple[tuple[str, str], ...]) -> None:
        """Remember people after their commit."""
        known = self._known.setdefault(org_id, set())
        if len(known) >= KNOWN_PEOPLE:  # some are taught again; nothing is wrong with that
            known.clear()
        known.update([uid for uid, _ in people])


async def check_directory(services: Services, org: Org, uids: Iterable[str]) -> None:
    """Raises UnknownPerson for the first that a closed directory does not know; an open one learns new uids instead."""
    if org.closed:
        unknown = await services.storage.unknown_people(org.id, list(uids))
        if unknown:
            raise errors.UnknownPerson(uid=unknown[0])
