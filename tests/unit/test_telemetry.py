"""What libraries say through `logging`: warnings and worse become lines of our log, without what they were given."""

import asyncio
import io
import logging

import pytest

from huiyao import telemetry

SECRET = "a-token-that-nobody-may-see"


@pytest.fixture
def log() -> io.StringIO:
    """What is logged at level debug."""
    stream = io.StringIO()
    telemetry.log_to_stderr("debug", stream)
    return stream


@pytest.mark.parametrize(
    "name", ["httpx", "httpcore", "uvicorn.error", "uvicorn.access", "asyncpg", "asyncio"]
)
def test_at_level_debug_libraries_say_no_more_than_their_warnings(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(
        logging.getLogger(name), "propagate", True
    )  # a server of another test may have said no
    for level in (logging.DEBUG, logging.INFO):
        logging.getLogger(name).log(level, "HTTP Request: GET http://h/?accessToken=%s", SECRET)
    assert log.getvalue() == ""
    logging.getLogger(name).warning("something is wrong")
    assert "something is wrong" in log.getvalue()


async def test_a_task_or_callback_that_fails_shows_neither_what_it_was_given_nor_with_what_it_failed(
    log: io.StringIO,
) -> None:
    def fail(given: str) -> None:
        raise ValueError(given)

    async def fail_later(given: str) -> None:
        fail(given)

    loop = asyncio.get_running_loop()
    loop.call_soon(fail, SECRET)
    task = asyncio.create_task(fail_later(SECRET))
    await asyncio.wait([task])
    del task
    await asyncio.sleep(0)
    said = log.getvalue()
    assert "Task exception was never retrieved" in said
    assert "Exception in callback" in said
    assert "ValueError" in said
    assert SECRET not in said
