"""Whose word about the client is believed (setting trusted_proxies), and where the client is by it."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

Address = IPv4Address | IPv6Address


class TrustedProxies:
    """The addresses whose word about the client is believed; IPv4-mapped IPv6 counts as IPv4."""

    def __init__(self, trusted: tuple[str, ...]) -> None:
        self._networks = [ip_network(one, strict=False) for one in trusted]

    def trust(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)

    def secure(self, scope: Mapping[str, Any], forwarded: bytes | None) -> bool:
        """Whether the client came by https; `forwarded` is its X-Forwarded-Proto, a trusted proxy's word."""
        if scope["scheme"] == "https":
            return True
        if not forwarded or not self.trust(_peer(scope)):
            return False
        return forwarded.rpartition(b",")[2].strip().lower() == b"https"  # the nearest proxy's own word

    def client(self, scope: Mapping[str, Any]) -> Address | None:
        """The client's address: the right-most that is no trusted proxy's; None where it cannot be known.

        Each proxy adds, at the right, who came to it. What stands left of the first one not trusted anybody may have
        written, and so it is never looked at; a peer that is no trusted proxy is the client, whatever it says.
        """
        address = _peer(scope)
        if not self.trust(address):
            return address
        # Some proxies add a header of their own instead of adding to it: then they count as one, in their order.
        forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
        for part in reversed(forwarded.split(b",") if forwarded else ()):
            address = _forwarded(part.strip().decode("latin-1"))
            if not self.trust(address):
                return address
        return address


def _peer(scope: Mapping[str, Any]) -> Address | None:
    client = scope.get("client")
    return _address(client[0]) if client else None  # a Unix socket's peer has no address


def _forwarded(text: str) -> Address | None:
    """An address as proxies write it: some add the port, and brackets with it."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return _address(text)


@lru_cache(maxsize=4096)
def _address(text: str) -> Address | None:
    try:
        address: Address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
