"""Fixtures of all tests: a PostgreSQL server for each test process, a fresh migrated database for each test."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from tests.storage import postgres


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
