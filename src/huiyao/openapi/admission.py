"""Who may call what: addresses, API permissions, rates and quotas of apps (contract section 3), and guessing.

What stands in the database is the same for all processes; rates and guesses are each process's own.
"""

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

from huiyao import errors
from huiyao.model import App
from huiyao.openapi.call import Call
from huiyao.openapi.proxies import Address, TrustedProxies
from huiyao.openapi.request import Request
from huiyao.service.access import Access
from huiyao.service.caller import Services
from huiyao.service.pace import Pace, Paces
from huiyao.service.quotas import Quotas
from huiyao.settings import Settings

# (so many a second, so many at once)
WRONG_SECRETS: Final = (1, 100)  # of one address and app; then its secrets are not even looked at
FORGED_TOKENS: Final = (10, 1000)  # of one address and app; genuine ones are never refused for them
TOKENS: Final = (100, 2000)  # of one app: far above what hundreds of clients need that refresh at once

_SUBNET: Final = (
    64  # bits of an IPv6 address that tell one site from another; the rest is the site's to choose
)


class Admission:
    def __init__(
        self, services: Services, access: Access, settings: Settings, proxies: TrustedProxies
    ) -> None:
        self._access = access
        self._clock = services.clock
        self._quotas = Quotas(services.storage, services.clock)
        self._proxies = proxies
        self._default_rate = settings.rate_per_second
        self._calls = Paces()
        self._guesses = Paces()
        self._tokens = Paces()

    async def authenticate(self, request: Request, app_id: int, secret: str) -> App:
        """The app with this id and secret. Raises TooOften, BadCredentials, AddressNotListed, in this order."""
        key = (app_id, self._site(request))
        guesses = self._guesses.known(key)
        if guesses:
            _refuse(guesses.wait_seconds(self._clock.now()))
        try:
            app = await self._access.authenticate(app_id, secret)
        except errors.BadCredentials:
            self._count(self._guesses, key, WRONG_SECRETS)
            raise
        self._check_address(app, request)
        _refuse(self._count(self._tokens, app.id, TOKENS))
        return app

    async def verify(self, request: Request) -> App:
        """The app that the request's token belongs to. Raises what `Access.verify` does, and TooOften."""
        token = request.token()
        try:
            return await self._access.verify(token)
        except errors.ForgedToken:
            key = (_claimed_app(token), self._site(request), "token")
            _refuse(self._count(self._guesses, key, FORGED_TOKENS))
            raise

    async def admit(self, call: Call, app: App, request: Request) -> None:
        """The checks between token and organisation. Raises AddressNotListed, Forbidden, TooOften, QuotaSpent."""
        if app.ip_list:
            self._check_address(app, request)
        if call.grant:
            if call.grant not in app.grants:
                raise errors.Forbidden
        elif app.api_list and call.short_name not in app.api_list:
            raise errors.Forbidden
        rate = app.rate or self._default_rate
        if rate:
            now = self._clock.now()
            pace = self._calls.get((app.id, call.name), rate, burst=rate, now=now)
            wait = pace.take(now)
            request.standing = pace.standing(now)
            _refuse(wait)
        if app.quota:
            left, request.standing = await self._quotas.spend(app.id, app.quota)
            if not left:
                raise errors.QuotaSpent(request.standing.reset_seconds)

    def _check_address(self, app: App, request: Request) -> None:
        if not app.ip_list:
            return
        address = self._proxies.client(request.scope)
        if address is None or not any(address in network for network in _networks(app.ip_list)):
            raise errors.AddressNotListed

    def _site(self, request: Request) -> Address | None:
        """Where the client is, as far as guessing goes: nobody gets further by changing addresses in their own net."""
        address = self._proxies.client(request.scope)
        if isinstance(address, IPv6Address):
            return IPv6Address(int(address) >> _SUBNET << _SUBNET)
        return address

    def _count(self, paces: Paces, key: object, limit: tuple[int, int]) -> int:
        now = self._clock.now()
        per_second, burst = limit
        pace: Pace = paces.get(key, per_second, burst=burst, now=now)
        return pace.take(now)


def _refuse(wait_seconds: int) -> None:
    if wait_seconds:
        raise errors.TooOften(wait_seconds)


@lru_cache(maxsize=1024)
def _networks(ip_list: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(one) for one in ip_list)


def _claimed_app(token: str) -> int:
    """The app that a forged token says it belongs to; 0 where it says nothing."""
    claimed = token.partition("_")[0]
    return int(claimed) if claimed.isascii() and claimed.isdigit() and len(claimed) < 20 else 0
