"""The contract of horizon, news and watch, on both databases."""

import asyncio
import random
from collections.abc import Iterable

import pytest

from huiyao.service import meetings
from huiyao.storage.contract import News
from huiyao.storage.postgres import live as postgres_live
from huiyao.storage.postgres import signals
from huiyao.storage.sqlite import live as sqlite_live
from tests.storage.node import NOW, ORG, Node, caller, held, open_nodes, until

NOTHING = News(frozenset(), frozenset())


async def news(node: Node, since: int, to: int, *uids: str, meetings: Iterable[int] = ()) -> News:
    return await node.storage.news(ORG.id, uids, list(meetings), since=since, until=to)


async def told(node: Node, *uids: str) -> int:
    """A meeting whose invitations are in the inboxes."""
    meeting_id = await node.create(*uids)
    await node.expand_all()
    return meeting_id


async def wakes_of(node: Node) -> list[None]:
    woken: list[None] = []
    await node.storage.watch(lambda: woken.append(None))
    if node.storage.backend == "postgresql":

        async def listening() -> bool:
            return bool(woken)

        await until(listening)  # it wakes once when its connection stands
        woken.clear()
    return woken


async def test_a_window_shows_who_has_messages_in_it_and_nobody_else(node: Node) -> None:
    start = await node.storage.horizon()
    first = await told(node, "ann", "bob")
    middle = await node.storage.horizon()
    second = await told(node, "cem")
    end = await node.storage.horizon()
    everybody = ("ann", "bob", "cem", "dan")
    both = (first, second)
    assert await news(node, start, middle, *everybody, meetings=both) == News(
        frozenset({"ann", "bob"}), frozenset({first})
    )
    assert await news(node, middle, end, *everybody, meetings=both) == News(
        frozenset({"cem"}), frozenset({second})
    )
    assert await news(node, start, end, *everybody, meetings=both) == News(
        frozenset({"ann", "bob", "cem"}), frozenset(both)
    )
    assert await news(node, end, end, *everybody, meetings=both) == NOTHING


async def test_only_those_asked_about_are_shown(node: Node) -> None:
    start = await node.storage.horizon()
    meeting_id = await told(node, "ann", "bob")
    other = await told(node, "ann")
    end = await node.storage.horizon()
    assert await news(node, start, end, "bob", meetings=[other]) == News(
        frozenset({"bob"}), frozenset({other})
    )
    assert await news(node, start, end, meetings=[meeting_id]) == News(frozenset(), frozenset({meeting_id}))
    assert await news(node, start, end, "ann") == News(frozenset({"ann"}), frozenset())
    assert await news(node, start, end) == NOTHING


async def test_another_organisation_has_news_of_its_own(node: Node) -> None:
    start = await node.storage.horizon()
    meeting_id = await told(node, "ann")
    end = await node.storage.horizon()
    found = await node.storage.news(ORG.id + 1, ["ann"], [meeting_id], since=start, until=end)
    assert found == NOTHING


async def test_an_answer_is_news_of_its_meeting_before_anybody_is_told(node: Node) -> None:
    meeting_id = await told(node, "ann")
    start = await node.storage.horizon()
    await node.respond(meeting_id, "ann")
    end = await node.storage.horizon()
    assert await news(node, start, end, "ann", "boss", meetings=[meeting_id]) == News(
        frozenset(), frozenset({meeting_id})
    )


@pytest.mark.parametrize("uid", ["o'neill", '"', "%", "\\", "李强", "🙂", "a,b", "null"])
async def test_any_uid_can_be_asked_about(node: Node, uid: str) -> None:
    start = await node.storage.horizon()
    await told(node, uid)
    end = await node.storage.horizon()
    assert (await news(node, start, end, "ann", uid)).uids == {uid}


