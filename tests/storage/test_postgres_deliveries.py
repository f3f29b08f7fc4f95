"""Several senders on PostgreSQL: nothing is taken twice, and one person's texts are looked at one after the other."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from structlog.testing import capture_logs

from huiyao.channels.contract import Sent, Unknown
from huiyao.dispatch.sender import acknowledgement
from huiyao.model import Delivery, RemindType
from huiyao.rules import deliver
from huiyao.rules.deliver import Sight
from huiyao.storage.contract import Begun, Look
from huiyao.storage.postgres import deliveries, open_postgres
from tests.storage.gateway import Gateway
from tests.storage.node import NOW, ORG, Node, held, number, open_nodes, until_blocked
from tests.storage.rows import fetch

pytestmark = pytest.mark.postgres

SMS = RemindType.SMS
LEASE = 60_000


def send(sight: Sight) -> Delivery:
    return deliver.begin(
        sight.delivery, address=number("ann"), text="text", as_of=sight.meeting.sequence, now=NOW
    )


async def begin(node: Node, look: Look = send, *, room: int = 100) -> Begun:
    return await node.storage.begin_deliveries(
        "sms", now=node.clock.now(), room=room, look_at=room, lease_ms=LEASE, look=look
    )


async def begin_all(node: Node, *, room: int) -> list[int]:
    """As a sender would that never waits; the ids of what it took."""
    taken: list[int] = []
    idle = 0
    while idle < 3:  # what others hold is no end
        begun = await begin(node, room=room)
        taken += [one.id for one, _ in begun.sending]
        idle = 0 if begun.sending else idle + 1
    return taken


async def test_several_senders_never_take_one_twice_and_leave_none(postgres_url: str) -> None:
    uids = [f"p{number}" for number in range(40)]
    async with open_nodes(postgres_url, 4) as nodes:
        await nodes[0].people(*uids)
        for _ in range(5):
            await nodes[0].create(*uids, remind_type=SMS)
        await nodes[0].expand_all()
        taken = await asyncio.gather(*(begin_all(node, room=7) for node in nodes))
        counted = Counter(one for found in taken for one in found)
        assert len(counted) == 200
        assert set(counted.values()) == {1}
        assert sum(map(bool, taken)) > 1, "one sender took everything: nothing was shared"
        found = await nodes[0].deliveries()
        assert {(one.state, one.attempt, one.uncertain) for one in found} == {("sending", 1, 1)}


async def test_what_another_sender_holds_is_passed_over_at_once(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        await node.create("ann", "bob", "cat", remind_type=SMS)
        await node.expand_all()
        first, *others = await node.deliveries()
        async with held(postgres_url, f"SELECT FROM delivery WHERE id = {first.id} FOR UPDATE"):
            async with asyncio.timeout(1):
                found = await begin(node)
                assert sorted(one.id for one, _ in found.sending) == [one.id for one in others]
                idle = await begin(node)
        # It is due all the same, and yet no reason to spin.
        assert (idle.sending, idle.more, idle.next_due_at) == ((), False, NOW)
        assert [one.id for one, _ in (await begin(node)).sending] == [first.id]


def apart(work: Callable[[], Coroutine[Any, Any, Begun]]) -> "asyncio.Future[Begun]":
    """Run it on an event loop in a thread of its own, where its look may wait."""
    thread = ThreadPoolExecutor(1)
    found = asyncio.get_running_loop().run_in_executor(thread, lambda: asyncio.run(work()))
    thread.shutdown(wait=False)
    return found


async def two_looks(url: str, *, until_second_waits: bool = True) -> Sight:
    """What a second sender sees of ann's other text while the first is still looking at one."""
    looking, go_on = threading.Event(), threading.Event()

    def slowly(sight: Sight) -> Delivery:
        looking.set()
        assert go_on.wait(10)
        return send(sight)

    async def first() -> Begun:
        storage = await open_postgres(url)
        try:
            return await storage.begin_deliveries(
                "sms", now=NOW, room=1, look_at=1, lease_ms=LEASE, look=slowly
            )
        finally:
            await storage.close()

    seen: list[Sight] = []

    def notes(sight: Sight) -> Delivery:
        seen.append(sight)
        return send(sight)

    async with open_nodes(url) as (node,):
        one = apart(first)
        try:
            assert await asyncio.to_thread(looking.wait, 10)
            other = asyncio.create_task(begin(node, notes))
            if until_second_waits:
                await until_blocked(url)
            else:
                await asyncio.wait({other}, timeout=5)
        finally:
            go_on.set()
        assert len((await one).sending) == 1
        await other
    (sight,) = seen
    return sight


