"""A house on SQLite for every page test."""

from collections.abc import AsyncIterator

import pytest
import structlog

from tests.api.conftest import empty_database, sqlite_url
from tests.pages.house import House, open_house

__all__ = ["empty_database", "house", "sandbox", "sqlite_url"]


@pytest.fixture(autouse=True)
def every_line_is_logged() -> None:
    """Whatever a command that ran in this process before has set."""
    structlog.reset_defaults()


@pytest.fixture
async def house(sqlite_url: str) -> AsyncIterator[House]:
    async with open_house(sqlite_url) as made:
        yield made


@pytest.fixture
async def sandbox(sqlite_url: str) -> AsyncIterator[House]:
    """Where anybody may sign in as anybody."""
    async with open_house(sqlite_url, sandbox=True) as made:
        yield made
