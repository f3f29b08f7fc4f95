"""LISTEN and NOTIFY: hints that tasks were committed, by this process or another."""

import asyncio

import asyncpg
import pytest

from huiyao import errors
from huiyao.service import meetings
from huiyao.storage import migrate
from huiyao.storage.postgres import signals
from tests.storage.node import Node, caller, open_nodes, until
from tests.storage.postgres import execute

pytestmark = pytest.mark.postgres


async def wakes_of(node: Node) -> list[None]:
    """One entry for each wake of a listener that has begun to listen."""
    woken: list[None] = []

    async def listening() -> bool:
        return bool(woken)

    await node.storage.listen(lambda: woken.append(None))
    await until(listening)  # it wakes once when the connection stands
    woken.clear()
    return woken


async def test_a_commit_wakes_its_own_process_at_once_and_the_others_soon(postgres_url: str) -> None:
    async with open_nodes(postgres_url, 2) as (one, two):
        own, other = await wakes_of(one), await wakes_of(two)
        await one.create("ann")
        assert own

        async def hear() -> bool:
            return bool(other)

        await until(hear)


async def test_what_leaves_no_task_wakes_nobody(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        woken = await wakes_of(node)
        meeting_id = await node.create("ann")

        async def twice() -> bool:
            return len(woken) >= 2

        await until(twice)  # by itself and by NOTIFY
        woken.clear()
        await meetings.read(node.services, caller("ann"), meeting_id)
        await asyncio.sleep(2 * signals.NOTIFY_PAUSE_SECONDS)
        assert not woken


async def test_many_commits_send_few_notifications(postgres_url: str) -> None:
    async with open_nodes(postgres_url, 2) as (one, two):
        other = await wakes_of(two)
        loop = asyncio.get_running_loop()
        start = loop.time()
        for _ in range(50):
            await one.create("ann")
        allowed = (loop.time() - start) / signals.NOTIFY_PAUSE_SECONDS + 2
        assert 1 <= len(other) <= allowed


async def test_a_listener_whose_connection_is_lost_listens_again(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "RECONNECT_SECONDS", 0.05)
    async with open_nodes(postgres_url, 2) as (one, two):
        woken = await wakes_of(two)
        await execute(
            postgres_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%LISTEN%'"
            " AND datname = current_database() AND pid <> pg_backend_pid()",
        )

        async def listening() -> bool:
            return bool(woken)

        await until(listening)
        woken.clear()
        await one.create("ann")
        await until(listening)


async def test_a_backup_is_left_to_pg_dump(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        with pytest.raises(errors.OperatorError, match="pg_dump"):
            await node.storage.backup("copy.db")


async def test_an_empty_database_has_no_schema_version(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        assert await node.storage.schema_version() == migrate.newest()
        connection = await asyncpg.connect(postgres_url)
        await connection.execute("DROP TABLE alembic_version")
        await connection.close()
        assert await node.storage.schema_version() is None
