"""Callbacks to a receiver that is a process of its own and knows only contract section 7."""

import asyncio
import ipaddress
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from huiyao.dispatch import pacing
from huiyao.dispatch.courier import PLACES, Courier
from huiyao.keys import Keys
from huiyao.rules import commands
from huiyao.service import callbacks, meetings
from huiyao.service.caller import Caller
from huiyao.service.keyring import Keyring
from huiyao.storage import migrate
from huiyao.storage.event_contract import EventsWanted
from huiyao.storage.opening import open_storage
from huiyao.wire.callbacks import Sealer
from tests.acceptance.process import KEY, ORG, Installation, environment, eventually, free_port
from tests.acceptance.receiving import ReceiverProcess
from tests.storage.node import APP, HOUR, MINUTE, NOW, Node, StoppedClock, detail, until
from tests.storage.node import ORG as NODE_ORG

KEYS = Keyring(Keys.from_text(KEY))
APP_SECRET = "an-app-secret-of-the-tests"
LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
BEGIN = NOW + 130 * MINUTE  # its reminder comes while the receiver is flaky
ROOT = Path(__file__).parents[2]
LOOPBACK_TEXT = "127.0.0.0/8"
ALLOWED = {"callback_private": LOOPBACK_TEXT}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def node(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Node]:
    """The use cases on each kind of database, with a clock that is moved by hand."""
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgres_url"))
    else:
        url = f"sqlite:///{tmp_path}/callbacks.db"
        await asyncio.to_thread(migrate.upgrade, url)
    storage = await open_storage(url)
    await storage.put_org(NODE_ORG)
    await storage.put_app(
        type(APP)(
            id=APP.id,
            name=APP.name,
            secret=KEYS.seal(APP_SECRET, app_id=APP.id),
            orgs=APP.orgs,
            default_org=APP.default_org,
        )
    )
    yield Node(storage, StoppedClock())
    await storage.close()


@pytest.fixture(autouse=True)
def impatient_circuit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The circuit's pauses are in real time, which the tests do not move."""
    monkeypatch.setattr(pacing, "FIRST_OPEN_SECONDS", 0.05)
    monkeypatch.setattr(pacing, "LONGEST_OPEN_SECONDS", 0.1)


async def listen(node: Node, receiver: ReceiverProcess, *, style: str) -> None:
    """The receiver is the app's, and knows the secrets."""
    secret = await callbacks.set_callback(
        *(node.storage, KEYS, APP.id),
        url=receiver.url,
        style=style,
        rotate=False,
        allowed=LOOPBACK,
        now=node.clock.now(),
    )
    assert secret
    receiver.configure(style=style, token=secret, secret=secret, appSecret=APP_SECRET)


@asynccontextmanager
async def running(node: Node, *, request_seconds: float = 2) -> AsyncIterator[Courier]:
    courier = Courier(
        node.storage, Sealer(KEYS), allowed=LOOPBACK, clock=node.clock, request_seconds=request_seconds
    )
    task = asyncio.create_task(courier.run())
    try:
        yield courier
    finally:
        courier.stop()
        async with asyncio.timeout(20):
            await task


async def nothing_is_due(node: Node) -> bool:
    waiting = await node.storage.waiting_apps()
    under_way = await node.storage.events(EventsWanted(state="sending"))
    return not under_way and all(due_at > node.clock.now() for _, due_at in waiting)


async def all_have_ended(node: Node) -> bool:
    pending = await node.storage.events(EventsWanted(state="pending"))
    return not pending and await nothing_is_due(node)


def in_order(received: list[dict[str, Any]]) -> None:
    """Of each meeting the events come by their ids, but for repeats of what is not acknowledged yet."""
    newest: dict[int, int] = {}
    for one in received:
        known = newest.get(one["meetingInviteId"], 0)
        assert one["eventId"] >= known, "an event came again after a later one of its meeting"
        newest[one["meetingInviteId"]] = one["eventId"]


@pytest.mark.slow
@pytest.mark.parametrize("style", ["platform", pytest.param("standard", marks=pytest.mark.thorough)])
async def test_a_receiver_that_is_down_then_flaky_then_slow_gets_everything_in_order(
    node: Node, tmp_path: Path, style: str
) -> None:
    receiver = ReceiverProcess(tmp_path / "receiver")
    await listen(node, receiver, style=style)
    made = [await node.create("ann", "bob", begin_at=BEGIN) for _ in range(5)]
    async with running(node) as courier:
        # Down for an hour; things go on happening.
        for step in range(12):
            await node.expand_all()
            if step == 3:
                for meeting_id in made:
                    await node.respond(meeting_id, "ann")
            if step == 6:
                for meeting_id in made[:3]:
                    await node.update(meeting_id, "ann", "bob", begin_at=BEGIN, address="room 2")
            node.clock.moment += 5 * MINUTE
            courier.wake()
            await until(lambda: nothing_is_due(node), seconds=30)
        assert receiver.received() == []
        try:
            for mode in ("flaky", "slow"):
                receiver.behave(mode)
                if mode == "flaky":
                    receiver.start()
                for meeting_id in made:
                    await node.respond(meeting_id, "bob", declined=mode == "slow")
                for _ in range(4):
                    node.clock.moment += 20 * MINUTE
                    await node.expand_all()
                    courier.wake()
                    await until(lambda: nothing_is_due(node), seconds=60)
            for _ in range(50):
                if await all_have_ended(node):
                    break
                node.clock.moment += HOUR
                courier.wake()
                await until(lambda: nothing_is_due(node), seconds=60)
        finally:
            receiver.stop()
    events = await node.storage.events(EventsWanted(limit=1000))
    received = receiver.received()
    assert {one.state for one in events} == {"delivered"}
    assert {one["eventId"] for one in received} == {one.id for one in events}
    assert {one["eventType"] for one in received} >= {101, 103, 104, 105, 106}
    assert receiver.forged() == 0
    in_order(received)
    assert all(one["bytes"] < 20_000 for one in received)


