"""Fixtures of all tests: a PostgreSQL server for each test process, a fresh migrated database for each test."""

from collections.abc import Iterator

import pytest

from tests.storage import postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Databases]:
    with postgres.server() as databases:
        yield databases


@pytest.fixture
def postgres_url(postgres_server: postgres.Databases) -> Iterator[str]:
    """The URL of a fresh database with the newest schema."""
    url = postgres_server.create()
    yield url
    postgres_server.drop(url)
