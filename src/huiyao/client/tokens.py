"""The app's access token: fetched when needed, renewed ahead of its end, by one at a time (contract section 2).

The current one is asked for (flags=0), never a new one by force: many processes of one app then share a token
instead of superseding each other's.
"""

import copy
import random
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from huiyao.client.answers import Token
from huiyao.client.errors import ApiError, HuiyaoError, Unreachable
from huiyao.client.ground import Ground

# A server gives its current token again while it has five minutes left: asked earlier than that, it gives no new one.
AHEAD_SECONDS: Final = 300.0
# When within that time to renew is drawn at random, so that the processes of one app do not all come at once and the
# first to come gets the token for all of them.
EARLIEST, LATEST = 0.9, 0.2
RENEWAL_SECONDS: Final = 5.0  # for a renewal whose caller has a good token still
AGAIN_SECONDS: Final = 10.0  # after one that failed


class _Held(msgspec.Struct, frozen=True):
    text: str
    renew_at: float
    good_until: float

    def usable(self, now: float, *, refused: str) -> bool:
        return now < self.good_until and self.text != refused


class Tokens:
    """One app's token, for any number of tasks or threads."""

    def __init__(self, ground: Ground, fetch: Callable[[float], Awaitable[Token]]) -> None:
        """`fetch` gets a token by the moment given, or raises HuiyaoError."""
        self._ground = ground
        self._fetch = fetch
        self._turn = ground.turn()
        self._held = _Held("", 0.0, 0.0)
        self._refused: ApiError | None = None  # how the server answered last, if it gave no token
        self._refusals = 0

    async def current(self, *, refused: str, until: float) -> str:
        """A token that is not `refused`, as far as the server gives another; at the latest at `until`.

        Raises HuiyaoError.
        """
        held, now = self._held, self._ground.now()
        usable = held.usable(now, refused=refused)
        if usable and (now < held.renew_at or self._turn.taken()):  # somebody is renewing it
            return held.text
        refusals = self._refusals
        if not await self._turn.take(until - now):
            raise Unreachable("no access token came within the deadline")
        try:
            held, now = self._held, self._ground.now()
            if held.usable(now, refused=refused):
                if now < held.renew_at:  # renewed while this one waited
                    return held.text
                return await self._renewed_ahead(held, until=min(until, now + RENEWAL_SECONDS))
            if self._refused is not None and self._refusals != refusals:
                raise copy.copy(self._refused)  # the server would tell everyone who waited the same
            return await self._renewed(until)
        finally:
            self._turn.give_back()

    async def _renewed_ahead(self, held: _Held, *, until: float) -> str:
        """A new token, or the one that is good still where none can be had."""
        try:
            return await self._renewed(until)
        except HuiyaoError:
            again_at = self._ground.now() + AGAIN_SECONDS * random.uniform(0.5, 1.0)  # noqa: S311
            self._held = msgspec.structs.replace(held, renew_at=again_at)
            return held.text

    async def _renewed(self, until: float) -> str:
        asked_at = self._ground.now()
        try:
            token = await self._fetch(until)
        except ApiError as error:
            self._refused, self._refusals = error, self._refusals + 1
            raise
        good_until = asked_at + token.expires_in
        ahead = min(AHEAD_SECONDS, token.expires_in / 2) * random.uniform(LATEST, EARLIEST)  # noqa: S311
        self._held = _Held(token.access_token, good_until - ahead, good_until)
        return token.access_token
