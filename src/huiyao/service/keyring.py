"""The server key as a process holds it, with the keys before it, whose work is still good; how it learns of another.

A rotation (service.rotation) seals everything in the database with a new key. Of the one before the database keeps two
things: itself, sealed with the new key, so that tokens, links and addresses made with it stay good; and the new key
sealed with it, so that whoever was started with the old one gets on.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from huiyao import keys, telemetry
from huiyao.errors import OperatorError, SystemFailure
from huiyao.keys import Keys
from huiyao.rules.timing import DAY_MS
from huiyao.settings import Settings
from huiyao.storage.contract import Storage
from huiyao.storage.key_contract import KeyState

KEPT_MS: Final = 400 * DAY_MS  # how long links and addresses made with an earlier key stay good
ONWARD_MS: Final = 30 * DAY_MS  # how long an earlier key leads to the present one
POLL_SECONDS: Final = 5.0
STALE_SECONDS: Final = 10.0  # what is known is older only where the database was away
# Nothing is signed with a new key before every node has had time to learn of it, or it would be refused as forged.
SIGNS_AFTER_MS: Final = 20_000
ANOTHER_KEY: Final = (
    "This database belongs to another server key; tokens and app secrets need the one it was made with"
    " or rotated to."
)


class KeyLost(OperatorError):
    """The database was given another server key while this process was at work, and ours does not lead to it."""

    def __init__(self) -> None:
        super().__init__(ANOTHER_KEY)


class Former(msgspec.Struct, frozen=True, kw_only=True):
    """A key before the present one, as the database keeps it."""

    check: str
    retired_at: int
    tokens_until: int  # a genuine token of it expires then at the latest
    key: bytes | None  # itself, sealed with the present one; None: nothing made with it is good any more
    onward: bytes | None  # the key after it, sealed with it; None: it opens nothing any more


class Earlier(msgspec.Struct, frozen=True):
    """A key before the present one whose work may still be good."""

    keys: Keys
    retired_at: int
    tokens_until: int


class Found(msgspec.Struct, frozen=True):
    """The database's own key."""

    text: str
    keys: Keys
    superseded: bool  # what we have is a key before it


def read_former(state: KeyState) -> list[Former]:
    """The oldest first."""
    return msgspec.json.decode(state.former, type=list[Former]) if state.former else []


def write_former(former: Sequence[Former]) -> str:
    return msgspec.json.encode(former).decode()


def still_kept(former: Sequence[Former], now: int) -> list[Former]:
    """Without what is too old to be good for anything."""
    return [
        one if now < one.retired_at + ONWARD_MS else msgspec.structs.replace(one, onward=None)
        for one in former
        if now < one.retired_at + KEPT_MS
    ]


def follow(text: str, state: KeyState, *, now: int) -> Found:
    """The database's own key, from it or one before it. Raises OperatorError where this one leads nowhere."""
    onward = {one.check: one.onward for one in still_kept(read_former(state), now)}
    found, superseded = Keys.from_text(text), False
    while found.check != state.check:
        sealed = onward.pop(found.check, None)
        if sealed is None:
            raise OperatorError(ANOTHER_KEY)
        text, superseded = found.unseal_key(sealed), True
        found = Keys.from_text(text)
    return Found(text, found, superseded)


def earlier(found: Keys, state: KeyState) -> tuple[Earlier, ...]:
    """The newest first."""
    return tuple(
        Earlier(Keys.from_text(found.unseal_key(one.key)), one.retired_at, one.tokens_until)
        for one in reversed(read_former(state))
        if one.key is not None
    )


