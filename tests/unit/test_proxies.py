"""Where the client is: by its own connection, or by the word of proxies that are trusted, and by nothing else."""

from ipaddress import IPv4Address, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huiyao.openapi.proxies import TrustedProxies

PROXIES = TrustedProxies(("10.0.0.0/8", "fd00::/8", "203.0.113.7"))
CLIENT = "198.51.100.9"


def scope(peer: str | None, *forwarded: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", one.encode("latin-1")) for one in forwarded]
    return {"client": (peer, 40_000) if peer is not None else None, "headers": headers}


def client(peer: str | None, *forwarded: str) -> str | None:
    found = PROXIES.client(scope(peer, *forwarded))
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        (CLIENT, [], CLIENT),
        (CLIENT, ["192.0.2.1"], CLIENT),  # not trusted: whatever it says
        ("::ffff:198.51.100.9", [], CLIENT),
        ("10.1.1.1", [CLIENT], CLIENT),
        ("::ffff:10.1.1.1", [CLIENT], CLIENT),
        ("fd00::1", ["2001:db8::5"], "2001:db8::5"),
        ("10.1.1.1", ["::ffff:198.51.100.9"], CLIENT),
        ("10.1.1.1", ["192.0.2.1, 198.51.100.9"], CLIENT),  # the left one is the client's own invention
        ("10.1.1.1", ["192.0.2.1,198.51.100.9,10.2.2.2, 203.0.113.7"], CLIENT),
        ("10.1.1.1", ["192.0.2.1", CLIENT, "10.2.2.2"], CLIENT),  # one header each
        ("10.1.1.1", [CLIENT, "10.2.2.2"], CLIENT),
        ("10.1.1.1", ["198.51.100.9:4711"], CLIENT),
        ("10.1.1.1", ["[2001:db8::5]:4711"], "2001:db8::5"),
        ("10.1.1.1", ["[2001:db8::5]"], "2001:db8::5"),
        ("10.1.1.1", [], "10.1.1.1"),  # the proxy itself
        ("10.1.1.1", ["10.2.2.2, 10.3.3.3"], "10.2.2.2"),
        ("10.1.1.1", ["198.51.100.9, unknown"], None),
        ("10.1.1.1", ["198.51.100.9,"], None),
        ("10.1.1.1", ["unknown, 198.51.100.9"], CLIENT),
        ("10.1.1.1", ["1.2.3"], None),
        ("10.1.1.1", ["0x7f.1"], None),
        ("10.1.1.1", ["010.1.1.1"], None),
        (None, [CLIENT], None),
        ("", [CLIENT], None),
        ("/run/huiyao.sock", [CLIENT], None),
    ],
)
def test_the_right_most_address_that_is_no_trusted_proxys(
    peer: str | None, forwarded: list[str], found: str | None
) -> None:
    assert client(peer, *forwarded) == found


headers = st.lists(
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=60), max_size=4
)
spoofed = headers | st.lists(
    st.sampled_from(["10.0.0.1", "127.0.0.1", "::1", CLIENT, "", ",", "a"]), max_size=6
)


@given(st.ip_addresses(), spoofed)
def test_what_an_untrusted_peer_says_changes_nothing(peer: Any, said: list[str]) -> None:
    if not PROXIES.trust(ip_address(peer)):
        assert client(str(peer), *said) == client(str(peer))


@given(st.ip_addresses(v=4), spoofed)
def test_what_a_client_says_through_a_trusted_proxy_changes_nothing(
    address: IPv4Address, said: list[str]
) -> None:
    if not PROXIES.trust(address):
        assert client("10.1.1.1", *said, str(address)) == str(address)
        assert client("10.1.1.1", ", ".join([*said, str(address)])) == str(address)


@given(headers)
def test_garbage_is_an_address_or_nobody_and_never_an_error(said: list[str]) -> None:
    client("10.1.1.1", *said)
