"""Where callbacks may go: public addresses, and the private ones that the operator allows (contract section 7).

A name says nothing: it is looked up for each request, every address it has is looked at, and the request goes to one of
those very addresses, so that a name that changes its address meanwhile gains nothing.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final
from urllib.parse import urlsplit

import msgspec

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

LONGEST_URL: Final = 2000  # characters
LOOK_UPS: Final = 32  # at once; one that gets no answer holds its thread for long
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# What the standard library calls global, and is of the machine's own network all the same.
_DENIED: Final = (
    ipaddress.ip_network("192.0.0.0/24"),  # of protocols, some of them global; Oracle's metadata is there
    ipaddress.ip_network("168.63.129.16/32"),  # Azure's own services
    ipaddress.ip_network("192.88.99.0/24"),  # relays of 6to4
    ipaddress.ip_network("64:ff9b:1::/48"),  # NAT64 of a network's own (RFC 8215)
)
# IPv6 networks whose last 32 bits are an IPv4 address that is really meant.
_EMBEDDING: Final = (
    ipaddress.ip_network("::/96"),  # IPv4-compatible
    ipaddress.ip_network("::ffff:0:0:0/96"),  # IPv4-translated (RFC 2765)
    ipaddress.ip_network("64:ff9b::/96"),  # NAT64 (RFC 6052)
)
_HOST: Final = re.compile(r"[A-Za-z0-9_.:-]+")


class BadTarget(Exception):
    """A URL that no callback goes to; `reason` is one word, for logs and the event."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Target(msgspec.Struct, frozen=True):
    """The parts of a callback's URL."""

    scheme: str
    host: str  # as it is to be looked up: ASCII, without the brackets of an address
    port: int
    path: str  # with the query

    @property
    def authority(self) -> str:
        """What the header Host says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def at(self, address: str) -> str:
        """The URL with the address in the name's place."""
        host = f"[{address}]" if ":" in address else address
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def parse(url: str) -> Target:
    """Raises BadTarget("bad_url") for what is no plain http:// or https:// URL."""
    try:
        if len(url) > LONGEST_URL or not url.isascii() or re.search(r"[\s\x00-\x20\x7f\\]", url):
            raise ValueError
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme not in DEFAULT_PORTS or not _HOST.fullmatch(host) or "@" in parts.netloc:
            raise ValueError
        if parts.fragment or port == 0:
            raise ValueError
    except ValueError as error:
        raise BadTarget("bad_url") from error
    query = f"?{parts.query}" if parts.query else ""
    return Target(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], f"{parts.path or '/'}{query}")


def forbidden(address: Address, allowed: Iterable[Network] = ()) -> bool:
    """Whether nothing may be sent there: not public, and in none of the networks allowed.

    An address that carries another one is as bad as that one is.
    """
    allowed = tuple(allowed)
    if isinstance(address, IPv6Address):
        meant = _meant(address)
        if meant:
            return forbidden(meant, allowed)
        if any(forbidden(one, allowed) for one in _carried(address)):
            return True
    if any(address in network for network in allowed):
        return False
    return (
        not address.is_global
        or address.is_multicast
        or address.is_reserved
        or (isinstance(address, IPv6Address) and address.is_site_local)
        or any(address in network for network in _DENIED)
    )


def _meant(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one is only another way to write."""
    if address.ipv4_mapped:
        return address.ipv4_mapped
    low = int(address) & 0xFFFF_FFFF
    if low > 0xFFFF and any(address in network for network in _EMBEDDING):  # below stand :: and ::1
        return IPv4Address(low)
    return None


def _carried(address: IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses to which a packet for an IPv6 one is tunnelled."""
    if address.sixtofour:
        return [address.sixtofour]
    if address.teredo:
        return list(address.teredo)
    if (int(address) >> 32) & 0xFFFF_FFFF in (0x0000_5EFE, 0x0200_5EFE):  # ISATAP (RFC 5214)
        return [IPv4Address(int(address) & 0xFFFF_FFFF)]
    return []


class Resolver:
    """Looks names up in threads of its own, so that a name server that is silent holds up nothing else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOK_UPS, thread_name_prefix="callback-names")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, host, port)
        return list(dict.fromkeys(found))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    return [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


async def addresses(target: Target, *, resolve: Resolve, allowed: Iterable[Network]) -> list[str]:
    """Where the target's host is now. Raises BadTarget: "no_such_host", or "private_address" where it has even one
    address to which nothing may be sent.
    """
    try:
        found = [ipaddress.ip_address(one) for one in await resolve(target.host, target.port)]
    except (
        OSError,
        ValueError,
    ) as error:  # UnicodeError, for names that cannot be asked for, is a ValueError
        raise BadTarget("no_such_host") from error
    if not found:
        raise BadTarget("no_such_host")
    networks = tuple(allowed)
    if any(forbidden(one, networks) for one in found):
        raise BadTarget("private_address")
    return [str(one) for one in found]