async def test_where_very_much_happened_every_meeting_counts_as_changed(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sqlite_live, postgres_live):
        monkeypatch.setattr(module, "SCANNED_ENTRIES", 3)
    quiet = await told(node, "ann")
    start = await node.storage.horizon()
    for _ in range(3):
        busy = await told(node, "ann")
    assert (await news(node, start, await node.storage.horizon(), meetings=[quiet, busy])).meetings == {busy}
    await told(node, "ann")
    end = await node.storage.horizon()
    assert (await news(node, start, end, meetings=[quiet, busy])).meetings == {quiet, busy}


async def test_a_commit_and_what_the_dispatcher_writes_wake(node: Node) -> None:
    woken = await wakes_of(node)
    meeting_id = await node.create("ann")
    assert woken
    await settle(node)
    woken.clear()
    await node.expand_all()
    assert woken
    await settle(node)
    woken.clear()
    await meetings.read(node.services, caller("ann"), meeting_id)  # leaves no task
    assert woken


async def settle(node: Node) -> None:
    """Nothing is to come of what was done: on PostgreSQL a notification may be on its way."""
    if node.storage.backend == "postgresql":
        await asyncio.sleep(4 * signals.NOTIFY_PAUSE_SECONDS)


async def test_what_changes_nothing_wakes_nobody(node: Node) -> None:
    woken = await wakes_of(node)
    await node.expand_all()
    await node.storage.reserve_ids(10)
    await settle(node)
    assert not woken


@pytest.mark.postgres
async def test_what_another_process_commits_or_tells_wakes(postgres_url: str) -> None:
    async with open_nodes(postgres_url, 2) as (one, other):
        woken = await wakes_of(one)

        async def hears() -> bool:
            return bool(woken)

        await other.create("ann")
        await until(hears)
        await settle(one)
        woken.clear()
        await other.expand_all()
        await until(hears)


@pytest.mark.postgres
async def test_many_commits_send_few_notifications(postgres_url: str) -> None:
    async with open_nodes(postgres_url, 2) as (one, other):
        woken = await wakes_of(one)
        loop = asyncio.get_running_loop()
        start = loop.time()
        for _ in range(50):
            await other.create("ann")
        allowed = (loop.time() - start) / signals.NOTIFY_PAUSE_SECONDS + 2
        assert 1 <= len(woken) <= allowed


@pytest.mark.postgres
async def test_a_window_ends_before_a_transaction_that_commits_late(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        meeting_id = await told(node, "ann")
        start = await node.storage.horizon()
        async with held(postgres_url, late_message(meeting_id, "late")) as late:
            await told(node, "bob")
            stopped = await node.storage.horizon()
            assert await news(node, start, stopped, "late", "bob", meetings=[meeting_id]) == NOTHING
            await late.execute("COMMIT")
        end = await node.storage.horizon()
        assert (await news(node, stopped, end, "late", "bob")).uids == {"late", "bob"}


def late_message(meeting_id: int, uid: str) -> str:
    return (
        "INSERT INTO message (org_id, uid, xid, id, meeting_id, kind, occasion, as_of, params, created_at)"
        f" VALUES ({ORG.id}, '{uid}', pg_current_xact_id()::text::bigint, {meeting_id}, {meeting_id}, 'nudged',"
        f" '{uid}', 0, '{{}}', {NOW})"
    )


@pytest.mark.postgres
async def test_windows_in_a_row_show_every_message_once_however_late_it_is_committed(
    postgres_url: str,
) -> None:
    dice = random.Random(1)
    uids = [f"p{number}" for number in range(60)]
    async with open_nodes(postgres_url) as (node,):
        meeting_id = await told(node, "ann")
        start = await node.storage.horizon()

        async def write(uid: str) -> None:
            await asyncio.sleep(dice.random() / 2)
            async with held(postgres_url, late_message(meeting_id, uid)) as connection:
                await asyncio.sleep(dice.random() / 5)
                await connection.execute("COMMIT")

        writing = asyncio.gather(*map(write, uids))
        shown: list[str] = []
        last = False
        while not last:
            last = writing.done()
            end = await node.storage.horizon()
            shown += (await news(node, start, end, *uids)).uids
            start = end
            await asyncio.sleep(0.003)
        await writing
        assert sorted(shown) == sorted(uids)
