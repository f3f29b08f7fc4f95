"""When a sender sends, and how much at once; how it bears a gateway or a database that is away, and how it stops."""

import asyncio
from typing import cast

import pytest
from structlog.testing import capture_logs

from huiyao.channels.contract import Refused, Retry, Sent, Unknown, Verdict
from huiyao.dispatch import dispatcher, loop, pacing, sender
from huiyao.dispatch.dispatcher import Dispatcher
from huiyao.model import RemindType
from huiyao.storage.contract import Storage
from huiyao.storage.opening import open_storage
from tests.storage.gateway import Gateway
from tests.storage.node import MINUTE, Node, number
from tests.storage.rows import execute
from tests.storage.sending import WAIT, Unreliable, measured, running, sender_to, texts_for, until_outcomes

SMS = RemindType.SMS


@pytest.fixture
def url(sqlite_url: str) -> str:
    """A sender keeps the same time on PostgreSQL."""
    return sqlite_url


async def test_no_more_requests_are_under_way_than_the_channel_bears(node: Node) -> None:
    await texts_for(node, *(f"p{place}" for place in range(10)))
    gateway = Gateway(concurrency=3)
    gateway.open.clear()
    async with running(node, gateway):
        await gateway.until_got(3)
        await asyncio.sleep(0.05)
        assert len(gateway.got) == 3
        states = [one.state for one in await node.deliveries()]
        assert states == ["sending"] * 3 + ["pending"] * 7
        gateway.open.set()
        await until_outcomes(node, *[("sent", "")] * 10)
    assert gateway.most_under_way == 3


async def test_no_more_requests_are_begun_in_a_second_than_the_channel_allows(node: Node) -> None:
    await texts_for(node, *(f"p{place}" for place in range(20)))
    gateway = Gateway(per_second=50.0)
    start = asyncio.get_running_loop().time()
    async with running(node, gateway):
        await gateway.until_got(20)
    # Five are saved up at first.
    assert all(at - start >= (place - 4) / 50 for place, at in enumerate(gateway.times))
    assert gateway.times[-1] - start < 3


async def test_as_many_as_there_is_room_for_are_taken_in_one_transaction(node: Node) -> None:
    await texts_for(node, *(f"p{place}" for place in range(100)))
    storage = Unreliable(node.storage)
    gateway = Gateway(concurrency=50)
    gateway.open.clear()
    async with running(node, gateway, cast("Storage", storage)):
        await gateway.until_got(50)
        assert storage.begins == 1
        gateway.open.set()
        await gateway.until_got(100)


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "FIRST_OPEN_SECONDS", 0.2)
    monkeypatch.setattr("random.uniform", lambda _, longest: longest)


@pytest.mark.usefixtures("short_pauses")
async def test_while_the_gateway_is_down_nothing_is_begun_but_one_trial_at_a_time(node: Node) -> None:
    await texts_for(node, *(f"p{place}" for place in range(20)))
    gateway = Gateway(*[Retry("unreachable")] * 6, concurrency=1)
    with capture_logs() as lines:
        async with running(node, gateway) as found:
            await gateway.until_got(5)
            await asyncio.sleep(0.1)
            assert len(gateway.got) == 5
            assert measured("huiyao_circuit_open", channel="sms") == 1
            # The outage uses up nobody's attempts.
            attempts = [one.attempt for one in await node.deliveries()]
            assert attempts == [1] * 5 + [0] * 15
            await gateway.until_got(20)
            assert measured("huiyao_circuit_open", channel="sms") == 0
            trial, second_trial = gateway.times[5:7]
            assert trial - gateway.times[4] >= 0.15
            assert second_trial - trial >= 0.35
            node.clock.moment += MINUTE
            found.wake()
            await until_outcomes(node, *[("sent", "")] * 20)
    events = [line["event"] for line in lines if line["event"].startswith("circuit")]
    assert events == ["circuit opened", "circuit closed"]
    assert len(gateway.got) == 26


@pytest.mark.usefixtures("short_pauses")
@pytest.mark.parametrize(
    ("verdict", "opens"),
    [(Unknown("timeout"), True), (Retry("busy", down=False), False), (Refused("bad"), False)],
    ids=lambda one: type(one).__name__,
)
async def test_only_what_is_wrong_with_the_gateway_as_a_whole_opens_the_circuit(
    node: Node, verdict: Verdict, opens: bool
) -> None:
    await texts_for(node, *(f"p{place}" for place in range(8)))
    gateway = Gateway(usual=verdict, concurrency=1)
    with capture_logs() as lines:
        async with running(node, gateway):
            await gateway.until_got(8)
    assert ("circuit opened" in [line["event"] for line in lines]) is opens


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(loop, "FIRST_PAUSE_SECONDS", 0.01)


