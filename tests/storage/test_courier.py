"""A courier on both databases: late answers, wishes of the receiver, a database that is away, who is skipped."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from huiyao.channels.callback import Request
from huiyao.dispatch.courier import Courier
from huiyao.errors import SystemFailure
from huiyao.model import App, Callback, Event
from huiyao.rules import callbacks
from huiyao.storage.event_contract import AmendEvent, EventsWanted
from tests.storage.node import APP, HOUR, NOW, Node, until

CALLBACK = Callback(style="standard", secret=b"sealed")


class Receiver:
    """Answers with the next of its script, then with 204; remembers what it got, and waits while `open` is cleared."""

    def __init__(self, *script: bytes) -> None:
        self.script = list(script)
        self.got: list[int] = []
        self.open = asyncio.Event()
        self.open.set()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.got.append(int(await reader.readexactly(length)))
                await self.open.wait()
                status = self.script.pop(0) if self.script else b"204 No Content"
                writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def seal(event: Event, app: App, *, now: int, older: bool) -> Request:
    """The event's id is all there is to see."""
    return Request(str(event.id).encode(), {})


async def here(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@asynccontextmanager
async def receiving(node: Node, *script: bytes) -> AsyncIterator[Receiver]:
    receiver = Receiver(*script)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://receiver.test:{server.sockets[0].getsockname()[1]}/"
    await node.storage.put_callback(APP.id, receiver.url, CALLBACK, check="")
    try:
        yield receiver
    finally:
        server.close()


@asynccontextmanager
async def running(node: Node, storage: Any = None) -> AsyncIterator[Courier]:
    courier = Courier(
        storage or node.storage,
        seal,
        allowed=[ipaddress.ip_network("127.0.0.0/8")],
        clock=node.clock,
        resolve=here,
        request_seconds=5,
    )
    task = asyncio.create_task(courier.run())
    try:
        yield courier
    finally:
        courier.stop()
        async with asyncio.timeout(10):
            await task


async def states(node: Node) -> list[tuple[int, str, str]]:
    """Type, state and outcome of each event, the oldest first."""
    found = await node.storage.events(EventsWanted(limit=1000))
    return [(one.type, one.state, one.outcome) for one in found[::-1]]


async def until_states(node: Node, *expected: tuple[int, str, str]) -> None:
    async def there() -> bool:
        return await states(node) == list(expected)

    await until(there, seconds=10)


async def test_events_are_sent_as_soon_as_the_one_before_is_taken(node: Node) -> None:
    async with receiving(node) as receiver:
        meeting_id = await node.create("ann", "bob")
        await node.expand_all()
        await node.respond(meeting_id, "ann")
        await node.respond(meeting_id, "bob")
        async with running(node):
            await until_states(
                node, (101, "delivered", "204"), (103, "delivered", "204"), (103, "delivered", "204")
            )
        assert receiver.got == sorted(receiver.got)
        assert len(receiver.got) == 3


async def test_an_answer_that_comes_after_its_lease_overwrites_nothing(node: Node) -> None:
    async with receiving(node) as receiver:
        await node.create("ann")
        await node.expand_all()
        receiver.open.clear()
        async with running(node):

            async def asked() -> bool:
                return len(receiver.got) == 1

            await until(asked)
            (one,) = await node.storage.events(EventsWanted())

            def taken_over(event: Event) -> Event:
                """As another process has it that found the lease over."""
                return msgspec.structs.replace(event, state="pending", due_at=NOW + HOUR)

            await node.storage.amend_events([(one.org_id, one.id, taken_over)])
            receiver.open.set()
        assert await states(node) == [(101, "pending", "")]


async def test_a_receivers_wish_holds_for_all_its_events(node: Node) -> None:
    async with receiving(node, b"503 Busy\r\nRetry-After: 600") as receiver:
        await node.create("ann")
        await node.expand_all()
        async with running(node) as courier:
            await until_states(node, (101, "pending", "503"))
            (one,) = await node.storage.events(EventsWanted())
            assert NOW + 600_000 <= one.due_at < NOW + 610_000
            await node.create("ann")  # of another meeting
            await node.expand_all()
            for _ in range(20):
                courier.wake()
                await asyncio.sleep(0)
            assert len(receiver.got) == 1
            assert (await states(node))[1] == (101, "pending", "")


class Away:
    """A storage that refuses the first acknowledgements."""

    def __init__(self, node: Node, refusals: int) -> None:
        self._storage = node.storage
        self.refusals = refusals

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    async def amend_events(self, amendments: Sequence[tuple[int, int, AmendEvent]]) -> list[Event | None]:
        if amendments and self.refusals:
            self.refusals -= 1
            raise SystemFailure
        return await self._storage.amend_events(amendments)


async def test_what_the_receiver_said_is_kept_while_the_database_is_away(node: Node) -> None:
    async with receiving(node) as receiver:
        await node.create("ann")
        await node.expand_all()
        async with running(node, Away(node, 2)):
            await until_states(node, (101, "delivered", "204"))
        assert len(receiver.got) == 1


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ({"disabled": True}, "disabled"),
        ({"orgs": (), "default_org": None}, "not_granted"),
        ({"callback_url": ""}, "no_callback"),
    ],
)
async def test_events_for_nobody_are_skipped(node: Node, facts: dict[str, Any], outcome: str) -> None:
    async with receiving(node) as receiver:
        for _ in range(3):
            await node.create("ann")
        await node.expand_all()
        changed = {"callback_url": receiver.url, **facts}
        await node.storage.put_app(msgspec.structs.replace(APP, **changed))
        async with running(node):
            await until_states(node, *[(101, "skipped", outcome)] * 3)
        assert receiver.got == []


async def test_what_is_overdue_is_given_up_though_nobody_can_send_it(node: Node) -> None:
    async with receiving(node, b"503 Busy\r\nRetry-After: 3600") as receiver:
        await node.create("ann")
        await node.expand_all()
        async with running(node) as courier:
            await until_states(node, (101, "pending", "503"))
            await node.create("ann")
            await node.expand_all()
            node.clock.moment = NOW + 24 * HOUR + callbacks.OVERDUE_MS
            courier.wake()
            await until_states(node, (101, "failed", "503"), (101, "failed", "gave_up"))
        assert len(receiver.got) == 1
