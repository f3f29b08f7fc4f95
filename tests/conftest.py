"""Of all tests: how they are shared out, a PostgreSQL server for each process, a fresh migrated database for each."""

import logging
from collections.abc import Iterator
from typing import Any, Final

import pytest
import structlog
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.storage import postgres

# Files that one test process runs, as what they share is dear: a sandbox, the site, an API played through.
TOGETHER: Final = {
    "tests/acceptance/test_scaled.py",
    "tests/documentation/test_examples.py",
    "tests/documentation/test_reference.py",
    "tests/documentation/test_site.py",
}


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """One test at a time, but for those TOGETHER. (xdist's own groups do nothing with pytest 9.2.)"""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in TOGETHER else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """What a test sets up of the log ends with it: no logger that is used for the first time meanwhile keeps it."""
    configure, before = structlog.configure, structlog.get_config()
    handlers, level = logging.root.handlers[:], logging.root.level

    def configure_for_one_test(**given: Any) -> None:
        configure(**{**given, "cache_logger_on_first_use": False})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", configure_for_one_test)
        yield
    configure(**before)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


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
