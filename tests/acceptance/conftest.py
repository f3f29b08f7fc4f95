"""Installations for the acceptance tests; everything a test started is gone when it ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.process import KEY, Installation, installation


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Installation]:
    """A SQLite file with an organisation and an app."""
    with installation(tmp_path) as made:
        yield made


@pytest.fixture
def scaled(tmp_path: Path, postgres_url: str) -> Iterator[Installation]:
    """A PostgreSQL database with an organisation and an app."""
    with installation(tmp_path, database_url=postgres_url, key=KEY) as made:
        yield made
