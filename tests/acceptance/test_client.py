"""The client on a real server: every call, two hundred clients of one app, and a server that dies in between."""

import asyncio
import random
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from huiyao.client import (
    AsyncHuiyao,
    Huiyao,
    Invitee,
    Meeting,
    MsgStatus,
    Patience,
    PushStatus,
    RemindType,
    errors,
)
from tests.acceptance.process import Installation, Server, eventually

BEGIN = datetime(2096, 10, 2, 8, tzinfo=UTC)
END = BEGIN + timedelta(hours=1)
MEMBERS = [Invitee("u2", "李强"), Invitee("u3", "张敏")]
CLIENTS = 200


@asynccontextmanager
async def connections() -> AsyncIterator[httpx.AsyncClient]:
    """Shared by all clients of a test: what is tested is not how many sockets this machine has."""
    async with httpx.AsyncClient(trust_env=False) as http:
        yield http


def client_of(installed: Installation, server: Server, http: httpx.AsyncClient) -> AsyncHuiyao:
    return AsyncHuiyao(
        f"{server.address}/openapi/",
        app_id=installed.app_id,
        app_secret=installed.app_secret,
        http=http,
        patience=Patience(
            deadline_seconds=100
        ),  # this machine may be busy; nobody may be refused, however late
    )


def test_every_call_does_what_it_says(embedded: Installation) -> None:
    for permission in ("freebusy", "ticket", "changes"):
        embedded.succeed("app", "set", str(embedded.app_id), "--grant", permission)
    huiyao = embedded.huiyao(embedded.serve())
    me, member = huiyao.person("u1", name="王芳"), huiyao.person("u2")
    made = me.create(content="季度预算", begin=BEGIN, end=END, members=MEMBERS, remind_type=RemindType.SMS)
    invited = eventually(lambda: member.inbox().messages or None, what="the invitation")
    assert [(one.kind, one.meeting_id, one.read) for one in invited] == [("invited", made, False)]
    member.inbox_read(invited[0].id)
    assert member.inbox().unread == 0

    member.read(made)
    member.respond(made, MsgStatus.ACCEPTED, reply="准时到")
    member.remind(made, wanted=False)
    before = me.detail(made)
    assert (before.begin, before.end, before.remind_type) == (BEGIN, END, RemindType.SMS)
    assert (before.push_status, before.sequence, before.creator_name) == (PushStatus.PUSHED, 0, "王芳")
    states = [(one.uid, one.name, one.msg_status, one.remind) for one in before.members]
    assert states == [("u2", "李强", MsgStatus.ACCEPTED, False), ("u3", "张敏", MsgStatus.UNREAD, True)]
    busy = me.freebusy(["u2", "u3"], begin=BEGIN - timedelta(days=1), end=END)
    assert [(len(one.busy), len(one.tentative)) for one in busy.values()] == [(1, 0), (0, 1)]
    assert busy["u2"].busy[0].begin == BEGIN

    me.update(before, address="四楼", members=[*before.members, Invitee("u4", "陈")])
    after = me.detail(made)
    assert unchanged(after, before)
    assert (after.address, [one.uid for one in after.members]) == ("四楼", ["u2", "u3", "u4"])
    assert after.members[0].msg_status == MsgStatus.ACCEPTED
    with pytest.raises(errors.SequenceChanged):
        me.update(before, address="五楼")
    me.update(before, address="五楼", overwrite=True)
    me.nudge(made)
    with pytest.raises(errors.BadParameter):
        me.nudge(made)
    assert member.ticket().url.startswith("http")

    member.delete(made)
    assert list(member.list()) == []
    me.cancel(made, sequence=me.detail(made).sequence)
    me.cancel(made)
    with pytest.raises(errors.MeetingCancelled):
        member.respond(made, MsgStatus.DECLINED)
    changed = me.changes(size=200)
    assert [one.kind for one in changed.changes][:2] == ["created", "read"]
    assert changed.changes[-1].meeting.push_status == PushStatus.CANCELLED
    assert me.changes(cursor=changed.cursor).changes == ()


def unchanged(after: Meeting, before: Meeting) -> bool:
    """Whether an update left alone what it was not given."""
    kept = ("created", "content", "begin", "end", "remind_minutes", "remind_type", "creator_uid")
    return all(getattr(after, name) == getattr(before, name) for name in kept)


def test_pages_of_a_list_are_fetched_as_they_are_asked_for(embedded: Installation) -> None:
    me = embedded.huiyao(embedded.serve()).person("u1", name="王芳")
    made = [me.create(content=f"会议{n}", begin=BEGIN, end=END, members=MEMBERS) for n in range(7)]
    assert [card.id for card in me.list(page_size=3)] == made[::-1]
    assert list(me.list(role="invited")) == []
    assert [card.id for card in me.list(begin=END, page_size=3)] == []


@pytest.mark.thorough
async def test_two_hundred_clients_whose_token_dies_at_once_all_go_on_with_the_next(
    embedded: Installation,
) -> None:
    """Another program of the app takes tokens by force, as the Java client does; none of the 200 does it in turn."""
    server = embedded.serve(token_grace_seconds="0")
    forcing = embedded.client(server)
    async with connections() as http:
        everyone = [client_of(embedded, server, http).person("u1") for _ in range(CLIENTS)]
        await asyncio.gather(*(one.inbox() for one in everyone))
        await asyncio.to_thread(forcing.get_token)
        await asyncio.gather(*(one.inbox() for one in everyone))
    assert query(embedded, "SELECT max(generation) FROM app") == [(2,)]


