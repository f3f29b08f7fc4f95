"""Events on PostgreSQL while several nodes write and send at once: none is left without a turn, none comes twice."""

import asyncio
from functools import partial

import pytest

from huiyao.model import Callback, Event
from huiyao.rules import callbacks
from huiyao.rules.callbacks import Attempt
from huiyao.storage.event_contract import EventsWanted
from tests.storage.node import APP, NOW, Node, held, open_nodes, until_blocked

pytestmark = pytest.mark.postgres

CALLBACK = Callback(style="platform", secret=b"sealed")
DONE = partial(callbacks.delivered, attempt=Attempt(at=NOW, ms=1, outcome="200"))


async def send(node: Node, seen: list[Event], stopped: asyncio.Event) -> None:
    """Take what is due and acknowledge it, until there is nothing left behind the stop."""
    while True:
        last = stopped.is_set()
        begun = await node.storage.begin_events([(APP.id, 3)], now=NOW, lease_ms=60_000)
        seen += begun
        await node.storage.amend_events([(one.org_id, one.id, DONE) for one in begun])
        if last and not await node.storage.events(EventsWanted(state="pending")):
            return
        await asyncio.sleep(0)


async def test_writers_and_senders_side_by_side_lose_no_turn_and_send_in_order(postgres_url: str) -> None:
    async with open_nodes(postgres_url, 3) as nodes:
        await nodes[0].storage.put_callback(APP.id, "https://hooks.example.com/", CALLBACK, check="")
        uids = [f"u{number}" for number in range(30)]
        meetings = [await nodes[0].create(*uids) for _ in range(3)]
        await nodes[0].expand_all()
        seen: list[Event] = []
        stopped = asyncio.Event()

        async def answer(place: int, uid: str) -> None:
            for meeting_id in meetings:
                await nodes[place % 3].respond(meeting_id, uid)
                await nodes[place % 3].respond(meeting_id, uid, declined=True)

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for node in nodes[:2]:
                group.create_task(send(node, seen, stopped))
            async with asyncio.TaskGroup() as answering:
                for place, uid in enumerate(uids):
                    answering.create_task(answer(place, uid))
            stopped.set()
        events = await nodes[0].storage.events(EventsWanted(limit=1000))
        assert {one.state for one in events} == {"delivered"}
        assert sorted(one.id for one in seen) == sorted(one.id for one in events)
        assert len(events) == len(meetings) * (1 + 2 * len(uids))
        assert await nodes[0].storage.waiting_apps() == []
        for uid in uids:  # what one person did comes in its order, of each meeting
            for meeting_id in meetings:
                own = [one.type for one in seen if (one.uid, one.meeting_id) == (uid, meeting_id)]
                assert own == [103, 104]


async def test_an_event_written_while_the_turn_is_being_ended_gets_one_of_its_own(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        await node.storage.put_callback(APP.id, "https://hooks.example.com/", CALLBACK, check="")
        meeting_id = await node.create("ann")
        await node.expand_all()
        (first,) = await node.storage.begin_events([(APP.id, 1)], now=NOW, lease_ms=60_000)
        async with held(postgres_url, "SELECT FROM event_turn FOR UPDATE") as other:
            answering = asyncio.create_task(node.respond(meeting_id, "ann"))
            await until_blocked(postgres_url)
            ended = f"state = 'delivered', ended_at = {NOW}"
            await other.execute(f"UPDATE event SET {ended} WHERE id = {first.id}")
            await other.execute("DELETE FROM event_turn")
            await other.execute("COMMIT")
            await answering
        assert [one.type for one in await node.storage.begin_events([(APP.id, 9)], now=NOW, lease_ms=1)] == [
            103
        ]
