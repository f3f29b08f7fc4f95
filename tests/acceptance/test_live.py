"""Live events over real connections: from the API call in one process to the page that another one serves."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from huiyao.service import sessions
from huiyao.service.caller import Services
from huiyao.storage.opening import open_storage
from huiyao.wire import cursor
from tests.acceptance.process import ORG, Client, Installation, Server
from tests.storage.node import until
from tests.storage.page import START, Events

START_CURSOR = cursor.write(START)
QUICK_SECONDS = 5.0  # a stop that waits for streams to end by themselves takes 10


async def signed_in(installation: Installation, uid: str) -> dict[str, str]:
    """The cookie of a browser that is signed in as this person."""
    url = installation.settings.get("database_url", f"sqlite:///{installation.folder}/huiyao.db")
    storage = await open_storage(url)
    try:
        secret, _ = await sessions.begin(Services(storage), ORG, uid=uid, app_id=installation.app_id)
    finally:
        await storage.close()
    return {"cookie": f"huiyao={secret}"}


class Browser(Events):
    """One page's connection to one server at a time."""

    def __init__(self, cookie: dict[str, str]) -> None:
        super().__init__()
        self._cookie = cookie
        self.ended = False  # by the server, in good order

    @asynccontextmanager
    async def connected(self, server: Server, *, watch: str = "") -> AsyncIterator[None]:
        """Its stream is open and read within the block."""
        self.lose_connection()
        self.ended = False
        before = self.comments
        reading = asyncio.create_task(self._read(server, watch))

        async def open_() -> bool:
            return self.comments > before or reading.done()

        try:
            await until(open_)
            yield
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading

    async def _read(self, server: Server, watch: str) -> None:
        headers = {**self._cookie, **({"last-event-id": self.last_id} if self.last_id else {})}
        params = {"after": START_CURSOR, "since": "1", "watch": watch}
        async with (
            httpx.AsyncClient(trust_env=False, timeout=30) as http,
            http.stream(
                "GET", f"{server.address}/workbench/live", params=params, headers=headers
            ) as response,
        ):
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("text/event-stream")
            async for data in response.aiter_raw():
                self.feed(data)
        self.ended = True

    def told(self) -> list[tuple[int, str]]:
        return [(one["meetingId"], one["kind"]) for one in self.messages]


def count(browser: Browser, messages: int) -> Callable[[], Awaitable[bool]]:
    async def enough() -> bool:
        return len(browser.messages) >= messages

    return enough


async def create(client: Client, *members: str) -> int:
    return await asyncio.to_thread(client.create, "u1", *members)


async def test_an_invitation_reaches_the_open_page(embedded: Installation) -> None:
    server = embedded.serve()
    client = embedded.client(server)
    browser = Browser(await signed_in(embedded, "u2"))
    async with browser.connected(server):
        meeting_id = await create(client, "u2", "u3")
        await until(count(browser, 1))
    assert browser.told() == [(meeting_id, "invited")]
    assert browser.retry_ms == 2000


async def test_an_answer_reaches_the_pages_that_show_the_meeting(embedded: Installation) -> None:
    server = embedded.serve()
    client = embedded.client(server)
    meeting_id = await create(client, "u2", "u3")
    browser = Browser(await signed_in(embedded, "u2"))
    async with browser.connected(server, watch=str(meeting_id)):
        await until(count(browser, 1))
        browser.meetings.clear()
        await asyncio.to_thread(client.do, "respond", "u3", meetingInviteId=meeting_id, msgStatus=2)

        async def heard() -> bool:
            return meeting_id in browser.meetings

        await until(heard)


async def test_a_page_that_outlives_the_server_misses_and_repeats_nothing(embedded: Installation) -> None:
    server = embedded.serve()
    client = embedded.client(server)
    browser = Browser(await signed_in(embedded, "u2"))
    made = [await create(client, "u2")]
    async with browser.connected(server):
        await until(count(browser, 1))
        server.kill()
    server = embedded.serve()
    client = embedded.client(server)
    made.append(await create(client, "u2"))
    async with browser.connected(server):
        await until(count(browser, 2))
        made.append(await create(client, "u2"))
        await until(count(browser, 3))
    assert browser.told() == [(meeting_id, "invited") for meeting_id in made]


async def test_a_stop_ends_open_streams_at_once(embedded: Installation) -> None:
    server = embedded.serve()
    client = embedded.client(server)
    browsers = [Browser(await signed_in(embedded, f"u{number}")) for number in range(5)]
    async with contextlib.AsyncExitStack() as stack:
        for browser in browsers:
            await stack.enter_async_context(browser.connected(server))
        await create(client, "u2")
        began = time.monotonic()
        assert await asyncio.to_thread(server.stop) == 0
        assert time.monotonic() - began < QUICK_SECONDS

        async def all_ended() -> bool:
            return all(browser.ended for browser in browsers)

        await until(all_ended)


async def test_a_client_that_has_gone_is_forgotten(embedded: Installation) -> None:
    server = embedded.serve()
    browser = Browser(await signed_in(embedded, "u2"))

    async def streams(number: int) -> bool:
        shown = await asyncio.to_thread(httpx.get, f"{server.address}/metrics", trust_env=False)
        return f"huiyao_live_streams {number:.1f}\n" in shown.text

    async with browser.connected(server):
        assert await streams(1)

    async def none() -> bool:
        return await streams(0)

    await until(none)


@pytest.mark.postgres
async def test_what_another_process_dispatches_reaches_the_page(scaled: Installation) -> None:
    server = scaled.serve("--no-dispatch")
    other = scaled.serve("--no-dispatch")
    dispatcher = scaled.start("dispatch")
    client = scaled.client(other)
    browser = Browser(await signed_in(scaled, "u2"))
    made = []
    async with browser.connected(server):
        for number in range(1, 6):
            made.append(await create(client, "u2"))
            await until(count(browser, number))
    assert browser.told() == [(meeting_id, "invited") for meeting_id in made]
    assert dispatcher.stop() == 0
    assert [one.stop() for one in (server, other)] == [0, 0]
