"""The hub of live streams on feeds that tell what they were asked."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
import pytest
from prometheus_client import REGISTRY

from huiyao import errors
from huiyao.model import Attendee, Meeting, Message
from huiyao.pages import live as hub
from huiyao.pages import watchers
from huiyao.pages.live import Live
from huiyao.service.caller import Services
from huiyao.storage.contract import InboxPage, News, Position, Storage
from huiyao.wire import events
from tests.storage.node import ORG, until
from tests.storage.page import START, Page, always


class Feeds:
    """A storage of messages and of changes of meetings, everything written in a transaction of its own."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, str, int]] = []  # transaction, person, id
        self.changes: list[tuple[int, int]] = []  # transaction, meeting
        self.next = 1
        self.held = 0  # transactions at the end of the feed that are not below the horizon yet
        self.asked: list[str] = []  # what of this storage was called
        self.failures: dict[str, int] = {}  # so many calls of each kind will fail
        self.hint: Callable[[], None] = lambda: None

    def write(self, uid: str, *, wake: bool = True) -> None:
        self.messages.append((self.next, uid, self.next))
        self.next += 1
        if wake:
            self.hint()

    def change(self, meeting_id: int) -> None:
        self.changes.append((self.next, meeting_id))
        self.next += 1
        self.hint()

    async def watch(self, wake: Callable[[], None]) -> None:
        self.hint = wake

    async def horizon(self) -> int:
        self._ask("horizon")
        return self.next - self.held

    async def news(
        self, org_id: int, uids: Sequence[str], meetings: Sequence[int], *, since: int, until: int
    ) -> News:
        self._ask("news")
        assert (org_id, until <= self.next - self.held) == (ORG.id, True)
        told = {uid for xid, uid, _ in self.messages if since <= xid < until}
        changed = {meeting_id for xid, meeting_id in self.changes if since <= xid < until}
        return News(frozenset(told & set(uids)), frozenset(changed & set(meetings)))

    async def inbox(self, org_id: int, uid: str, *, after: Position, size: int) -> InboxPage:
        self._ask("inbox")
        own = [
            (xid, id_) for xid, whose, id_ in self.messages if whose == uid and xid < self.next - self.held
        ]
        rows = [row for row in own if row > (after.xid, after.id)][:size]
        return InboxPage(
            tuple(
                Message(id=id_, meeting_id=id_, kind="invited", params=PARAMS, created_at=0, read_at=None)
                for _, id_ in rows
            ),
            len(own),
            Position(*rows[-1]) if rows else after,
            tuple(xid for xid, _ in rows),
        )

    async def meeting(self, org_id: int, meeting_id: int, uid: str) -> tuple[Meeting, Attendee]:
        self._ask("meeting")
        return cast("Meeting", None), msgspec.structs.replace(ATTENDEE, uid=uid)

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.failures.get(what):
            self.failures[what] -= 1
            raise errors.SystemFailure


PARAMS = '{"organizer":"o","content":"c","address":"a","begin_at":1,"end_at":2}'
ATTENDEE = Attendee(
    uid="",
    name="",
    position=0,
    organizer=False,
    msg_status=0,
    remind=True,
    reply="",
    read_at=None,
    answered_at=None,
    card_removed_at=None,
    removed_at=None,
    membership=1,
    invited_sequence=0,
    removed_sequence=None,
    quiet=False,
)


@pytest.fixture
def feeds() -> Feeds:
    return Feeds()


@pytest.fixture
async def live(feeds: Feeds) -> AsyncIterator[Live]:
    async with running(feeds) as found:
        yield found


@asynccontextmanager
async def running(feeds: Feeds) -> AsyncIterator[Live]:
    found = Live(Services(cast("Storage", feeds)))
    task = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        found.stop()
        async with asyncio.timeout(5):
            await task


async def shown(page: Page, count: int) -> None:
    async def heard() -> bool:
        return len(page.messages) >= count

    await until(heard)


async def settled(feeds: Feeds, page: Page) -> None:
    """The page is connected, and the hub has told it all."""
    feeds.write(page.uid)
    await shown(page, sum(uid == page.uid for _, uid, _ in feeds.messages))


def asked(live: Live) -> AsyncGenerator[bytes, None]:
    return live.stream(ORG.id, "ann", locale="", timezone="UTC", after=START, since=0, still=always)


def streams() -> float:
    return REGISTRY.get_sample_value("huiyao_live_streams") or 0


async def test_while_nobody_is_connected_the_database_is_asked_nothing(feeds: Feeds, live: Live) -> None:
    for _ in range(5):
        feeds.write("ann")
        await asyncio.sleep(0.01)
    assert feeds.asked == []
    page = Page(live, "ann")
    await settled(feeds, page)
    await page.close()
    feeds.asked.clear()
    feeds.write("ann")
    await asyncio.sleep(3 * hub.LOOK_PAUSE_SECONDS)
    assert feeds.asked == []


