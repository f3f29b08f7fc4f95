"""Which app is calling and for which organisation: access tokens, grants, and what a node remembers of both.

A token is "app.generation.expiry.MAC" with `_` between the parts; the MAC is checked before any look-up
(contract section 2). It is derived again when asked for and never stored.
"""

import hmac
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import msgspec

from huiyao import errors
from huiyao.keys import Keys
from huiyao.model import App, Generation, Org
from huiyao.service.caller import Clock
from huiyao.service.keyring import Keyring
from huiyao.service.pace import Paces
from huiyao.settings import Settings
from huiyao.storage.contract import Storage

REMEMBER_SECONDS: Final = 5.0  # how long a node believes what it read of an app or organisation
KEEP_CURRENT_MS: Final = 300_000  # flags=0 gives the current token if it has at least this left
GENERATIONS_REMEMBERED: Final = 10_000
TOKENS_REMEMBERED: Final = 1000  # of the present key, that were found genuine
# New tokens of one app: as many at once as it has clients, and some; each supersedes another, and is a row.
FORCED_AT_ONCE: Final = 1000
FORCED_PER_SECOND: Final = 10

T = TypeVar("T")


class Claim(msgspec.Struct, frozen=True, gc=False):
    """What a genuine token says."""

    app_id: int
    generation: int
    expires_at: int


class Access:
    """Tokens, apps and organisations, for every call to be checked against."""

    def __init__(self, storage: Storage, keyring: Keyring, clock: Clock, settings: Settings) -> None:
        self._storage = storage
        self._keyring = keyring
        self._clock = clock
        self._lives_ms = settings.token_seconds * 1000
        self._grace_ms = settings.token_grace_seconds * 1000
        self._apps: _Memory[App] = _Memory(storage.app)
        self._orgs: _Memory[Org] = _Memory(storage.org)
        self._forced = Paces()
        self._issued: dict[tuple[int, int], int] = {}  # (app, generation) → issued_at, which never changes
        # Nobody guesses at one by how long the look takes: what is looked for is a keyed hash, not the beginning.
        self._genuine: dict[str, Claim] = {}
        self._genuine_keys = keyring.current
        # A call for an app that does not exist compares with this, to take as long as any other.
        self._decoy = keyring.seal(secrets.token_urlsafe(32), app_id=0)
        self._decoy_keys = keyring.current

    async def authenticate(self, app_id: int, app_secret: str) -> App:
        """The app with this id and secret, read anew. Raises BadCredentials, in constant time."""
        app = await self._storage.app(app_id)
        try:
            if app:
                known = await self._keyring.open(app.secret, app_id=app.id)
            else:
                known = self._keyring.unseal(self._fresh_decoy(), app_id=0)
        except errors.OperatorError as error:  # this process is about to end, or the row is spoilt
            raise errors.SystemFailure from error
        same = hmac.compare_digest(known.encode(), app_secret.encode())
        if app is None or not same or app.disabled:
            raise errors.BadCredentials
        return app

    async def token(self, app: App, *, force: bool) -> tuple[str, Generation]:
        """A token for an app from `authenticate`; without `force` the current one while it is fresh.

        Raises TooOften where the app has new ones made without end.
        """
        now = self._clock.now()
        if not force and app.generation > app.revoked_generation:
            current = await self._storage.generation(app.id, app.generation)
            if current and current.expires_at - now >= KEEP_CURRENT_MS:
                return self._derive(current, now), current
        pace = self._forced.get(app.id, FORCED_PER_SECOND, burst=FORCED_AT_ONCE, now=now)
        wait_seconds = pace.take(now)
        if wait_seconds:
            raise errors.TooOften(wait_seconds)
        fresh = await self._storage.issue_generation(app.id, now=now, expires_at=now + self._lives_ms)
        self._apps.forget(app.id)
        return self._derive(fresh, now), fresh

    async def verify(self, token: str) -> App:
        """The app that the token belongs to.

        Raises ForgedToken (malformed or forged), BadToken (revoked, or its app is unknown or disabled) and
        ExpiredToken (expired, or superseded longer ago than the grace period).
        """
        claim = self._read(token)
        if claim is None and await self._keyring.refresh_if_stale():
            claim = self._read(token)
        if claim is None:
            raise errors.ForgedToken
        app_id, number = claim.app_id, claim.generation
        app = self._apps.known(app_id) or await self._apps.refresh(app_id)
        if app is not None and app.generation < number:  # issued since this node last looked
            app = await self._apps.refresh(app_id)
        if app is None or app.disabled or not app.revoked_generation < number <= app.generation:
            raise errors.BadToken
        now = self._clock.now()
        if now >= claim.expires_at:
            raise errors.ExpiredToken
        if number < app.generation:
            superseded_at = await self._issued_at(app_id, number + 1)
            if superseded_at is None or now >= superseded_at + self._grace_ms:
                raise errors.ExpiredToken
        return app

    async def organisation(self, app: App, org_id: int | None) -> Org:
        """The named organisation, else the app's only or default one. Raises NotAuthorised."""
        if org_id is None:
            org_id = app.orgs[0] if len(app.orgs) == 1 else app.default_org
        if org_id is None or org_id not in app.orgs:
            raise errors.NotAuthorised
        org = self._orgs.known(org_id) or await self._orgs.refresh(org_id)
        if org is None:
            raise errors.NotAuthorised
        return org

    async def granted(self, app_id: int, org_id: int) -> Org | None:
        """The organisation, if the app may act in it now: neither disabled nor its grant taken back."""
        app = self._apps.known(app_id) or await self._apps.refresh(app_id)
        if app is None or app.disabled or org_id not in app.orgs:
            return None
        return self._orgs.known(org_id) or await self._orgs.refresh(org_id)

    def _fresh_decoy(self) -> bytes:
        """Sealed with the present key, as an app's secret is: to open it takes as long."""
        if self._decoy_keys is not self._keyring.current:
            self._decoy_keys = self._keyring.current
            self._decoy = self._decoy_keys.seal(secrets.token_urlsafe(32), app_id=0)
        return self._decoy

    def _derive(self, generation: Generation, now: int) -> str:
        claim = f"{generation.app_id}_{generation.number}_{generation.expires_at}"
        return f"{claim}_{_mac(self._keyring.signing(now), claim)}"

    def _read(self, token: str) -> Claim | None:
        """None where no key of ours has made it. One before the present key vouches only for what expires in time:
        whoever has it now can make no token that is good for longer.
        """
        current = self._keyring.current
        if self._genuine_keys is current:
            claim = self._genuine.get(token)
            if claim is not None:
                return claim
        text, _, mac = token.rpartition("_")
        if not token.isascii():
            return None
        if hmac.compare_digest(mac, _mac(current, text)):
            return self._remember(token, _claim(text), current)
        for one in self._keyring.earlier:
            if hmac.compare_digest(mac, _mac(one.keys, text)):
                claim = _claim(text)
                return claim if claim.expires_at <= one.tokens_until else None
        return None

    def _remember(self, token: str, claim: Claim, keys: Keys) -> Claim:
        if self._genuine_keys is not keys or len(self._genuine) >= TOKENS_REMEMBERED:
            self._genuine = {}
            self._genuine_keys = keys
        self._genuine[token] = claim
        return claim

    async def _issued_at(self, app_id: int, number: int) -> int | None:
        known = self._issued.get((app_id, number))
        if known is not None:
            return known
        generation = await self._storage.generation(app_id, number)
        if generation is None:
            return None
        if len(self._issued) >= GENERATIONS_REMEMBERED:
            self._issued.clear()
        self._issued[app_id, number] = generation.issued_at
        return generation.issued_at


