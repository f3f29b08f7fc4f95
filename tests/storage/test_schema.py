"""Migrations arrive at what the schema describes, and a wrong version is refused in one sentence."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from huiyao.errors import OperatorError
from huiyao.pinyin import search_text
from huiyao.storage import migrate
from huiyao.storage.migrations import runner
from huiyao.storage.schema import metadata
from huiyao.storage.sqlite.expand import _NOTICE, TELL
from huiyao.storage.sqlite.writer import connect
from tests.storage.postgres import Databases
from tests.storage.rows import fetch


def differences(connection: Connection) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


def sqlite_objects(path: Path) -> set[tuple[str, str]]:
    connection = connect(str(path))
    rows = connection.execute(
        "SELECT name, coalesce(sql, '') FROM sqlite_master WHERE name <> 'alembic_version'"
    )
    found = {(name, "".join(sql.split())) for name, sql in rows if "alembic" not in name}
    connection.close()
    return found


def test_on_sqlite_fresh_equals_migrated_to_the_letter(tmp_path: Path) -> None:
    migrate.upgrade(f"sqlite:///{tmp_path}/migrated.db")
    engine = create_engine(f"sqlite:///{tmp_path}/fresh.db")
    metadata.create_all(engine)
    engine.dispose()
    fresh, migrated = sqlite_objects(tmp_path / "fresh.db"), sqlite_objects(tmp_path / "migrated.db")
    # A table's constraints may stand in another order.
    assert {(name, "".join(sorted(sql))) for name, sql in fresh} == {
        (name, "".join(sorted(sql))) for name, sql in migrated
    }


@pytest.mark.postgres
async def test_on_postgresql_migrated_equals_the_description(postgres_url: str) -> None:
    engine = create_async_engine(postgres_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


BEFORE_THE_WORKBENCH = (
    "INSERT INTO attendee VALUES (1, 5, 'ann', '曾芳', 0, 0, 0, 1, '', NULL, NULL, NULL, NULL, 1, 0, NULL, 1)",
    "INSERT INTO attendee VALUES (1, 5, 'bob', 'Bob', 1, 0, 0, 1, '', NULL, NULL, NULL, NULL, 1, 0, NULL, 0)",
    "INSERT INTO person VALUES (1, 'ann', '曾芳', '+8613800138000', '', '', '')",
)


def check_workbench(attendees: Sequence[Any], people: Sequence[Any]) -> None:
    """What the migration made of those rows."""
    assert [tuple(row[:5]) for row in attendees] == [("ann", "曾芳", 1, 1, 2), ("bob", "Bob", 0, 1, 2)]
    links = {row[5] for row in attendees}
    assert len(links) == 2
    assert all(1 << 40 < link_id < 1 << 63 for link_id in links)
    assert [tuple(row) for row in people] == [("ann", "+8613800138000", search_text("ann", "曾芳"))]


def test_what_was_in_a_first_database_is_there_after_its_migration(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/first.db"
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(Path(runner.__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in (
            "INSERT INTO org VALUES (1, 'org', 'UTC', 0)",
            "INSERT INTO meeting VALUES"
            " (1, 5, 7, 'boss', 'b', 'talk', '', 1, 2, 0, 0, 0, 0, 0, 'i', 0, 0, 0, NULL, NULL, 1)",
            "INSERT INTO message VALUES (1, 'ann', 2, 9, 5, 'invited', '0', 0, '{}', 1, NULL)",
            "INSERT INTO message VALUES (1, 'bob', 1, 8, 5, 'invited', '0', 0, '{}', 1, 3)",
            "INSERT INTO task VALUES (1, 4, 1, 'remind', 5, 0, 'remind:5', '', 0, '', '')",
            *BEFORE_THE_WORKBENCH,
        ):
            connection.exec_driver_sql(statement)
    engine.dispose()
    migrate.upgrade(url)
    with closing(connect(f"{tmp_path}/first.db")) as file:
        found = file.execute("SELECT uid, id, read_at, params FROM message ORDER BY id").fetchall()
        assert found == [("bob", 8, 3, "{}"), ("ann", 9, None, "{}")]
        assert file.execute("SELECT dedup_key, attempt FROM task").fetchall() == [("remind:5", 0)]
        assert file.execute("PRAGMA foreign_key_check").fetchall() == []
        check_workbench(
            file.execute("SELECT uid, name, quiet, begin_at, end_at, link_id FROM attendee").fetchall(),
            file.execute("SELECT uid, mobile, search FROM person").fetchall(),
        )


@pytest.mark.postgres
async def test_on_postgresql_a_database_without_workbench_gets_what_it_needs(
    postgres_server: Databases,
) -> None:
    url = postgres_server.create(empty=True)
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))

    def to_the_second(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(runner.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")

    async with engine.begin() as second:
        await second.run_sync(to_the_second)
        for statement in (
            "INSERT INTO org VALUES (1, 'org', 'UTC', 0)",
            "INSERT INTO meeting VALUES"
            " (1, 5, 7, 'boss', 'b', 'talk', '', 1, 2, 0, 0, 0, 0, 0, 'i', 0, 0, 0, NULL, NULL, 1)",
            *BEFORE_THE_WORKBENCH,
        ):
            await second.exec_driver_sql(statement)
    await engine.dispose()
    await asyncio.get_running_loop().run_in_executor(None, migrate.upgrade, url)
    check_workbench(
        await fetch(url, "SELECT uid, name, quiet, begin_at, end_at, link_id FROM attendee ORDER BY uid"),
        await fetch(url, "SELECT uid, mobile, search FROM person ORDER BY uid"),
    )
    postgres_server.drop(url)


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/twice.db"
    migrate.upgrade(url)
    before = sqlite_objects(tmp_path / "twice.db")
    migrate.upgrade(url)
    assert sqlite_objects(tmp_path / "twice.db") == before


@pytest.mark.postgres
async def test_two_nodes_may_migrate_at_once(postgres_server: Databases) -> None:
    url = postgres_server.create(empty=True)
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(3) as threads:
        await asyncio.gather(*(loop.run_in_executor(threads, migrate.upgrade, url) for _ in range(3)))
    postgres_server.drop(url)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [(None, "no tables yet"), ("0000", "newer than this program|needs"), ("9999", "newer than this program")],
)
def test_another_schema_is_refused_in_one_sentence(found: str | None, sentence: str) -> None:
    with pytest.raises(OperatorError, match=sentence) as refused:
        migrate.check(found)
    assert str(refused.value).endswith(".")
    migrate.check(migrate.newest())


def test_migrating_a_database_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    migrate.upgrade(f"sqlite:///{tmp_path}/newer.db")
    connection = connect(f"{tmp_path}/newer.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(OperatorError, match="newer than this program"):
        migrate.upgrade(f"sqlite:///{tmp_path}/newer.db")


def test_telling_searches_each_meetings_attendees_by_key(sqlite_template: Path) -> None:
    connection = connect(str(sqlite_template))
    connection.execute(_NOTICE)
    values = {"xid": 1, "first_id": 1, "now": 1}
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {TELL}", values)]
    connection.close()
    assert any(step.startswith("SEARCH a USING PRIMARY KEY (org_id=? AND meeting_id=?") for step in plan), (
        plan
    )
    assert not any(step.startswith("SCAN a") for step in plan), plan
