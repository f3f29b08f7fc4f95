"""Callbacks over https: the connection goes to a checked address, the certificate must be the name's."""

import ipaddress
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from huiyao.channels.callback import NotTaken, Receiver, Request, Taken, trust
from tests.acceptance.process import Installation, eventually
from tests.acceptance.tls import Authority, HttpsReceiver

LOOPBACK = "127.0.0.0/8"
HOST = "receiver.test"
BAD = NotTaken("bad_certificate", down=True)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """One that this process and all that it starts trust."""
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    return made


@pytest.fixture
def receiver(authority: Authority) -> Iterator[HttpsReceiver]:
    with HttpsReceiver(authority.context(HOST)) as started:
        yield started


@asynccontextmanager
async def sender(receiver: HttpsReceiver, *, host: str = HOST) -> AsyncIterator[Receiver]:
    looked_up = []

    async def resolve(name: str, _port: int) -> Sequence[str]:
        looked_up.append(name)
        return ["127.0.0.1"]

    made = Receiver(
        f"https://{host}:{receiver.port}/hook",
        allowed=[ipaddress.ip_network(LOOPBACK)],
        resolve=resolve,
        context=trust(),
    )
    try:
        yield made
    finally:
        await made.close()
    assert set(looked_up) == {host}


async def test_the_name_is_asked_for_and_the_certificate_is_the_names(receiver: HttpsReceiver) -> None:
    async with sender(receiver) as made:
        for _ in range(2):
            assert await made.post(Request(b"{}", {}), style="platform") == Taken("200")
    assert receiver.asked_for == [HOST], "one connection"
    assert receiver.hosts == [f"{HOST}:{receiver.port}"] * 2


@pytest.mark.parametrize(
    ("names", "how"),
    [
        (["127.0.0.1"], {}),  # the address we connect to is nobody's name
        (["another.test"], {}),
        (["test"], {}),
        (["*.receiver.test"], {}),
        ([HOST], {"self_signed": True}),
        ([HOST], {"expired": True}),
    ],
)
async def test_a_bad_certificate_gets_nothing(
    authority: Authority, receiver: HttpsReceiver, names: list[str], how: dict[str, bool]
) -> None:
    receiver.present(authority.context(*names, **how))
    async with sender(receiver) as made:
        assert await made.post(Request(b"{}", {}), style="platform") == BAD
        receiver.present(authority.context(HOST))
        assert await made.post(Request(b"{}", {}), style="platform") == Taken("200"), (
            "it looks again each time"
        )
    assert len(receiver.hosts) == 1


async def test_an_address_in_the_url_is_the_certificates_too(
    authority: Authority, receiver: HttpsReceiver
) -> None:
    async with sender(receiver, host="127.0.0.1") as made:
        assert await made.post(Request(b"{}", {}), style="platform") == BAD
    receiver.present(authority.context("127.0.0.1"))
    async with sender(receiver, host="127.0.0.1") as made:
        assert await made.post(Request(b"{}", {}), style="platform") == Taken("200")


async def test_an_authority_that_nobody_named_counts_for_nothing(
    receiver: HttpsReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    async with sender(receiver) as made:
        assert await made.post(Request(b"{}", {}), style="platform") == BAD


async def test_a_receiver_without_tls_gets_nothing_over_https(receiver: HttpsReceiver) -> None:
    receiver.present(None)
    async with sender(receiver) as made:
        answer = await made.post(Request(b"{}", {}), style="platform")
    assert isinstance(answer, NotTaken)
    assert answer.outcome in ("no_connection", "no_answer")
    assert receiver.hosts == []


def test_an_event_waits_for_a_better_certificate_and_says_why(
    authority: Authority, embedded: Installation
) -> None:
    with HttpsReceiver(authority.context("localhost", self_signed=True)) as receiver:
        embedded.settings["callback_private"] = f"{LOOPBACK},::1"
        app = str(embedded.app_id)
        embedded.succeed("app", "set", app, "--callback", f"https://localhost:{receiver.port}/hook")
        assert "bad_certificate" in embedded.run("callback", "test", app).stdout
        embedded.client(embedded.serve()).create("u1", "u2")

        def event() -> dict[str, object] | None:
            found = json.loads(embedded.succeed("callback", "list", "--json"))
            return found[0] if found and found[0]["outcome"] else None

        tried = eventually(event, what="a request")
        assert (tried["state"], tried["outcome"]) == ("pending", "bad_certificate")
        receiver.present(authority.context("localhost"))
        eventually(lambda: bool(receiver.hosts), seconds=60, what="the event")
        assert set(receiver.asked_for) == {"localhost"}
        assert receiver.hosts == [f"localhost:{receiver.port}"]
