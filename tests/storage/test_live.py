"""Live streams on both databases: nothing lost, nothing told twice, whatever happens to connections and commits."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from huiyao import errors
from huiyao.pages import live as hub
from huiyao.pages import reader, watchers
from huiyao.pages.live import Live
from huiyao.storage.contract import InboxPage, Position
from tests.storage.node import ORG, Node, held, open_nodes, until
from tests.storage.page import Page


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[Live]:
    found = Live(node.services)
    task = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        found.stop()
        async with asyncio.timeout(5):
            await task


async def told(node: Node, *uids: str) -> int:
    meeting_id = await node.create(*uids)
    await node.expand_all()
    return meeting_id


async def shows(page: Page, *meeting_ids: int) -> None:
    """Wait until the page has heard of messages of these meetings, in this order, and of no others."""

    async def heard() -> bool:
        return len(page.messages) >= len(meeting_ids)

    await until(heard)
    assert [one["meetingId"] for one in page.messages] == list(meeting_ids)


async def opened(page: Page) -> None:
    async def heard() -> bool:
        return page.comments > 0

    await until(heard)


async def changed(page: Page, *meeting_ids: int) -> None:
    async def heard() -> bool:
        return set(meeting_ids) <= set(page.meetings)

    await until(heard)


async def test_an_open_page_hears_of_what_is_told_to_its_person(node: Node) -> None:
    async with running(node) as live:
        before = await told(node, "ann", "bob")
        ann, bob = Page(live, "ann"), Page(live, "bob")
        await shows(ann, before)
        second = await told(node, "ann")
        await shows(ann, before, second)
        await shows(bob, before)
        (message,) = bob.messages
        (own,) = await node.inbox("bob")
        assert message == {
            "messageId": own.id,
            "kind": "invited",
            "meetingId": before,
            "text": message["text"],
            "unread": 1,
        }
        assert "name of boss" in message["text"]
        assert [one["unread"] for one in ann.messages] == [1, 2]
        assert ann.retry_ms == 2000


async def test_a_page_that_comes_back_is_told_only_of_what_is_new(node: Node) -> None:
    async with running(node) as live:
        first = await told(node, "ann")
        page = Page(live, "ann")
        await shows(page, first)
        await page.close()
        second = await told(node, "ann")
        page.open()
        await shows(page, first, second)


async def test_a_page_is_told_of_nothing_before_its_cursor(node: Node) -> None:
    await told(node, "ann")
    end = (await node.storage.inbox(ORG.id, "ann", after=None, size=1)).end
    async with running(node) as live:
        page = Page(live, "ann", after=end)
        second = await told(node, "ann")
        await shows(page, second)


async def test_a_long_inbox_comes_whole_and_in_order(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "PAGE", 3)
    made = [await told(node, "ann") for _ in range(10)]
    async with running(node) as live:
        await shows(Page(live, "ann"), *made)


async def test_a_page_can_come_back_between_any_two_messages_of_one_read(node: Node) -> None:
    for _ in range(3):
        await node.create("ann")
    await node.expand_all()
    inbox = await node.storage.inbox(ORG.id, "ann", after=Position(0, 0), size=10)
    made = [message.meeting_id for message in inbox.messages]
    async with running(node) as live:
        await shows(Page(live, "ann"), *made)
        for count in range(3):
            again = Page(live, "ann", after=Position(inbox.xids[count], inbox.messages[count].id))
            await shows(again, *made[count + 1 :])
            await again.close()


async def test_a_page_hears_when_a_meeting_it_shows_changes(node: Node) -> None:
    shown, other = await told(node, "ann", "bob"), await told(node, "ann", "bob")
    async with running(node) as live:
        page = Page(live, "ann", meetings=[shown], since=await node.storage.horizon())
        await opened(page)
        await node.respond(other, "bob")
        await node.respond(shown, "bob")
        await changed(page, shown)
        assert page.meetings == [shown]


async def test_a_change_between_rendering_and_connecting_is_told(node: Node) -> None:
    shown, quiet = await told(node, "ann", "bob"), await told(node, "ann", "bob")
    rendered = await node.storage.horizon()
    await node.respond(shown, "bob")
    async with running(node) as live:
        page = Page(live, "ann", meetings=[shown, quiet], since=rendered)
        await changed(page, shown)
        assert page.meetings == [shown]


async def test_of_other_peoples_meetings_nothing_is_told(node: Node) -> None:
    theirs, hers = await told(node, "bob"), await told(node, "ann")
    async with running(node) as live:
        page = Page(live, "ann", meetings=[theirs, hers], since=0)
        await changed(page, hers)
        await node.respond(theirs, "bob")
        await node.respond(hers, "ann")

        async def twice() -> bool:
            return len(page.meetings) >= 2

        await until(twice)
        assert page.meetings == [hers, hers]


async def test_who_was_removed_hears_of_that_and_of_nothing_later(node: Node) -> None:
    left, kept = await told(node, "ann", "bob"), await told(node, "ann")
    async with running(node) as live:
        page = Page(live, "ann", meetings=[left, kept], since=await node.storage.horizon())
        await opened(page)
        await node.update(left, "bob")
        await changed(page, left)
        await node.respond(left, "bob")
        await node.respond(kept, "ann")
        await changed(page, kept)
        assert page.meetings == [left, kept]


async def test_a_page_is_told_of_many_changes_once(node: Node) -> None:
    uids = [f"p{number}" for number in range(20)]
    shown = await told(node, "ann", *uids)
    async with running(node) as live:
        page = Page(live, "ann", meetings=[shown], since=await node.storage.horizon())
        await opened(page)
        loop = asyncio.get_running_loop()
        start = loop.time()
        for uid in uids:
            await node.respond(shown, uid)
        last = await node.create("ann")
        await node.expand_all()

        async def last_told() -> bool:
            return bool(page.messages) and page.messages[-1]["meetingId"] == last

        await until(last_told)
        await changed(page, shown)
        assert len(page.meetings) <= (loop.time() - start) / watchers.PAUSE_SECONDS + 1


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_breaks_every_page_shows_its_inbox_once(
    node: Node, url: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages come and go, connections break within an event, reads fail, transactions commit late."""
    monkeypatch.setattr(hub, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(reader, "PAGE", 4)
    dice = random.Random(seed)
    uids = [f"p{number}" for number in range(4)]
    failing(node, dice, monkeypatch)
    async with running(node) as live:
        pages = [Page(live, uid) for uid in uids for _ in range(2)]
        done = asyncio.Event()

        async def browse(page: Page) -> None:
            while not done.is_set():
                await page.read_a_while(dice)
                await asyncio.sleep(dice.random() / 20)

        async def delay() -> None:
            while not done.is_set():
                async with held(url, "SELECT pg_current_xact_id()"):
                    await asyncio.sleep(dice.random() / 5)

        browsing = [asyncio.create_task(browse(page)) for page in pages]
        if node.storage.backend == "postgresql":
            browsing += [asyncio.create_task(delay()) for _ in range(2)]
        for _ in range(30):
            for _ in range(dice.randrange(1, 4)):
                await node.create(*dice.sample(uids, dice.randrange(1, 5)))
            await node.expand_all()
            await asyncio.sleep(dice.random() / 20)
        done.set()
        await asyncio.gather(*browsing)
        monkeypatch.undo()
        for page in pages:
            page.open()
        for page in pages:
            expected = [one.id for one in await node.inbox(page.uid)]

            async def complete(page: Page = page, count: int = len(expected)) -> bool:
                return len(page.messages) >= count

            await until(complete)
            assert [one["messageId"] for one in page.messages] == expected


def failing(node: Node, dice: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
    """One read of an inbox in ten fails."""
    inbox = node.storage.inbox

    async def sometimes(org_id: int, uid: str, *, after: Position | None, size: int) -> InboxPage:
        if dice.random() < 0.1:
            raise errors.SystemFailure
        return await inbox(org_id, uid, after=after, size=size)

    monkeypatch.setattr(node.storage, "inbox", sometimes)


@pytest.mark.postgres
async def test_a_message_written_elsewhere_arrives_though_another_commits_late(postgres_url: str) -> None:
    """The wake comes before the horizon has passed: the hub looks again by itself."""
    async with open_nodes(postgres_url, 2) as (here, elsewhere), running(here) as live:
        page = Page(live, "ann")
        await opened(page)
        async with held(postgres_url, "SELECT pg_current_xact_id()") as open_transaction:
            made = await told(elsewhere, "ann")
            await asyncio.sleep(0.3)  # the wake is over, and nothing has come of it
            assert not page.messages
            await open_transaction.execute("COMMIT")
        await shows(page, made)


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_breaks_a_page_hears_of_every_change_behind_it(
    node: Node, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It connects with the horizon it was told last, or was rendered at."""
    monkeypatch.setattr(watchers, "PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(hub, "RETRY_SECONDS", 0.02)
    dice = random.Random(seed)
    shown = [await told(node, "ann", "bob") for _ in range(3)]
    since = await node.storage.horizon()
    failing(node, dice, monkeypatch)
    async with running(node) as live:
        page = Page(live, "ann", meetings=shown, since=since)
        answers = dict.fromkeys(shown, False)
        for _ in range(25):
            changing = dice.sample(shown, dice.randrange(1, 3))
            page.meetings.clear()
            for meeting_id in changing:
                answers[meeting_id] = not answers[meeting_id]
                await node.respond(meeting_id, "bob", declined=answers[meeting_id])
                await page.read_a_while(dice)
            async with asyncio.timeout(10):
                while not set(changing) <= set(page.meetings):
                    await page.read_a_while(dice)