async def test_a_receiver_that_never_answers_delays_nobody_else(node: Node, tmp_path: Path) -> None:
    silent = socket.create_server(("127.0.0.1", 0), backlog=100)  # takes connections, and nothing more
    url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
    with silent, ReceiverProcess(tmp_path / "live") as live:
        how: dict[str, Any] = {"style": "standard", "rotate": False, "allowed": LOOPBACK, "now": NOW}
        await callbacks.set_callback(node.storage, KEYS, APP.id, url=url, **how)
        for _ in range(30):
            await node.create("ann")
        await node.expand_all()
        other = type(APP)(
            id=8, name="other", secret=KEYS.seal(APP_SECRET, app_id=8), orgs=(1,), default_org=1
        )
        await node.storage.put_app(other)
        secret = await callbacks.set_callback(node.storage, KEYS, 8, url=live.url, **how)
        live.configure(style="standard", secret=secret or "")
        async with running(node, request_seconds=30) as courier:

            async def is_stuck() -> bool:
                return len(await node.storage.events(EventsWanted(app_id=APP.id, state="sending"))) == PLACES

            async def comes() -> bool:
                return len(live.received()) == 5

            courier.wake()
            await until(is_stuck)
            await create_for(node, 8, count=5)
            courier.wake()
            await until(comes, seconds=10)
            assert await is_stuck()
            silent.close()


async def create_for(node: Node, app_id: int, *, count: int) -> None:
    """Meetings of another app."""
    for _ in range(count):
        command = commands.Create(requester_name="boss", detail=detail("ann"))
        await meetings.create(node.services, Caller(app_id=app_id, org=NODE_ORG, uid="boss"), command)
    await node.expand_all()


async def test_410_ends_it_until_the_url_is_set_again(node: Node, tmp_path: Path) -> None:
    with ReceiverProcess(tmp_path / "receiver") as receiver:
        await listen(node, receiver, style="standard")
        receiver.behave("gone")
        meeting_id = await node.create("ann")
        await node.expand_all()
        await node.respond(meeting_id, "ann")
        async with running(node) as courier:
            courier.wake()
            await until(lambda: all_have_ended(node), seconds=10)
            found = await node.storage.events(EventsWanted())
            assert [(one.type, one.state, one.outcome) for one in found] == [
                (103, "skipped", "gone"),
                (101, "failed", "410"),
            ]
            await node.respond(meeting_id, "ann", declined=True)
            assert len(await node.storage.events(EventsWanted())) == 2
            receiver.behave("up")
            await callbacks.set_callback(
                *(node.storage, KEYS, APP.id),
                url=receiver.url,
                style=None,
                rotate=False,
                allowed=LOOPBACK,
                now=NOW,
            )
            await node.respond(meeting_id, "ann")

            async def comes() -> bool:
                return [one["eventType"] for one in receiver.received()] == [103]

            courier.wake()
            await until(comes, seconds=10)


@pytest.mark.parametrize("style", ["platform", "standard"])
async def test_a_rotation_loses_nothing_whenever_the_receiver_learns_of_it(
    node: Node, tmp_path: Path, style: str
) -> None:
    with ReceiverProcess(tmp_path / "receiver") as receiver:
        await listen(node, receiver, style=style)
        fresh = await callbacks.set_callback(
            *(node.storage, KEYS, APP.id),
            url=None,
            style=None,
            rotate=True,
            allowed=LOOPBACK,
            now=node.clock.now(),
        )
        assert fresh
        async with running(node) as courier:
            for number in range(2):  # with the old secret, and with the new one
                await node.create("ann")
                await node.expand_all()
                for _ in range(3):
                    courier.wake()
                    await until(lambda: nothing_is_due(node), seconds=10)
                    node.clock.moment += MINUTE
                assert len(receiver.received()) == number + 1
                receiver.configure(style=style, token=fresh, secret=fresh, appSecret=APP_SECRET)
        assert (receiver.forged() > 0) == (style == "platform")  # which has room for one signature only


