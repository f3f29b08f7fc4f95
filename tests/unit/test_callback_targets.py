"""Callbacks go to public addresses only, however an address is written and whatever a name turns into."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Sequence

import pytest

from huiyao.channels import callback, target
from huiyao.channels.callback import NotTaken, Receiver, Request, Taken
from huiyao.channels.target import BadTarget, forbidden, parse
from huiyao.model import CallbackStyle

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
REQUEST = Request(b"{}", {"content-type": "application/json"})
CONTEXT = ssl.create_default_context()

PRIVATE = [
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1", "203.0.113.1"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1"),
    *("::", "::1", "fe80::1", "fe80::1%1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1", "100::1"),
    *("64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1"),
    *(
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:0:7f00:1::1",
        "2a00::5efe:127.0.0.1",
        "2a00::200:5efe:a00:1",
    ),
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_nothing_is_sent_to_an_address_that_is_not_public(address: str) -> None:
    assert forbidden(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_served(address: str) -> None:
    assert not forbidden(ipaddress.ip_address(address))


def test_the_operator_can_allow_a_private_network_and_only_that() -> None:
    allowed = [ipaddress.ip_network("10.20.0.0/16"), ipaddress.ip_network("fd12::/16")]
    for address in ("10.20.3.4", "::ffff:10.20.3.4", "fd12::1"):
        assert not forbidden(ipaddress.ip_address(address), allowed)
    for address in ("10.21.3.4", "127.0.0.1", "fd13::1"):
        assert forbidden(ipaddress.ip_address(address), allowed)


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.com", "//example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://a/"),
        *(
            "http://",
            "http:///x",
            "http://user@example.com/",
            "http://u:p@example.com/",
            "http://@example.com/",
        ),
        *(
            "http://example.com:0/",
            "http://example.com:99999/",
            "http://example.com:x/",
            "http://a/#fragment",
        ),
        *("http://exa mple.com/", "http://example.com/\r\nX: y", "http://example.com\\@127.0.0.1/"),
        *(
            "http://例子.中国/",
            "http://①②⑦.⓪.⓪.①/",
            "http://[::1/",
            "http://a%2eb/",
            f"http://a/{'x' * 2000}",
        ),
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(BadTarget, match="bad_url"):
        parse(url)


def test_a_url_is_taken_apart_and_put_together_again() -> None:
    found = parse("https://hooks.example.com/in/1?key=2")
    assert (found.host, found.port, found.authority) == ("hooks.example.com", 443, "hooks.example.com")
    assert found.at("2606:4700::1111") == "https://[2606:4700::1111]:443/in/1?key=2"
    assert parse("http://[2606:4700::1111]:8080").authority == "[2606:4700::1111]:8080"


SPELLINGS = [
    *(
        "http://127.0.0.1:{port}/",
        "http://127.1:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f000001:{port}/",
    ),
    *(
        "http://0177.0.0.1:{port}/",
        "http://0x7f.1:{port}/",
        "http://localhost:{port}/",
        "http://LOCALHOST:{port}/",
    ),
    *("http://127.0.0.1.:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "http://[::ffff:7f00:1]:{port}/"),
    *("http://0:{port}/", "http://0.0.0.0:{port}/", "http://[::1]:{port}/", "http://[::]:{port}/"),
]


class Listener:
    """Something on this machine that must not be reached; answers 302 or 200 and counts what comes."""

    def __init__(self, answer: bytes = b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"status":0}') -> None:
        self.requests: list[bytes] = []
        self.answer = answer
        self.port = 0

    async def __aenter__(self) -> "Listener":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(head)
        writer.write(self.answer)
        await writer.drain()
        writer.close()


async def post(
    url: str,
    *,
    allowed: Sequence[target.Network] = (),
    resolve: target.Resolve | None = None,
    seconds: float = 5,
    style: str = CallbackStyle.PLATFORM,
) -> callback.Answer:
    own = target.Resolver()
    receiver = Receiver(
        url, allowed=allowed, resolve=resolve or own, request_seconds=seconds, context=CONTEXT
    )
    try:
        return await receiver.post(REQUEST, style=style)
    finally:
        await receiver.close()
        own.close()


@pytest.mark.parametrize("url", SPELLINGS)
async def test_this_machine_is_not_reached_however_it_is_spelled(url: str) -> None:
    async with Listener() as listener:
        answer = await post(url.format(port=listener.port))
        assert isinstance(answer, NotTaken)
        assert answer.outcome in ("private_address", "no_such_host")
        assert not listener.requests


@pytest.mark.parametrize("url", SPELLINGS[:8])
async def test_and_is_not_registered(url: str) -> None:
    with pytest.raises(BadTarget, match="private_address"):
        await callback.check(url.format(port=8000), allowed=())


async def test_an_allowed_network_is_reached_and_the_host_header_keeps_the_name() -> None:
    async with Listener() as listener:
        answer = await post(f"http://localhost:{listener.port}/in?x=1", allowed=LOOPBACK, resolve=_here)
        assert answer == Taken("200")
        (head,) = listener.requests
        assert head.startswith(b"POST /in?x=1 HTTP/1.1\r\n")
        assert f"host: localhost:{listener.port}\r\n".encode() in head.lower()


async def _here(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def test_a_name_that_turns_private_meanwhile_is_not_followed() -> None:
    """DNS rebinding: a public address when it is looked at, this machine a moment later."""
    look_ups: list[str] = []

    async def rebinding(host: str, _port: int) -> Sequence[str]:
        look_ups.append(host)
        return ["192.0.2.1"] if len(look_ups) == 1 else ["127.0.0.1"]

    async with Listener() as listener:
        url = f"http://rebind.test:{listener.port}/"
        for _ in range(2):
            allowed = [ipaddress.ip_network("192.0.2.0/24")]
            answer = await post(url, resolve=rebinding, allowed=allowed, seconds=0.5)
            assert isinstance(answer, NotTaken)
        assert not listener.requests
        assert look_ups == ["rebind.test"] * 2  # one for each request: nobody looks a second time


async def test_one_private_address_among_public_ones_spoils_the_name() -> None:
    async def mixed(_host: str, _port: int) -> Sequence[str]:
        return ["8.8.8.8", "127.0.0.1"]

    answer = await post("http://mixed.test/", resolve=mixed)
    assert answer == NotTaken("private_address", down=True)


async def test_a_redirect_is_not_followed() -> None:
    async with Listener() as inner:
        moved = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{inner.port}/\r\nContent-Length: 0\r\n\r\n"
        async with Listener(moved.encode()) as outer:
            for style in CallbackStyle:
                answer = await post(f"http://127.0.0.1:{outer.port}/", allowed=LOOPBACK, style=style)
                assert answer == NotTaken("302", down=False)
        assert not inner.requests


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Listener() as proxy, Listener() as listener:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert await post(f"http://127.0.0.1:{listener.port}/", allowed=LOOPBACK) == Taken("200")
        assert not proxy.requests


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + b" " * 100_000
    async with Listener(endless) as listener:
        answer = await post(f"http://127.0.0.1:{listener.port}/", allowed=LOOPBACK)
        assert answer == NotTaken("bad_answer", down=False)


async def test_a_receiver_that_says_nothing_is_waited_for_no_longer_than_allowed() -> None:
    async with Listener(b"") as listener:
        listener.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
        answer = await post(f"http://127.0.0.1:{listener.port}/", allowed=LOOPBACK, seconds=0.3)
        assert isinstance(answer, NotTaken)
        assert answer.down


async def test_where_nobody_listens_it_is_down_and_the_next_address_is_tried() -> None:
    async def several(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.1"]

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert await post(f"http://127.0.0.1:{port}/", allowed=LOOPBACK) == NotTaken("no_connection", down=True)
    async with Listener() as listener:
        answer = await post(f"http://name.test:{listener.port}/", allowed=LOOPBACK, resolve=several)
        assert answer == Taken("200")
