"""The Kannel channel: what it asks for, and what it makes of every way to be answered."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from huiyao.channels import address
from huiyao.channels.contract import REQUEST_SECONDS, Outgoing, Refused, Retry, Sent, Unknown, Verdict
from huiyao.channels.kannel import Kannel, open_kannel
from huiyao.errors import OperatorError
from tests.acceptance.slow_gateway import SlowGateway, answering, cutting, saying, slowly

SHORT_SECONDS = 2.0  # enough to connect on a machine that is busy with other tests
MESSAGE = Outgoing(
    org_id=85161,
    delivery_id=42,
    attempt=2,
    kind="invited",
    english=False,
    number="+8613800138000",
    text="明天 10:00 & 100% 到",
    params={},
)
ENGLISH = Outgoing(
    org_id=85161,
    delivery_id=43,
    attempt=1,
    kind="invited",
    english=True,
    number="+14155550123",
    text="Café + [budget] 5€",
    params={},
)


@pytest.fixture
def gateway() -> Iterator[SlowGateway]:
    with SlowGateway() as gateway:
        yield gateway


@asynccontextmanager
async def opened(url: str, *, receipts: str = "", patience: float = REQUEST_SECONDS) -> AsyncIterator[Kannel]:
    channel = Kannel(
        address.parse(url, options=("from",)),
        receipt_url=(lambda message: f"{receipts}?attempt={message.attempt}") if receipts else None,
        request_seconds=patience,
    )
    try:
        yield channel
    finally:
        await channel.close()


async def send(
    url: str, message: Outgoing = MESSAGE, *, receipts: str = "", patience: float = REQUEST_SECONDS
) -> Verdict:
    async with opened(url, receipts=receipts, patience=patience) as channel:
        return await channel.send(message)


async def test_a_chinese_text_goes_out_in_ucs_2_with_receipts(gateway: SlowGateway) -> None:
    url = gateway.url.replace("huiyao:secret", "hui%40yao:p%26%25%2Fw") + "?from=1069"
    assert await send(url, receipts="http://h/100%25/receipt") == Sent()
    assert gateway.paths == ["/cgi-bin/sendsms"]
    assert gateway.requests == [
        {
            "username": "hui@yao",
            "password": "p&%/w",
            "from": "1069",
            "to": "+8613800138000",
            "text": "明天 10:00 & 100% 到",
            "charset": "UTF-8",
            "coding": "2",
            "dlr-mask": "31",
            # Kannel fills in %d and takes %% for a percent sign.
            "dlr-url": "http://h/100%%25/receipt?attempt=2&status=%d",
        }
    ]


async def test_a_text_of_the_gsm_alphabet_needs_no_ucs_2_and_nobody_need_hear_of_it(
    gateway: SlowGateway,
) -> None:
    assert await send(f"{gateway.url}/some%20where/", ENGLISH) == Sent()
    assert gateway.paths == ["/some%20where"]
    assert gateway.requests == [
        {
            "username": "huiyao",
            "password": "secret",
            "to": "+14155550123",
            "text": "Café + [budget] 5€",
            "charset": "UTF-8",
            "coding": "0",
        }
    ]


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (202, "0: Accepted for delivery", Sent()),
        (202, "3: Queued for later delivery", Sent()),
        (202, "Sent.", Sent()),
        (403, "Not routable. Do not try again.", Refused("kannel_not_routable")),
        (403, "Authorization failed for sendsms", Retry("kannel_403")),
        (400, "Charset or body misformed, rejected", Refused("kannel_400")),
        (400, "", Refused("kannel_400")),
        (400, "Sender missing and no global set, rejected", Retry("kannel_no_sender")),
        (414, "", Refused("kannel_414")),
        (404, "<html>nobody here", Retry("kannel_404")),
        (401, "", Retry("kannel_401")),
        (302, "", Retry("kannel_302")),
        (429, "", Retry("kannel_429")),
        (500, "Sending failed.", Retry("kannel_500")),
        (503, "Temporal failure, try again later.", Retry("kannel_503")),
        (200, "<html>Welcome to nginx!", Unknown("kannel_200")),
        (502, "", Unknown("kannel_502")),
        (504, "", Unknown("kannel_504")),
    ],
)
async def test_each_answer_has_its_verdict(
    gateway: SlowGateway, status: int, body: str, verdict: Verdict
) -> None:
    gateway.manner = answering(status, body, location="/elsewhere")
    assert await send(gateway.url) == verdict
    assert len(gateway.requests) == 1


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("99999999", 86_400),
        ("soon", None),
        ("", None),
        ("-1", None),
        ("9" * 5000, None),
    ],
)
async def test_the_gateways_wish_to_wait_is_passed_on(
    gateway: SlowGateway, wish: str, seconds: int | None
) -> None:
    gateway.manner = answering(503, "", retry_after=wish)
    assert await send(gateway.url) == Retry("kannel_503", after_seconds=seconds)


async def test_nobody_listening_means_not_taken() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        assert await send(f"kannel://u:p@127.0.0.1:{unused.getsockname()[1]}") == Retry("unreachable")


async def test_a_host_that_takes_no_connection_means_not_taken() -> None:
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())  # the queue holds no more, so the next one waits
        url = f"kannel://u:p@127.0.0.1:{full.getsockname()[1]}"
        assert await send(url, patience=SHORT_SECONDS) == Retry("unreachable")


async def test_a_server_without_tls_means_not_taken(gateway: SlowGateway) -> None:
    assert await send(f"{gateway.url}?tls=true") == Retry("unreachable")
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("manner", "reason"),
    [
        (slowly(30), "timeout"),
        (cutting, "cut"),
        (saying(b""), "cut"),
        (saying(b"HTTP/1.1 20"), "cut"),
        (saying(b"\x00\x01 this is no HTTP at all\r\n\r\n"), "cut"),
        (saying(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 50\r\n\r\nNot"), "cut"),
    ],
    ids=["silence", "reset", "closed", "half-a-line", "garbage", "half-a-body"],
)
async def test_no_answer_to_a_written_request_means_that_nobody_knows(
    gateway: SlowGateway, manner: object, reason: str
) -> None:
    gateway.manner = manner  # type: ignore[assignment]
    assert await send(gateway.url, patience=SHORT_SECONDS) == Unknown(reason)
    assert len(gateway.requests) == 1, "it must not be repeated here"


async def test_an_answer_that_never_ends_is_not_waited_for(gateway: SlowGateway) -> None:
    gateway.manner = saying(b"HTTP/1.1 403 Forbidden\r\n\r\n" + b"x" * 1_000_000)
    assert await send(gateway.url) == Retry("kannel_403")
    gateway.manner = saying(b"HTTP/1.1 202 Accepted\r\ncontent-length: 9999\r\n\r\n0: Acc")
    assert await send(gateway.url) == Sent()


async def test_no_connection_is_used_twice(gateway: SlowGateway) -> None:
    async with opened(gateway.url) as channel:
        assert [await channel.send(MESSAGE) for _ in range(3)] == [Sent()] * 3
    assert gateway.connections == len(gateway.requests) == 3


async def test_it_says_what_it_can_do() -> None:
    channel = open_kannel("kannel://u:p@h:13013?concurrency=3&per_second=2.5", receipt_url=None)
    assert (channel.name, channel.gateway, channel.two_way) == ("sms", "kannel", True)
    assert (channel.concurrency, channel.per_second) == (3, 2.5)
    await channel.close()


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("kannel://u:s3cret@h?form=1069", "'form'"),
        ("kannel://u:s3cret@h?from=", "from"),
        ("kannel://u:s3cret@h?concurrency=0", "concurrency"),
        ("kannel://u:s3cret@h?per_second=many", "per_second"),
        ("kannel://:s3cret@h", "USER"),
        ("kannel://u:s3cret@", "HOST"),
        ("kannel://u:s3cret@①.example", "host"),
        ("kannel://u:s3cret@h..example", "HOST"),
    ],
)
def test_a_wrong_address_is_refused_without_showing_the_password(url: str, named: str) -> None:
    with pytest.raises(OperatorError, match=named) as refusal:
        open_kannel(url, receipt_url=None)
    assert "s3cret" not in str(refusal.value)
