"""What operators do: organisations, apps and their secrets, deliveries. All raise OperatorError, one sentence each."""

import secrets
from collections.abc import Iterable, Sequence
from functools import partial
from ipaddress import IPv6Network, ip_network
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from huiyao.errors import OperatorError
from huiyao.model import USUAL_CALLS, App, Delivery, Grant, Org
from huiyao.rules import deliver
from huiyao.service.keyring import Keyring
from huiyao.storage.contract import Storage

SECRET_BYTES: Final = 24  # of randomness in a secret of our own making: 32 characters
SHORTEST_SECRET: Final = 16
LARGEST_ID: Final = 2**63 - 1
LARGEST_RATE: Final = 1_000_000
LARGEST_QUOTA: Final = 10**12
_MAPPED_BITS: Final = 96  # what stands before the IPv4 address in ::ffff:0:0/96


async def add_org(storage: Storage, org: Org) -> None:
    if not 0 < org.id <= LARGEST_ID:
        raise OperatorError(f"An organisation's id is a number from 1 to {LARGEST_ID}, not {org.id}.")
    if await storage.org(org.id) is not None:
        raise OperatorError(f"Organisation {org.id} exists already; `huiyao org set` changes it.")
    await storage.put_org(_checked(org))


async def set_org(
    storage: Storage, org_id: int, *, name: str | None, timezone: str | None, closed: bool | None
) -> Org:
    """What is None stays."""
    org = await _org(storage, org_id)
    changed = Org(
        id=org.id,
        name=org.name if name is None else name,
        timezone=org.timezone if timezone is None else timezone,
        closed=org.closed if closed is None else closed,
    )
    await storage.put_org(_checked(changed))
    return changed


async def add_app(
    storage: Storage,
    keyring: Keyring,
    *,
    name: str,
    orgs: tuple[int, ...],
    app_id: int | None,
    secret: str | None,
) -> tuple[App, str]:
    """The new app with its secret, one of our own making where `secret` is None. The first grant is the default."""
    for org_id in orgs:
        await _org(storage, org_id)
    if app_id is None:
        app_id = await _free_id(storage)
    elif not 0 < app_id <= LARGEST_ID:
        raise OperatorError(f"An app's id is a number from 1 to {LARGEST_ID}, not {app_id}.")
    elif await storage.app(app_id) is not None:
        raise OperatorError(f"App {app_id} exists already; `huiyao app set` changes it.")
    secret = _secret(secret)
    app = App(
        id=app_id,
        name=_name(name),
        secret=keyring.seal(secret, app_id=app_id),
        orgs=orgs,
        default_org=orgs[0] if orgs else None,
    )
    await storage.put_app(app)
    await _keep_secret(storage, keyring, app_id, secret)
    return app, secret


async def set_app(
    storage: Storage,
    app_id: int,
    *,
    name: str | None,
    orgs: tuple[int, ...] | None,
    default_org: int | None,
    grant: Sequence[str] = (),
    ungrant: Sequence[str] = (),
    ip_list: Sequence[str] | None = None,
    api_list: Sequence[str] | None = None,
    rate: int | None = None,
    quota: int | None = None,
) -> App:
    """What is None stays; a default that is no longer granted gives way to the first grant.

    `grant` and `ungrant` name API permissions to give and to take away; an empty `ip_list` or `api_list` means any.
    """
    granting, withdrawing = _permissions(grant), _permissions(ungrant)
    if granting & withdrawing:
        raise OperatorError(f"{min(granting & withdrawing)} cannot be granted and taken away at once.")
    app = await _app(storage, app_id)
    for org_id in orgs or ():
        await _org(storage, org_id)
    granted = app.orgs if orgs is None else orgs
    if default_org is not None and default_org not in granted:
        raise OperatorError(f"App {app_id} is not granted organisation {default_org}.")
    default = app.default_org if default_org is None else default_org
    if default not in granted:
        default = granted[0] if granted else None
    changed = msgspec.structs.replace(
        app,
        name=app.name if name is None else _name(name),
        orgs=granted,
        default_org=default,
        grants=(app.grants | granting) - withdrawing,
        ip_list=app.ip_list if ip_list is None else _networks(ip_list),
        api_list=app.api_list if api_list is None else _calls(api_list),
        rate=app.rate if rate is None else _limit("rate", rate, at_most=LARGEST_RATE),
        quota=app.quota if quota is None else _limit("daily quota", quota, at_most=LARGEST_QUOTA),
    )
    await storage.put_app(changed)
    return changed


async def disable_app(storage: Storage, app_id: int, *, disabled: bool) -> None:
    """A disabled app's tokens and secret are refused on every node within seconds."""
    app = await _app(storage, app_id)
    await storage.put_app(msgspec.structs.replace(app, disabled=disabled))


