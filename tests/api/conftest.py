"""A world on SQLite for every API test, and on both databases for the core of them."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from huiyao.storage import migrate
from tests.api.world import World, world


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy, since migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("sqlite") / "empty.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(empty_database: Path, tmp_path: Path) -> str:
    path = tmp_path / "huiyao.db"
    shutil.copy(empty_database, path)
    return f"sqlite:///{path}"


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[World]:
    async with world(sqlite_url) as made:
        yield made


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def either(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A world on each database in turn."""
    url = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    async with world(url) as made:
        yield made
