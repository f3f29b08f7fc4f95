"""Whose word about the client is believed (setting trusted_proxies)."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network


class TrustedProxies:
    """The addresses whose word about the client is believed; IPv4-mapped IPv6 counts as IPv4."""

    def __init__(self, trusted: tuple[str, ...]) -> None:
        self._networks = [ip_network(one, strict=False) for one in trusted]

    def trust(self, address: str) -> bool:
        try:
            client: IPv4Address | IPv6Address = ip_address(address)
        except ValueError:  # a Unix socket's peer has no address
            return False
        if isinstance(client, IPv6Address) and client.ipv4_mapped:
            client = client.ipv4_mapped
        return any(client in network for network in self._networks)