async def rotate_secret(
    storage: Storage, keyring: Keyring, app_id: int, *, secret: str | None, revoke: bool
) -> str:
    """The app's new secret; the old one is refused from now on. `revoke`: so are all its tokens."""
    secret = _secret(secret)
    await _app(storage, app_id)
    await _keep_secret(storage, keyring, app_id, secret)
    if revoke:
        # Read again: from here on nobody gets a token with the old secret, so no generation is missed.
        newest = await _app(storage, app_id)
        await storage.put_app(msgspec.structs.replace(newest, revoked_generation=newest.generation))
    return secret


async def _keep_secret(storage: Storage, keyring: Keyring, app_id: int, secret: str) -> None:
    """Sealed with the key that the database has when it is written."""
    keys = keyring.current
    while not await storage.put_secret(app_id, keys.seal(secret, app_id=app_id), check=keys.check):
        keys = await keyring.another()


async def find_delivery(storage: Storage, org_id: int, delivery_id: int) -> Delivery:
    """One delivery, for an operator. Raises OperatorError where there is none."""
    found = await storage.delivery(org_id, delivery_id)
    if found is None:
        raise OperatorError(
            f"There is no delivery {delivery_id} in organisation {org_id}; `huiyao delivery list` shows them."
        )
    return found


async def retry_deliveries(storage: Storage, org_id: int, delivery_ids: Sequence[int], *, now: int) -> None:
    """Queue failed or skipped deliveries again; none of them unless all can be. Raises OperatorError."""
    for delivery_id in delivery_ids:
        found = await find_delivery(storage, org_id, delivery_id)
        if deliver.queue_again(found, now=now) is None:
            raise OperatorError(
                f"Delivery {delivery_id} is {found.state}; only failed and skipped ones can be sent after all."
            )
    again = partial(deliver.queue_again, now=now)
    await storage.amend_deliveries([(org_id, delivery_id, again) for delivery_id in delivery_ids])


async def _org(storage: Storage, org_id: int) -> Org:
    org = await storage.org(org_id) if 0 < org_id <= LARGEST_ID else None
    if org is None:
        raise OperatorError(f"There is no organisation {org_id}; `huiyao org add` makes one.")
    return org


async def _app(storage: Storage, app_id: int) -> App:
    app = await storage.app(app_id) if 0 < app_id <= LARGEST_ID else None
    if app is None:
        raise OperatorError(f"There is no app {app_id}; `huiyao app list` shows them.")
    return app


async def _free_id(storage: Storage) -> int:
    while True:
        app_id = (await storage.reserve_ids(1))[0]
        if await storage.app(app_id) is None:
            return app_id


def _checked(org: Org) -> Org:
    try:
        ZoneInfo(org.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise OperatorError(
            f"{org.timezone!r} is no time zone; name one of the tz database, such as Asia/Shanghai."
        ) from error
    return msgspec.structs.replace(org, name=_name(org.name))


def _name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 128 or not name.isprintable():
        raise OperatorError("A name has 1 to 128 printable characters.")
    return name


def _permissions(names: Iterable[str]) -> frozenset[str]:
    known = [one.value for one in Grant]
    for name in names:
        if name not in known:
            raise OperatorError(f"{name!r} is no API permission; there are {', '.join(known)}.")
    return frozenset(names)


def _networks(given: Iterable[str]) -> tuple[str, ...]:
    """Each network once, as it is written properly; IPv4 in the clothes of IPv6 as IPv4, as which callers count too."""
    found: dict[str, None] = {}
    for one in given:
        try:
            network = ip_network(one.strip(), strict=False)
        except ValueError as error:
            raise OperatorError(
                f"{one!r} is no IP address or network; write it like 203.0.113.0/24 or 2001:db8::/32."
            ) from error
        mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
        if mapped and network.prefixlen >= _MAPPED_BITS:
            found[f"{mapped}/{network.prefixlen - _MAPPED_BITS}"] = None
        else:
            found[str(network)] = None
    return tuple(found)


def _calls(names: Iterable[str]) -> frozenset[str]:
    for name in names:
        if name not in USUAL_CALLS:
            raise OperatorError(
                f"{name!r} is no call that every app may make; there are {', '.join(USUAL_CALLS)}."
            )
    return frozenset(names)


def _limit(what: str, number: int, *, at_most: int) -> int:
    if not 0 <= number <= at_most:
        raise OperatorError(f"A {what} is a number from 0 to {at_most}, not {number}.")
    return number


def _secret(given: str | None) -> str:
    if given is None:
        return secrets.token_urlsafe(SECRET_BYTES)
    if len(given) < SHORTEST_SECRET or not given.isascii() or not given.isprintable() or " " in given:
        raise OperatorError(f"An app secret has {SHORTEST_SECRET} or more visible ASCII characters.")
    return given