def told(installation: Installation, receiver: ReceiverProcess, *, style: str = "platform") -> None:
    """Set the callback by the command, and tell the receiver its secret."""
    done = installation.run(
        *("app", "set", str(installation.app_id), "--callback", receiver.url),
        *("--callback-style", style, "--json"),
        **ALLOWED,
    )
    assert done.returncode == 0, done.stderr
    secret = json.loads(done.stdout)["callback_secret"]
    receiver.configure(style=style, token=secret, secret=secret, appSecret=installation.app_secret)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[ReceiverProcess]:
    with ReceiverProcess(tmp_path / "receiver") as started:
        yield started


def test_an_event_is_repeated_after_kill_9_between_its_sending_and_its_acknowledgement(
    embedded: Installation, receiver: ReceiverProcess
) -> None:
    told(embedded, receiver)
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.acceptance.stops", "requested", "1", "serve", "--port", str(port)],
        cwd=embedded.folder,
        env={**environment(embedded.settings | ALLOWED), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as doomed:
        server = Attached(port)
        eventually(server.alive, what="its start")
        meeting_id = embedded.client(server).create("u1", "u2")  # type: ignore[arg-type]
        eventually(lambda: doomed.poll() is not None, what="its end")
        assert doomed.returncode == -signal.SIGKILL
    eventually(lambda: receiver.received() or None, what="what it had sent")
    assert [one["eventType"] for one in receiver.received()] == [101]
    client = embedded.client(embedded.serve(callback_private=LOOPBACK_TEXT))
    client.do("read", "u2", meetingInviteId=meeting_id)
    eventually(lambda: len(receiver.received()) == 3 or None, what="the repeat and what came after it")
    assert [one["eventType"] for one in receiver.received()] == [101, 101, 102]
    first, again, _ = receiver.received()
    assert first == again


class Attached:
    """A server that somebody else started."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def alive(self) -> bool:
        try:
            return httpx.get(f"{self.address}/healthz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


@pytest.mark.thorough
def test_an_operator_sees_replays_and_tries_callbacks(
    embedded: Installation, receiver: ReceiverProcess
) -> None:
    app_id = str(embedded.app_id)
    assert "has no callback" in embedded.run("callback", "test", app_id).stderr
    for url, reason in (
        (receiver.url, "leads to an address that is not public"),
        ("ftp://hooks.example.com/", "is no plain http:// or https:// address"),
    ):
        for command in (("app", "set", app_id), ("app", "add", "--name", "x", "--org", str(ORG))):
            refused = embedded.run(*command, "--callback", url)
            assert refused.returncode == 1
            assert refused.stderr.startswith(f"huiyao: The callback URL {reason}")
            assert refused.stderr.endswith("(4015).\n")
    assert json.loads(embedded.succeed("app", "list", "--json"))[0]["callback_url"] == ""
    assert len(json.loads(embedded.succeed("app", "list", "--json"))) == 1
    told(embedded, receiver, style="standard")
    assert "200" in embedded.run("callback", "test", app_id, **ALLOWED).stdout
    (tried,) = receiver.received()
    assert (tried["eventType"], tried["meetingInviteId"], tried["orgId"]) == (100, 0, ORG)
    refused = embedded.run("callback", "test", app_id, "--json")  # nothing allows 127.0.0.1 here
    assert (refused.returncode, json.loads(refused.stdout)["outcome"]) == (1, "private_address")
    server = embedded.serve(callback_private=LOOPBACK_TEXT)
    embedded.client(server).create("u1", "u2")

    def listed(*arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(embedded.succeed("callback", "list", "--json", *arguments))
        return found

    (one,) = eventually(lambda: listed("--state", "delivered"), what="the delivery")
    event, org = str(one["id"]), ("--org", str(ORG))
    assert "delivered" in embedded.succeed("callback", "list", "--app", app_id)
    shown = json.loads(embedded.succeed("callback", "show", event, *org, "--json"))
    assert [request["outcome"] for request in shown["requests"]] == ["200"]
    assert "200" in embedded.succeed("callback", "show", event, *org)
    embedded.succeed("callback", "replay", event, *org)
    eventually(lambda: len(receiver.received()) == 3 or None, what="the replay")
    assert receiver.received()[1:] == [receiver.received()[1]] * 2
    assert "There is no event" in embedded.run("callback", "replay", event, "--org", "1").stderr
    assert listed("--meeting", "999999") == []
    assert embedded.succeed("callback", "list", "--state", "failed").strip() == "No events."


@pytest.mark.postgres
def test_two_dispatchers_send_each_event_once_and_in_order(
    scaled: Installation, receiver: ReceiverProcess
) -> None:
    told(scaled, receiver)
    client = scaled.client(scaled.serve("--no-dispatch"))
    for _ in range(2):
        scaled.start("dispatch", **ALLOWED)
    people = [f"u{number}" for number in range(2, 12)]
    made = [client.create("u1", *people) for _ in range(5)]
    for uid in people:
        for meeting_id in made:
            client.do("respond", uid, meetingInviteId=meeting_id, msgStatus=2)
    expected = len(made) * (1 + len(people))
    eventually(lambda: len(receiver.received()) >= expected or None, seconds=60, what="all events")
    received = receiver.received()
    assert len({one["eventId"] for one in received}) == len(received) == expected
    in_order(received)