async def test_only_whose_inbox_has_something_new_reads_it(feeds: Feeds, live: Live) -> None:
    pages = [Page(live, uid) for uid in ("ann", "bob", "cem")]
    for page in pages:
        await settled(feeds, page)
    feeds.asked.clear()
    feeds.write("bob")
    await shown(pages[1], 2)
    assert feeds.asked.count("inbox") == 1
    assert [len(page.messages) for page in pages] == [1, 2, 1]


async def test_wakes_that_come_close_together_are_one_look(feeds: Feeds, live: Live) -> None:
    page = Page(live, "ann")
    await settled(feeds, page)
    feeds.asked.clear()
    loop = asyncio.get_running_loop()
    start = loop.time()
    for _ in range(50):
        feeds.write("ann")
        await asyncio.sleep(0.002)
    await shown(page, 51)
    looks = (loop.time() - start) / hub.LOOK_PAUSE_SECONDS + 2
    assert 1 <= feeds.asked.count("news") <= looks


async def test_a_lost_wake_delays_and_loses_nothing(
    feeds: Feeds, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "POLL_SECONDS", 0.1)
    page = Page(live, "ann")
    await settled(feeds, page)
    feeds.write("ann", wake=False)
    await shown(page, 2)


async def test_after_a_wake_without_news_it_looks_again_soon_then_ever_less_often(
    feeds: Feeds, live: Live
) -> None:
    page = Page(live, "ann")
    await settled(feeds, page)
    await asyncio.sleep(2 * hub.LOOK_PAUSE_SECONDS)
    feeds.held = 1
    feeds.asked.clear()
    feeds.write("ann")
    await asyncio.sleep(8 * hub.LOOK_PAUSE_SECONDS)
    assert 2 <= feeds.asked.count("horizon") <= 6
    assert feeds.asked.count("news") == 0
    feeds.held = 0  # nobody says so
    await shown(page, 2)


async def test_what_comes_while_the_first_page_connects_is_not_lost(feeds: Feeds, live: Live) -> None:
    """Between its first read and the hub's first look."""
    for number in range(1, 20):
        page = Page(live, "ann")
        for _ in range(number % 5):
            await asyncio.sleep(0)
        feeds.write("ann")
        await shown(page, number)
        await page.close()