async def test_two_hundred_clients_never_lock_each_other_out_by_refreshing(embedded: Installation) -> None:
    """Where tokens live less than five minutes each refresh makes a new one and supersedes everybody else's."""
    server = embedded.serve(token_seconds="100", token_grace_seconds="100")
    for round_ in (1, 2):
        await first_calls(embedded, server, clients=CLIENTS)
        assert query(embedded, "SELECT max(generation) FROM app") == [(round_ * CLIENTS,)]


async def test_a_client_outlives_its_tokens(embedded: Installation) -> None:
    server = embedded.serve(token_seconds="3", token_grace_seconds="3")
    until = time.monotonic() + 7

    async def ask(http: httpx.AsyncClient) -> None:
        me = client_of(embedded, server, http).person("u1")
        while time.monotonic() < until:
            await me.inbox()
            await asyncio.sleep(random.uniform(0, 0.3))

    async with connections() as http:
        await asyncio.gather(*(ask(http) for _ in range(4)))
    [(generations,)] = query(embedded, "SELECT max(generation) FROM app")
    assert generations >= 8, "the tokens outlived the test"


@pytest.mark.thorough
async def test_two_hundred_clients_share_the_token_of_an_app(embedded: Installation) -> None:
    server = embedded.serve()
    await first_calls(embedded, server, clients=1)
    await first_calls(embedded, server, clients=CLIENTS)
    assert query(embedded, "SELECT max(generation) FROM app") == [(1,)]


async def first_calls(installed: Installation, server: Server, *, clients: int) -> None:
    """One call of each of so many new clients, all at once."""
    async with connections() as http:
        everyone = [client_of(installed, server, http).person("u1") for _ in range(clients)]
        await asyncio.gather(*(one.inbox() for one in everyone))


@pytest.mark.parametrize("end", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.thorough)])
async def test_a_server_that_goes_and_comes_back_makes_no_meeting_twice_and_fails_no_call(
    embedded: Installation, end: signal.Signals
) -> None:
    server = embedded.serve("--no-dispatch")
    made: dict[str, int] = {}
    stopping = asyncio.Event()

    async def work(me_of: Callable[[str], Awaitable[int]], number: int) -> None:
        while not stopping.is_set():
            content = f"{number}.{len(made)}.{random.random()}"
            made[content] = await me_of(content)

    async with connections() as http:
        me = client_of(embedded, server, http).person("u1", name="王芳")

        async def create(content: str) -> int:
            return await me.create(content=content, begin=BEGIN, end=END, members=MEMBERS)

        tasks = [asyncio.create_task(work(create, number)) for number in range(32)]
        for _ in range(2):
            before = len(made)
            async with asyncio.timeout(60):
                while len(made) < before + 100:
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(server.stop, end)
            server = await asyncio.to_thread(embedded.serve, "--no-dispatch", port=server.port)
        stopping.set()
        await asyncio.gather(*tasks)
    stored = query(embedded, "SELECT content, id FROM meeting")
    assert len(stored) == len(made)
    assert dict(stored) == made


def test_threads_of_one_client_outlive_the_server_too(embedded: Installation) -> None:
    server = embedded.serve("--no-dispatch")
    huiyao = embedded.huiyao(server)
    with ThreadPoolExecutor(8) as pool:
        pending = [pool.submit(one_create, huiyao, str(number)) for number in range(400)]
        eventually(lambda: sum(one.done() for one in pending) > 50, what="the first creates")
        server.kill()
        embedded.serve("--no-dispatch", port=server.port)
        made = {str(number): one.result(60) for number, one in enumerate(pending)}
    assert dict(query(embedded, "SELECT content, id FROM meeting")) == made
    assert query(embedded, "SELECT count(*) FROM meeting") == [(400,)]


def one_create(huiyao: Huiyao, content: str) -> int:
    me = huiyao.person("u1", name="王芳")
    return me.create(content=content, begin=BEGIN, end=END, members=MEMBERS)


def test_a_key_of_ones_own_repeats_over_clients_and_restarts(embedded: Installation) -> None:
    server = embedded.serve()
    created = datetime.now(UTC)

    def create(huiyao: Huiyao, content: str) -> int:
        me = huiyao.person("u1", name="王芳")
        return me.create(
            content=content, begin=BEGIN, end=END, members=MEMBERS, created=created, key="order-42"
        )

    first = create(embedded.huiyao(server), "预算")
    assert server.stop() == 0
    again = embedded.huiyao(embedded.serve())
    assert create(again, "预算") == first
    with pytest.raises(errors.KeyReused):
        create(again, "预算二")


def query(installed: Installation, statement: str) -> list[tuple[Any, ...]]:
    file = f"file:{installed.folder / 'huiyao.db'}?mode=ro"
    with closing(sqlite3.connect(file, uri=True)) as connection:
        return connection.execute(statement).fetchall()