class Keyring:
    """One for a process. What it seals, `current` seals; what it opens may have been sealed before a rotation."""

    def __init__(self, current: Keys, *, earlier: Sequence[Earlier] = ()) -> None:
        self.current = current
        self.earlier = tuple(earlier)  # the newest first
        self.superseded = False  # this process was started with a key before this one
        self.lost = False  # the database has another key, to which ours does not lead
        self._source: tuple[Storage, Settings, str] | None = None  # the text: that of `current`
        self._state = KeyState(current.check, "")
        self._reading = asyncio.Lock()
        self._reads_begun = 0
        self._read_at = time.monotonic()

    @classmethod
    def opened(cls, storage: Storage, settings: Settings, found: Found, state: KeyState) -> "Keyring":
        """One that can look again."""
        made = cls(found.keys, earlier=earlier(found.keys, state))
        made.superseded = found.superseded
        made._source, made._state = (storage, settings, found.text), state
        return made

    @property
    def former(self) -> list[Former]:
        """What the database keeps of the keys before it, the oldest first."""
        return read_former(self._state)

    def replace_file(self, settings: Settings) -> None:
        """Put the present key into the key file. Raises OperatorError."""
        assert self._source
        keys.replace(keys.key_file(settings), self._source[2])
        self.superseded = False

    def seal(self, secret: str, *, app_id: int) -> bytes:
        return self.current.seal(secret, app_id=app_id)

    def unseal(self, sealed: bytes, *, app_id: int) -> str:
        """Raises OperatorError."""
        for one in (self.current, *(one.keys for one in self.earlier)):
            try:
                return one.unseal(sealed, app_id=app_id)
            except OperatorError:  # it may have been read just before a rotation
                continue
        return self.current.unseal(sealed, app_id=app_id)

    async def open(self, sealed: bytes, *, app_id: int) -> str:
        """As `unseal`, having looked whether there is another key by now. Raises OperatorError, SystemFailure."""
        try:
            return self.unseal(sealed, app_id=app_id)
        except OperatorError:
            if not await self.refresh():
                raise
        return self.unseal(sealed, app_id=app_id)

    def signing(self, now: int) -> Keys:
        """What tokens, links and addresses are made with."""
        for one in self.earlier[:1]:
            if now < one.retired_at + SIGNS_AFTER_MS:
                return one.keys
        return self.current

    def verifying(self, now: int) -> Iterator[Keys]:
        """With what links and addresses that are still good were made."""
        yield self.current
        for one in self.earlier:
            if now < one.retired_at + KEPT_MS:
                yield one.keys

    async def verify(self, good: Callable[[Keys], bool], *, now: int) -> bool:
        """Whether one of `verifying` is good. Raises SystemFailure."""
        if any(good(one) for one in self.verifying(now)):
            return True
        return await self.refresh_if_stale() and any(good(one) for one in self.verifying(now))

    async def another(self) -> Keys:
        """The key that the database has by now. Raises OperatorError where ours does not lead there."""
        if not await self.refresh() or self.lost:
            raise OperatorError(ANOTHER_KEY)
        return self.current

    async def refresh_if_stale(self) -> bool:
        """Look again where a poll is overdue: what was made on another node may have a key that is new to us.

        Whether anything changed. Whoever forges costs no look-up: it is one in STALE_SECONDS at the most.
        """
        if self._source is None or time.monotonic() < self._read_at + STALE_SECONDS:
            return False
        return await self.refresh()

    async def refresh(self) -> bool:
        """Look again; whether anything changed. Many at once look once. Raises SystemFailure."""
        before, asked = self._state, self._reads_begun
        async with self._reading:
            if self._reads_begun <= asked:  # else one that began after we came has ended
                self._reads_begun += 1
                await self._read()
        return self._state != before

    async def follow(self, stop: Callable[[], None]) -> None:
        """Look every POLL_SECONDS; where our key leads nowhere any more, call `stop` and return."""
        log = telemetry.logger()
        while not self.lost:
            await asyncio.sleep(POLL_SECONDS)
            try:
                if await self.refresh() and not self.lost:
                    log.info("server key changed")
                await self._forget()
            except SystemFailure:  # the storage has logged it
                pass
            except Exception as failure:  # the loop's edge: whatever it is, the next look may go well
                log.error("server key not read", error=telemetry.frames(failure))
        log.error("server key lost")
        stop()

    async def _read(self) -> None:
        if self._source is None:
            return
        storage, settings, text = self._source
        read_at = time.monotonic()
        state = await storage.key_state()
        self._read_at = read_at
        if state == self._state:
            return
        now = time.time_ns() // 1_000_000
        try:
            found = follow(text, state, now=now)
        except OperatorError:
            try:
                found = follow(keys.find(settings) or text, state, now=now)  # the file may hold the new one
            except OperatorError:
                self.lost = True
                return
        self.superseded = self.superseded or found.superseded
        self.current, self.earlier = found.keys, earlier(found.keys, state)
        self._source, self._state = (storage, settings, found.text), state

    async def _forget(self) -> None:
        """What is too old to be good for anything is not kept in the database either."""
        if self._source is None or not self._state.former:
            return
        former = read_former(self._state)
        kept = still_kept(former, time.time_ns() // 1_000_000)
        if kept != former:
            await self._source[0].put_former_keys(known=self._state, former=write_former(kept))