async def updated_twice(url: str) -> None:
    """Ann was invited by text; two updates wait for her."""
    async with open_nodes(url) as (node,):
        await node.people("ann")
        meeting_id = await node.create("ann", remind_type=SMS)
        await node.expand_all()
        await node.send_all(Gateway())
        for place in ("hall", "roof"):
            await node.update(meeting_id, "ann", address=place, remind_type=SMS)
            await node.expand_all()


async def test_of_two_updates_taken_by_two_senders_the_second_sees_what_the_first_shows(
    postgres_url: str,
) -> None:
    await updated_twice(postgres_url)
    sight = await two_looks(postgres_url)
    assert (sight.delivery.sequence, sight.shown) == (2, 2)
    assert deliver.untrue(sight, now=NOW) == "superseded"


async def test_without_the_persons_lock_both_would_be_sent(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await updated_twice(postgres_url)
    unlocked, _, _ = deliveries._LOCK_PEOPLE.partition("FOR NO KEY UPDATE")
    monkeypatch.setattr(deliveries, "_LOCK_PEOPLE", unlocked)
    sight = await two_looks(postgres_url, until_second_waits=False)
    assert (sight.delivery.sequence, sight.shown) == (2, 0)
    assert deliver.untrue(sight, now=NOW) is None


async def test_of_two_texts_about_two_meetings_the_second_counts_the_first(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        await node.people("ann")
        for _ in range(2):
            await node.create("ann", remind_type=SMS)
            await node.expand_all()
    assert (await two_looks(postgres_url)).sent_today == 1


async def test_people_are_locked_in_one_order_so_that_senders_do_not_deadlock(postgres_url: str) -> None:
    uids = [f"p{number:02}" for number in range(30)]
    async with open_nodes(postgres_url, 3) as nodes:
        await nodes[0].people(*uids)
        for order in (uids, uids[::-1]) * 3:
            await nodes[0].create(*order, remind_type=SMS)
            await nodes[0].expand_all()
        with capture_logs() as logs:
            await asyncio.gather(
                *(begin_all(node, room=20) for node in nodes), nodes[0].people(*reversed(uids))
            )
        assert not logs
        assert {one.state for one in await nodes[0].deliveries()} == {"sending"}


async def test_acknowledgements_in_opposite_orders_do_not_deadlock(postgres_url: str) -> None:
    uids = [f"p{number}" for number in range(30)]
    async with open_nodes(postgres_url, 2) as nodes:
        await nodes[0].create(*uids, remind_type=SMS)
        await nodes[0].expand_all()
        begun = await begin(nodes[0])
        amend = acknowledgement(Sent("id 1"), attempt=1, wait_ms=0, jitter=1, now=NOW)
        made = [(ORG.id, one.id, amend) for one, _ in begun.sending]
        middle = made[len(made) // 2][1]
        with capture_logs() as logs:
            async with held(postgres_url, f"SELECT FROM delivery WHERE id = {middle} FOR UPDATE") as other:
                both = asyncio.gather(
                    nodes[0].storage.amend_deliveries(made),
                    nodes[1].storage.amend_deliveries(made[::-1]),
                )
                await until_blocked(postgres_url, backends=2)
                await other.execute("ROLLBACK")
                one, two = await both
        assert not logs
        # Each was acknowledged once, by one of them.
        assert [bool(found) for found in one] != [bool(found) for found in two[::-1]]
        assert len([found for found in (*one, *two) if found]) == 30


async def test_a_rescue_passes_over_what_is_just_being_acknowledged(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        await node.create("ann", "bob", remind_type=SMS)
        await node.expand_all()
        await node.storage.begin_deliveries("sms", now=NOW, room=9, look_at=9, lease_ms=0, look=send)
        first, _ = await node.deliveries()
        async with held(postgres_url, f"SELECT FROM delivery WHERE id = {first.id} FOR UPDATE"):
            async with asyncio.timeout(1):
                assert await node.storage.rescue_deliveries(wait_ms=1) == 1
        assert await node.storage.rescue_deliveries(wait_ms=1) == 1
        assert [one.state for one in await node.deliveries()] == ["pending", "pending"]


async def test_a_lease_runs_by_the_databases_clock(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        node.clock.moment = NOW
        await node.create("ann", remind_type=SMS)
        await node.expand_all()
        await begin(node)
        ((left,),) = await fetch(
            postgres_url,
            "SELECT lease_until - (extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM delivery",
        )
        assert LEASE - 10_000 < left <= LEASE


async def test_nodes_that_forget_at_the_same_time_share_the_work(postgres_url: str) -> None:
    async with open_nodes(postgres_url, 3) as nodes:
        await asyncio.gather(*(nodes[0].create("ann", key=f"key {place}") for place in range(60)))
        later = NOW + 3_600_000
        gone = await asyncio.gather(*(node.storage.prune(now=later, ended_before=0) for node in nodes))
        assert sum(gone) == 60
        assert await fetch(postgres_url, "SELECT count(*) FROM idempotency") == [(0,)]


async def test_what_somebody_holds_is_forgotten_another_time(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        for key in ("one", "two"):
            await node.create("ann", key=key)
        async with held(postgres_url, "SELECT FROM idempotency WHERE key = 'one' FOR UPDATE"):
            async with asyncio.timeout(1):
                assert await node.storage.prune(now=NOW + 3_600_000, ended_before=0) == 1
        assert await node.storage.prune(now=NOW + 3_600_000, ended_before=0) == 1


async def test_an_erasure_waits_for_a_text_that_is_being_begun_and_forgets_that_too(
    postgres_url: str,
) -> None:
    async with open_nodes(postgres_url) as (node,):
        await node.people("ann")
        await node.create("ann", remind_type=SMS)
        await node.expand_all()
        (one,) = await node.deliveries()
        begun = (
            f"SELECT FROM delivery WHERE id = {one.id} FOR UPDATE",
            "SELECT FROM person WHERE uid = 'ann' FOR NO KEY UPDATE",
            "UPDATE delivery SET state = 'sending', lease_until = 1, attempt = 1, uncertain = 1,"
            f" sent_at = {NOW}, address = '{number('ann')}', text = 'come'",
        )
        async with held(postgres_url, *begun) as other:
            erasing = asyncio.create_task(node.storage.erase_person(ORG.id, "ann"))
            await until_blocked(postgres_url)
            await other.execute("COMMIT")
            assert await erasing
        (after,) = await node.deliveries()
        assert (after.state, after.address, after.text) == ("sending", "", "")


async def test_senders_and_erasures_do_not_deadlock(postgres_url: str) -> None:
    uids = [f"p{number}" for number in range(20)]
    async with open_nodes(postgres_url, 2) as nodes:
        await nodes[0].people(*uids)
        for _ in range(4):
            await nodes[0].create(*uids, remind_type=SMS)
        await nodes[0].expand_all()
        await nodes[0].send_all(Gateway(*[Unknown("?")] * 40))
        nodes[0].clock.moment += 60_000
        await nodes[0].create(*uids, remind_type=SMS)
        await nodes[0].expand_all()
        with capture_logs() as logs:
            await asyncio.gather(
                nodes[1].send_all(Gateway()),
                *(nodes[0].storage.erase_person(ORG.id, uid) for uid in reversed(uids)),
            )
        assert not [line for line in logs if line["log_level"] == "error"]
        assert {(one.address, one.text) for one in await nodes[0].deliveries()} == {("", "")}