@pytest.mark.parametrize("what", ["horizon", "news", "inbox", "meeting"])
async def test_where_the_database_fails_a_stream_waits_and_goes_on(
    feeds: Feeds, live: Live, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(hub, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(watchers, "PAUSE_SECONDS", 0.01)
    page = Page(live, "ann", meetings=[5], since=0)
    await settled(feeds, page)
    feeds.failures[what] = 3
    feeds.write("ann")
    feeds.change(5)

    async def heard() -> bool:
        return len(page.messages) == 2 and bool(page.meetings)

    await until(heard)
    assert feeds.failures[what] == 0
    assert not page.closed.is_set()


@pytest.mark.parametrize("what", ["horizon", "news", "inbox", "meeting"])
async def test_a_page_that_comes_while_the_database_fails_hears_once_it_is_back(
    feeds: Feeds, live: Live, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(watchers, "PAUSE_SECONDS", 0.01)
    feeds.write("ann")
    feeds.change(5)
    feeds.failures[what] = 3
    page = Page(live, "ann", meetings=[5], since=0)

    async def heard() -> bool:
        return len(page.messages) == 1 and page.meetings == [5]

    await until(heard)


async def test_a_page_that_comes_takes_nothing_from_the_others(
    feeds: Feeds, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "POLL_SECONDS", 0.2)
    page = Page(live, "ann")
    await settled(feeds, page)
    feeds.write("ann", wake=False)
    feeds.write("bob", wake=False)
    await shown(Page(live, "bob"), 1)
    await shown(page, 2)


async def test_another_server_with_lower_transaction_numbers_is_followed(feeds: Feeds, live: Live) -> None:
    page = Page(live, "ann")
    feeds.next = 1000
    await settled(feeds, Page(live, "bob"))
    feeds.messages.clear()
    feeds.next = 10
    feeds.write("ann")
    await shown(page, 1)
    feeds.asked.clear()
    feeds.write("ann")
    await shown(page, 2)
    assert feeds.asked.count("inbox") == 1


async def test_a_heartbeat_keeps_a_silent_stream_open(
    feeds: Feeds, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "HEARTBEAT_SECONDS", 0.02)
    page = Page(live, "ann")

    async def beats() -> bool:
        return page.comments >= 4

    await until(beats)
    assert page.messages == []


async def test_a_stream_ends_when_the_session_does(
    feeds: Feeds, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr(hub, "STILL_SECONDS", 0.05)
    answers: list[bool | errors.SystemFailure] = [True, errors.SystemFailure(), True, False]
    monkeypatch.setattr(hub, "RETRY_SECONDS", 0.01)

    async def still() -> bool:
        answer = answers.pop(0)
        if isinstance(answer, errors.SystemFailure):
            raise answer
        return answer

    page = Page(live, "ann", still=still)
    async with asyncio.timeout(5):
        await page.closed.wait()
    assert answers == []


async def test_a_stop_ends_every_stream_at_once_and_those_that_come_later(feeds: Feeds) -> None:
    async with running(feeds) as live:
        pages = [Page(live, f"p{number}") for number in range(20)]
        for page in pages:
            await settled(feeds, page)
        live.stop()
        async with asyncio.timeout(1):
            for page in pages:
                await page.closed.wait()
        late = Page(live, "late")
        async with asyncio.timeout(1):
            await late.closed.wait()
        assert late.retry_ms == 2000  # it is to come again, elsewhere


async def test_the_ninth_stream_of_a_person_ends_the_oldest(feeds: Feeds, live: Live) -> None:
    pages = []
    for _ in range(watchers.STREAMS_PER_PERSON):
        pages.append(Page(live, "ann"))
        await settled(feeds, pages[-1])
    other = Page(live, "bob")
    await settled(feeds, other)
    newest = Page(live, "ann")
    async with asyncio.timeout(5):
        await pages[0].closed.wait()
    feeds.write("ann")
    await shown(newest, len([uid for _, uid, _ in feeds.messages if uid == "ann"]))
    assert pages[0].retry_ms == 60_000  # or the tabs would push each other out for ever
    assert [page.closed.is_set() for page in (*pages[1:], other)] == [False] * watchers.STREAMS_PER_PERSON


async def test_a_process_that_has_its_fill_admits_nobody(
    feeds: Feeds, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchers, "STREAMS", 2)
    pages = [Page(live, uid) for uid in ("ann", "bob")]
    live.admit(ORG.id, "cem")
    for page in pages:
        await settled(feeds, page)
    with pytest.raises(errors.Overloaded):
        live.admit(ORG.id, "cem")
    await pages[0].close()
    live.admit(ORG.id, "cem")


async def test_nothing_is_left_of_streams_that_are_over(feeds: Feeds, live: Live) -> None:
    before = streams()
    pages = [Page(live, uid, meetings=[7, 8], since=1) for uid in ("ann", "bob", "ann")]
    for page in pages:
        await settled(feeds, page)
    assert streams() - before == 3
    for page in pages:
        await page.close()
    assert streams() == before
    assert (live._watchers._people, live._watchers._meetings, live._seen) == ({}, {}, None)


async def test_a_stream_nobody_reads_any_more_is_over(feeds: Feeds, live: Live) -> None:
    before = streams()
    stream = asked(live)
    assert await anext(stream) == events.OPENING
    assert streams() == before + 1
    del stream  # as when the server drops an answer between two of its events

    async def over() -> bool:
        return streams() == before

    await until(over)


@pytest.fixture
def spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers, "PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(watchers, "FEW_PAGES", 2)
    monkeypatch.setattr(watchers, "PAGES_PER_SECOND", 40)


@pytest.mark.usefixtures("spread")
async def test_pages_that_show_one_meeting_are_not_told_all_at_once(feeds: Feeds, live: Live) -> None:
    pages = [Page(live, f"p{number}", meetings=[5], since=1) for number in range(20)]
    for page in pages:
        await settled(feeds, page)
    loop = asyncio.get_running_loop()
    told_at: list[float] = []

    async def wait(page: Page) -> None:
        async def heard() -> bool:
            return bool(page.meetings)

        await until(heard)
        told_at.append(loop.time())

    feeds.change(5)
    await asyncio.gather(*map(wait, pages))
    assert max(told_at) - min(told_at) > 0.1  # of the half second over which they are spread


@pytest.mark.usefixtures("spread")
async def test_a_page_is_told_of_a_meeting_that_keeps_changing_now_and_then(feeds: Feeds, live: Live) -> None:
    page = Page(live, "ann", meetings=[5], since=1)
    await settled(feeds, page)
    loop = asyncio.get_running_loop()
    start = loop.time()
    for _ in range(200):
        feeds.change(5)
        await asyncio.sleep(0.003)
    await asyncio.sleep(2 * watchers.PAUSE_SECONDS)
    assert 3 <= len(page.meetings) <= (loop.time() - start) / watchers.PAUSE_SECONDS + 1


async def test_a_failure_nobody_thought_of_does_not_end_the_hub(
    feeds: Feeds, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "POLL_SECONDS", 0.1)
    page = Page(live, "ann")
    await settled(feeds, page)
    news = feeds.news

    async def broken(*_: Any, **__: Any) -> News:
        raise ZeroDivisionError

    monkeypatch.setattr(feeds, "news", broken)
    feeds.write("ann")
    await asyncio.sleep(2 * hub.LOOK_PAUSE_SECONDS)
    monkeypatch.setattr(feeds, "news", news)
    await shown(page, 2)


async def test_the_cursor_of_an_event_is_not_its_neighbours(feeds: Feeds, live: Live) -> None:
    for _ in range(3):
        feeds.write("ann")
    async with contextlib.aclosing(asked(live)) as stream:
        assert await anext(stream) == events.OPENING
        frames = (await anext(stream)).split(b"\n\n")
    assert len({frame.split(b"\n")[0] for frame in frames if frame}) == 3
