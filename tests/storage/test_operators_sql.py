"""The SQL that the documentation tells operators to run does what is said of it."""

import re
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from huiyao.storage import migrate
from huiyao.storage.postgres.connections import _REPLANNING, _SERVER_SETTINGS
from tests.storage.postgres import Databases

DOCS: Final = Path(__file__).parents[2] / "docs"


def statements(page: str) -> list[str]:
    return re.findall(r"^```sql\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.postgres
async def test_what_is_set_for_tables_and_roles_postgresql_understands(postgres_url: str) -> None:
    given = statements("postgresql.md")
    creating = given.pop(0)
    connection = await asyncpg.connect(postgres_url)
    try:
        transaction = connection.transaction()  # of which nothing remains: roles belong to the whole cluster
        await transaction.start()
        if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = 'huiyao'"):
            await connection.execute(creating.partition("\n")[0])
        for one in given:
            await connection.execute(one)
        assert await connection.fetchval("SELECT reloptions FROM pg_class WHERE relname = 'task'"), (
            "autovacuum of the queue is set"
        )
        await transaction.rollback()
    finally:
        await connection.close()


def test_what_a_pooler_ignores_and_the_role_sets_is_what_a_connection_of_ours_sets() -> None:
    text = (DOCS / "postgresql.md").read_text()
    ours = {name: value for name, value in _SERVER_SETTINGS.items() if name != "application_name"}
    ignored = re.search(r"^ignore_startup_parameters = (.*)$", text, re.MULTILINE)
    assert ignored
    assert set(ignored[1].split(", ")) == {*ours, *_REPLANNING}
    of_role = re.findall(r"ALTER ROLE huiyao SET (\w+) = '?(.*?)'?;", text)
    assert dict(of_role) == ours


@pytest.mark.postgres
def test_an_address_with_options_of_the_driver_can_be_migrated(postgres_server: Databases) -> None:
    url = postgres_server.create(empty=True)
    try:
        migrate.upgrade(f"{url}{'&' if '?' in url else '?'}sslmode=prefer&target_session_attrs=read-write")
    finally:
        postgres_server.drop(url)
