"""Connections cut at every moment, and a PostgreSQL that stops and comes back."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from huiyao import errors
from huiyao.storage.postgres import commit, connections, open_postgres
from tests.storage.node import BOSS, ORG, Node, open_nodes, until
from tests.storage.postgres import Databases, execute, own_server
from tests.storage.proxy import Cut, proxied

pytestmark = pytest.mark.postgres


async def entries(url: str) -> list[tuple[int, str]]:
    """(meeting, kind) of the whole history, read past the storage."""
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetch("SELECT meeting_id, kind FROM history ORDER BY id")
        return [(row[0], row[1]) for row in found]
    finally:
        await connection.close()


@pytest.mark.parametrize("cut", [Cut.LOSE, Cut.HANG, Cut.ANSWER])
async def test_a_commit_whose_answer_is_lost_is_looked_up_and_done_exactly_once(
    postgres_url: str, cut: Cut
) -> None:
    async with proxied(postgres_url) as proxy, open_nodes(proxy.url) as (node,):
        earlier = await node.create("ann")
        proxy.cut = cut
        meeting_id = await node.create("ann")
        assert proxy.cut is Cut.PASS  # it did happen
        proxy.cut = cut
        await node.respond(meeting_id, "ann")
        assert await entries(postgres_url) == [
            (earlier, "created"),
            (meeting_id, "created"),
            (meeting_id, "responded"),
        ]


async def test_all_changes_of_a_batch_share_what_became_of_it(postgres_url: str) -> None:
    async with proxied(postgres_url) as proxy, open_nodes(proxy.url) as (node,):
        await node.create("ann")
        proxy.cut = Cut.ANSWER
        ids = await asyncio.gather(*(node.create("ann") for _ in range(30)))
        assert [one for one, _ in await entries(postgres_url)][1:] == sorted(ids)


async def test_where_the_outcome_cannot_be_learned_the_caller_is_told_so(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "OUTCOME_SECONDS", 0.5)
    async with proxied(postgres_url) as proxy, open_nodes(proxy.url) as (node,):
        await node.create("ann")
        proxy.cut = Cut.AWAY
        with pytest.raises(errors.OutcomeUnknown):
            await node.create("ann")
        assert len(await entries(postgres_url)) == 2
        proxy.away = False
        await node.create("ann")
        assert len(await entries(postgres_url)) == 3


async def test_backends_that_are_ended_in_the_middle_go_unnoticed(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):

        async def end_all(delay: float) -> None:
            await asyncio.sleep(delay)
            await execute(
                postgres_url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )

        made: list[int] = []
        for number in range(30):
            ending = asyncio.create_task(
                end_all(number / 5_000)
            )  # sooner or later, to strike at every moment
            made += await asyncio.gather(*(node.create("ann", "bob") for _ in range(20)))
            await node.respond(made[-1], "ann")
            await ending
        written = await entries(postgres_url)
        assert sorted(one for one, kind in written if kind == "created") == sorted(made)
        assert sum(kind == "responded" for _, kind in written) == 30


async def fails_soon(node: Node) -> None:
    """Every kind of call fails with SystemFailure, in time; also what comes while others wait for a connection."""

    async def fails(call: Awaitable[object]) -> None:
        start = time.monotonic()
        with pytest.raises(errors.SystemFailure):
            await call
        assert time.monotonic() - start < 3

    waves: list[asyncio.Task[None]] = []
    for _ in range(3):  # one more than there are committers
        waves += [asyncio.create_task(fails(node.create("ann"))) for _ in range(10)]
        await asyncio.sleep(0.2)
    await asyncio.gather(
        *waves,
        fails(node.storage.whole_meeting(ORG.id, 1)),
        fails(node.storage.ping()),
        fails(node.expand()),
    )


async def works(node: Node) -> bool:
    try:
        await node.create("ann")
    except errors.SystemFailure:
        return False
    return True


@pytest.mark.slow
async def test_while_the_server_is_down_calls_fail_in_time_and_afterwards_they_work_again() -> None:
    with own_server() as server:
        url = Databases(server.url).create()
        async with open_nodes(url) as (node,):
            woken: list[None] = []
            await node.storage.listen(lambda: woken.append(None))
            await node.services.ids.take(500)
            before = await node.create("ann")
            await asyncio.to_thread(server.stop)
            await fails_soon(node)
            await fails_soon(node)
            await asyncio.to_thread(server.start)
            await until(lambda: works(node))
            assert await node.storage.whole_meeting(ORG.id, before)
            assert await node.expand_all() >= 2

            async def wakes() -> bool:
                woken.clear()
                await node.create("ann")
                await asyncio.sleep(0.2)
                return len(woken) > 1  # by itself and by NOTIFY

            await until(wakes)


@pytest.mark.slow
async def test_a_restart_in_the_middle_loses_nothing_that_was_confirmed_and_doubles_nothing() -> None:
    with own_server() as server:
        url = Databases(server.url).create()
        async with open_nodes(url, 2) as nodes:
            stopping = asyncio.Event()
            confirmed: list[int] = []
            failed = 0

            async def create_on(node: Node) -> None:
                nonlocal failed
                while not stopping.is_set():
                    try:
                        confirmed.append(await node.create("ann"))
                    except errors.OutcomeUnknown:
                        pytest.fail("the server came back in time to be asked")
                    except errors.SystemFailure:
                        failed += 1

            creating = [asyncio.create_task(create_on(node)) for node in nodes for _ in range(8)]

            async def goes_on() -> bool:
                return len(confirmed) > seen + 100

            for _ in range(2):
                seen = len(confirmed)
                await until(goes_on)
                await asyncio.to_thread(server.stop)
                await asyncio.to_thread(server.start)
            seen = len(confirmed)
            await until(goes_on)
            stopping.set()
            await asyncio.gather(*creating)
            assert sorted(confirmed) == sorted(one for one, _ in await entries(url))
            found = await nodes[0].storage.meeting(ORG.id, confirmed[-1], BOSS)
            assert found


async def test_what_no_waiting_can_put_right_fails_at_once(postgres_url: str) -> None:
    missing = urlunsplit(urlsplit(postgres_url)._replace(path="/no_such_database"))
    storage = await open_postgres(missing)
    try:
        async with asyncio.timeout(1):
            with pytest.raises(errors.SystemFailure) as caught:
                await storage.ping()
        assert isinstance(caught.value.__cause__, asyncpg.InvalidCatalogNameError)
    finally:
        await storage.close()


async def test_a_dispatcher_goes_on_after_its_connections_were_ended(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        await node.create("ann")
        assert await node.expand_all() == 1
        await node.create("ann")
        await execute(
            postgres_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        assert await node.expand_all() == 1


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """The port of one that takes connections and says nothing, as a machine does that has frozen."""
    held: list[asyncio.StreamWriter] = []

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in held:
            writer.close()


async def test_of_several_servers_the_one_that_answers_is_used(postgres_url: str) -> None:
    async with proxied(postgres_url) as proxy, silent_server() as frozen:
        parts = urlsplit(proxy.url)
        user, at, host = parts.netloc.rpartition("@")
        several = parts._replace(netloc=f"{user}{at}127.0.0.1:{frozen},127.0.0.1:1,{host}").geturl()
        async with asyncio.timeout(commit.OUTCOME_SECONDS), open_nodes(several) as (node,):
            meeting_id = await node.create("ann")
            assert await node.storage.whole_meeting(ORG.id, meeting_id)


async def test_during_an_outage_only_the_first_calls_wait() -> None:
    away = await open_postgres("postgresql://nobody@127.0.0.1:1/nothing")
    clock = asyncio.get_running_loop()

    async def seconds() -> float:
        start = clock.time()
        with pytest.raises(errors.SystemFailure):
            await away.ping()
        return clock.time() - start

    try:
        assert await seconds() > 1
        assert max([await seconds() for _ in range(5)]) < 0.5
    finally:
        await away.close()


@pytest.mark.slow
@pytest.mark.parametrize("ended", [False, True])
async def test_what_has_not_reached_the_standby_is_never_confirmed(
    monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    """`ended`: somebody ends the waiting process, by which the server makes visible what nobody else has."""
    monkeypatch.setattr(commit, "OUTCOME_SECONDS", 2.5)
    with own_server() as server:
        url = Databases(server.url).create()
        async with open_nodes(url) as (node,):
            await node.services.ids.take(500)
            before = await node.create("ann")
            await lose_the_standby(url)
            ending = asyncio.create_task(end_what_waits(url) if ended else asyncio.sleep(0))
            with pytest.raises(errors.OutcomeUnknown):
                await node.respond(before, "ann")
            await ending
            if not ended:
                # Nobody sees it: it would be told as done to who repeats the call.
                assert await entries(url) == [(before, "created")]
            await execute(url, "ALTER SYSTEM RESET synchronous_standby_names")
            await execute(url, "SELECT pg_reload_conf()")
            await until(lambda: works(node))
            assert (await entries(url))[:2] == [(before, "created"), (before, "responded")]


@pytest.mark.slow
async def test_who_waits_for_a_commit_waits_for_its_outcome_within_the_same_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A standby that stands still takes the time of the COMMIT, and what is left of it is for the looks."""
    monkeypatch.setattr(connections, "STATEMENT_SECONDS", 2.0)
    monkeypatch.setattr(commit, "OUTCOME_SECONDS", 2.5)
    monkeypatch.setattr(commit, "STUCK_SECONDS", 0.2)
    clock = asyncio.get_running_loop()
    with own_server() as server:
        url = Databases(server.url).create()
        async with open_nodes(url) as (node,):
            await node.services.ids.take(500)
            before = await node.create("ann", "bob")
            await lose_the_standby(url)
            start = clock.time()
            told = asyncio.create_task(node.respond(before, "ann"))
            await asyncio.sleep(0.2)  # until its COMMIT is on its way
            behind = asyncio.create_task(node.respond(before, "bob"))
            with pytest.raises(errors.SystemFailure):
                await behind
            assert not told.done()
            with pytest.raises(errors.OutcomeUnknown):
                await told
            assert clock.time() - start < connections.STATEMENT_SECONDS + commit.OUTCOME_SECONDS - 0.5
            await execute(url, "ALTER SYSTEM RESET synchronous_standby_names")
            await execute(url, "SELECT pg_reload_conf()")
            await until(lambda: works(node))


async def lose_the_standby(url: str) -> None:
    for setting in ("synchronous_commit = on", "synchronous_standby_names = 'away'"):
        await execute(url, f"ALTER SYSTEM SET {setting}")
    await execute(url, "SELECT pg_reload_conf()")
    await until(lambda: waits_for_standby(url))


async def end_what_waits(url: str) -> None:
    """The process that waits for a standby, once there is one."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(10):
            while not await connection.fetchval(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            ):
                await asyncio.sleep(0.02)
    finally:
        await connection.close()


async def waits_for_standby(url: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        return bool(await connection.fetchval("SELECT current_setting('synchronous_standby_names') <> ''"))
    finally:
        await connection.close()
