"""A day of thousands of meetings, with outages, ends with everybody told exactly what the reference model says."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import structlog

from huiyao.storage import migrate
from huiyao.storage.contract import Storage
from huiyao.storage.opening import open_storage
from huiyao.storage.sqlite import Sqlite
from tests.model.day import Day

# `make simulate` makes it 10,000.
MEETINGS: Final = int(os.environ.get("HUIYAO_TEST_MEETINGS", "1000"))


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """A line for each of many thousand texts is of no use here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/day.db"
        migrate.upgrade(url)
    else:
        url = request.getfixturevalue("postgres_url")
    found = await open_storage(url)
    if isinstance(found, Sqlite):  # as the tests' PostgreSQL, it need not survive a power cut
        found._writer._connection.execute("PRAGMA synchronous = OFF")
    yield found
    await found.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_day_of_meetings_tells_everybody_exactly_what_they_should_be_told(storage: Storage) -> None:
    day = Day(storage, meetings=MEETINGS)
    await day.run()
    mistakes = await day.mistakes()
    assert not mistakes, "\n\n".join([f"{len(mistakes)} meetings, among them", *mistakes[:3]])
    # Else the day has proved nothing.
    assert len(day.lives) == MEETINGS