@pytest.mark.usefixtures("quick_retries")
async def test_what_the_gateway_said_is_written_as_soon_as_the_database_is_back(node: Node) -> None:
    await texts_for(node, "ann", "bob")
    storage = Unreliable(node.storage)
    gateway = Gateway(Sent("id 1"), Refused("bad"))
    gateway.open.clear()
    async with running(node, gateway, cast("Storage", storage)):
        await gateway.until_got(2)
        storage.refusals = 4
        gateway.open.set()
        await until_outcomes(node, ("sent", ""), ("failed", "bad"))
    assert storage.refusals == 0
    assert len(gateway.got) == 2


@pytest.mark.usefixtures("quick_retries")
async def test_an_acknowledgement_that_cannot_be_written_holds_up_no_other(node: Node) -> None:
    await texts_for(node, *(f"p{place}" for place in range(6)))
    storage = Unreliable(node.storage)
    storage.poison = (await node.deliveries())[0].id
    gateway = Gateway()
    gateway.open.clear()
    async with running(node, gateway, cast("Storage", storage)):
        await gateway.until_got(6)
        gateway.open.set()
        await until_outcomes(node, ("sending", ""), *[("sent", "")] * 5)
        storage.poison = None
        await until_outcomes(node, *[("sent", "")] * 6)


@pytest.mark.usefixtures("quick_retries")
async def test_a_database_that_is_away_is_asked_again(node: Node) -> None:
    await texts_for(node, "ann")
    storage = Unreliable(node.storage)
    storage.refusals = 3
    gateway = Gateway()
    async with running(node, gateway, cast("Storage", storage)):
        await until_outcomes(node, ("sent", ""))
    assert len(gateway.got) == 1


async def test_people_without_a_number_are_passed_over_many_at_a_time(node: Node) -> None:
    uids = [f"p{place}" for place in range(500)]
    await node.create(*uids, remind_type=SMS)
    await node.expand_all()
    await texts_for(node, "ann")
    storage = Unreliable(node.storage)
    gateway = Gateway(concurrency=1)
    async with running(node, gateway, cast("Storage", storage)):
        await gateway.until_got(1)
    assert storage.begins <= 1 + 3 + 2


async def test_stop_lets_requests_under_way_have_their_answer_and_begins_no_other(node: Node) -> None:
    await texts_for(node, "ann", "bob")
    gateway = Gateway(concurrency=1)
    gateway.open.clear()
    async with running(node, gateway) as found:
        await gateway.until_got(1)
        found.stop()
        await asyncio.sleep(0.02)
        assert not gateway.closed
        gateway.open.set()
    assert await node.outcomes() == [("invited", "sent", ""), ("invited", "pending", "")]
    assert len(gateway.got) == 1


async def test_stop_does_not_wait_for_ever_and_the_next_start_takes_up_what_was_left(
    node: Node, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "STOP_SECONDS", 0.05)
    await texts_for(node, "ann")
    hanging = Gateway()
    hanging.open.clear()
    found = sender_to(node, hanging)
    task = asyncio.create_task(found.run())
    await hanging.until_got(1)
    found.stop()
    async with asyncio.timeout(5):
        await task
    assert hanging.closed
    assert await node.outcomes() == [("invited", "sending", "")]
    storage = await open_storage(url)
    again = Node(storage, node.clock)
    gateway = Gateway()
    try:
        with capture_logs() as lines:
            await again.send_all(gateway)
            assert gateway.got == []
            node.clock.moment += WAIT
            await again.send_all(gateway)
    finally:
        await storage.close()
    assert [(one.attempt, one.number) for one in gateway.got] == [(2, number("ann"))]
    assert {"event": "deliveries rescued", "log_level": "warning", "channel": "sms", "deliveries": 1} in lines


async def test_new_deliveries_wake_the_sender_at_once(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "POLL_SECONDS", 30.0)
    monkeypatch.setattr(dispatcher, "POLL_SECONDS", 30.0)
    await node.people("ann")
    gateway = Gateway()
    found = Dispatcher(node.storage, node.clock, senders=[sender_to(node, gateway)])
    task = asyncio.create_task(found.run())
    await asyncio.sleep(0.1)  # both have looked, and sleep
    await node.create("ann", remind_type=SMS)
    await gateway.until_got(1, seconds=3)
    found.stop()
    async with asyncio.timeout(5):
        await task
    assert gateway.closed
    assert await node.outcomes() == [("invited", "sent", "")]


async def test_one_channel_that_hangs_delays_neither_another_nor_the_inbox(node: Node, url: str) -> None:
    await texts_for(node, "ann", "bob")
    _, mail = await node.deliveries()
    await execute(url, f"UPDATE delivery SET channel = 'mail' WHERE id = {mail.id}")
    hanging, other = Gateway(concurrency=1), Gateway()
    hanging.open.clear()
    other.name = "mail"
    async with running(node, hanging), running(node, other):
        await hanging.until_got(1)
        await until_outcomes(node, ("sending", ""), ("sent", ""))
        await texts_for(node, "cat")
        assert await node.kinds("cat") == ["invited"]
    assert [one.delivery_id for one in other.got] == [mail.id]
