"""Installations for the acceptance tests; everything a test started is gone when it ends."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.process import KEY, Installation
from tests.storage import postgres


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a SQLite installation that nobody uses."""
    folder = tmp_path_factory.mktemp("prepared")
    with closing(Installation(folder)) as made:
        made.set_up()
    return folder


@pytest.fixture
def embedded(tmp_path: Path, prepared: Path) -> Iterator[Installation]:
    """A SQLite file with an organisation and an app."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    with closing(Installation(tmp_path)) as made:
        yield made


@pytest.fixture(scope="session")
def prepared_url(
    postgres_server: postgres.Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A PostgreSQL database with an installation that nobody uses."""
    url = postgres_server.create()
    with closing(Installation(tmp_path_factory.mktemp("prepared"), database_url=url, key=KEY)) as made:
        made.set_up()
    yield url
    postgres_server.drop(url)


@pytest.fixture
def scaled(tmp_path: Path, prepared_url: str, postgres_server: postgres.Databases) -> Iterator[Installation]:
    """A PostgreSQL database with an organisation and an app."""
    url = postgres_server.copy(prepared_url)
    with closing(Installation(tmp_path, database_url=url, key=KEY)) as made:
        yield made
    postgres_server.drop(url)