def _mac(keys: Keys, claim: str) -> str:
    # A keyed object's copy: hmac.digest() would let go of the GIL and wait for the database's thread.
    signer = keys.token_signer.copy()
    signer.update(claim.encode())
    return signer.hexdigest()


def _claim(text: str) -> Claim:
    app_id, number, expires_at = text.split("_")
    return Claim(int(app_id), int(number), int(expires_at))


class _Memory(Generic[T]):
    """Rows by id, each believed for REMEMBER_SECONDS; what does not exist is not remembered."""

    def __init__(self, read: Callable[[int], Awaitable[T | None]]) -> None:
        self._read = read
        self._rows: dict[int, tuple[float, T]] = {}

    def known(self, row_id: int) -> T | None:
        """What is still believed; a coroutine that did not have to wait would cost more than the look."""
        known = self._rows.get(row_id)
        return known[1] if known is not None and known[0] > time.monotonic() else None

    def forget(self, row_id: int) -> None:
        self._rows.pop(row_id, None)

    async def refresh(self, row_id: int) -> T | None:
        """Read it anew, whatever is known."""
        read_at = time.monotonic()  # before the read: what is remembered is never older than it says
        row = await self._read(row_id)
        if row is None:
            self.forget(row_id)
        else:
            self._rows[row_id] = (read_at + REMEMBER_SECONDS, row)
        return row
