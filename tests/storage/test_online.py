"""A migration on PostgreSQL keeps nobody from reading, and goes on where one before it broke off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from huiyao.errors import OperatorError
from huiyao.storage import migrate
from huiyao.storage.migrations import runner
from huiyao.storage.postgres.connections import Connection
from tests.storage.postgres import Databases
from tests.storage.rows import fetch

READ = "SELECT m.content, a.uid FROM meeting m JOIN attendee a ON a.org_id = m.org_id AND a.meeting_id = m.id"
FULL = (
    "INSERT INTO org VALUES (1, 'org', 'UTC', 0)",
    "INSERT INTO meeting SELECT 1, i, 7, 'boss', 'b', 'talk', '', i, i + 2, 0, 0, 0, 0, 0, 'i', 0, 0, 0, NULL, NULL, 1"
    " FROM generate_series(1, 2500) AS i",
    "INSERT INTO attendee SELECT 1, i, 'ann', '曾芳', 0, 0, 0, 1, '', NULL, NULL, NULL, NULL, 1, 0, NULL, 1"
    " FROM generate_series(1, 2500) AS i",
    "INSERT INTO person SELECT 1, 'p' || i, '曾芳', '', '', '', '' FROM generate_series(1, 2500) AS i",
)
MOVED_APART = (
    "SELECT count(*) FROM attendee WHERE begin_at <> meeting_id OR end_at <> meeting_id + 2 OR link_id < 1"
)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url, server_settings={"lock_timeout": "2s"})
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def earlier(postgres_server: Databases) -> AsyncIterator[str]:
    """A database of revision 0002 with 2,500 meetings, more than one page of them."""
    url = postgres_server.create(empty=True)
    await asyncio.to_thread(runner.upgrade, url, "0002")
    async with connected(url) as connection:
        for statement in FULL:
            await connection.execute(statement)
    yield url
    postgres_server.drop(url)


@pytest.mark.postgres
async def test_others_read_on_while_a_migration_waits_for_one_who_does_not_end(earlier: str) -> None:
    async with connected(earlier) as slow, connected(earlier) as other:
        reading = slow.transaction()
        await reading.start()
        await slow.fetchrow(READ)
        migrating = asyncio.create_task(asyncio.to_thread(migrate.upgrade, earlier))
        for _ in range(20):
            assert len(await other.fetch(READ)) == 2500
            await asyncio.sleep(0.1)
        assert not migrating.done(), "it waits for the one who reads"
        await reading.rollback()
        while not migrating.done():
            assert len(await other.fetch(READ)) == 2500
        await migrating
    assert (await fetch(earlier, MOVED_APART))[0][0] == 0
    assert (await fetch(earlier, "SELECT count(*) FROM person WHERE search = ''"))[0][0] == 0


@pytest.mark.postgres
async def test_a_migration_that_broke_off_goes_on_where_it_was(earlier: str) -> None:
    async with connected(earlier) as connection:
        # Nothing can be filled in for it, so the check at the end fails.
        await connection.execute("ALTER TABLE attendee DROP CONSTRAINT fk_attendee_meeting")
        await connection.execute(
            "INSERT INTO attendee VALUES (1, 9999, 'x', 'x', 0, 0, 0, 1, '', NULL, NULL, NULL, NULL, 1, 0, NULL, 1)"
        )
        with pytest.raises(OperatorError):
            await asyncio.to_thread(migrate.upgrade, earlier)
        assert (await connection.fetchval("SELECT version_num FROM alembic_version")) == "0002"
        assert await connection.fetchval("SELECT count(*) FROM attendee WHERE begin_at IS NOT NULL") == 2500
        links = await connection.fetch(
            "SELECT link_id FROM attendee WHERE meeting_id < 9999 ORDER BY meeting_id"
        )
        await connection.execute("DELETE FROM attendee WHERE meeting_id = 9999")
        await connection.execute(
            "ALTER TABLE attendee ADD CONSTRAINT fk_attendee_meeting"
            " FOREIGN KEY (org_id, meeting_id) REFERENCES meeting"
        )
        await asyncio.to_thread(migrate.upgrade, earlier)
        assert (await connection.fetchval("SELECT version_num FROM alembic_version")) == migrate.newest()
        assert await connection.fetch("SELECT link_id FROM attendee ORDER BY meeting_id") == links
