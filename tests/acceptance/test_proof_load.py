"""What programs of the proof stand on, and some of them on a small scale."""

import asyncio
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import flood, lives, seeding, servers
from proof import backup, herd, soak, upgrade
from proof.result import Program, Run


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below pytest's own: PostgreSQL runs as another user, who may not enter that."""
    with tempfile.TemporaryDirectory(prefix="huiyao-test-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def databases(kind: str, folder: Path) -> Iterator[servers.Databases]:
    made = servers.Databases(kind, folder)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_a_filled_database_keeps_every_constraint_and_both_kinds_hold_the_same(
    kind: str, folder: Path
) -> None:
    life = lives.Life(meetings=200, now=time.time_ns() // 1_000_000, cards=100, members=300)
    with databases(kind, folder) as made:
        url = made.create("life")
        seeding.prepare(url)
        lives.fill(url, life)
        counts = {
            name: seeding.number(url, f"SELECT count(*) FROM {name}") for name in ("meeting", "attendee")
        }
        assert counts == {"meeting": 201, "attendee": 200 * 8 + 100 + 100 + 300}
        assert seeding.number(url, "SELECT sum(size) FROM meeting") == counts["attendee"]
        told = seeding.number(url, "SELECT count(*) FROM message WHERE kind = 'invited'")
        assert told == counts["attendee"] - counts["meeting"], "all but the organizers"
        if kind == "sqlite":
            assert seeding.rows(url, "PRAGMA integrity_check") == [("ok",)]
            assert seeding.rows(url, "PRAGMA foreign_key_check") == []


@contextmanager
def answering(*answers: bytes) -> Iterator[int]:
    """A server that gives these answers in turn; its port."""
    port, started, loop = servers.free_port(), threading.Event(), asyncio.new_event_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = 0
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(answers[number % len(answers)])
            number += 1

    async def run() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", port):
            started.set()
            await stopped.wait()

    stopped = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=[run()])
    thread.start()
    started.wait(10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()
        loop.close()


DONE = b'HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{"status":0}'
SHED = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nRetry-After: 1\r\n\r\n"
SILENT = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"
FAILED = b'HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{"status":-1}'


def test_a_flood_counts_each_request_once_by_what_became_of_it() -> None:
    with answering(DONE, SHED, SILENT, FAILED) as port:
        request = b"GET / HTTP/1.1\r\n\r\n"
        with flood.apart(port, [request], rate=200, seconds=1, connections=1) as over:
            found = over.result()
    assert found.due == found.done + found.shed + found.failed + found.lost
    assert found.lost == 0
    assert found.done > 30
    assert abs(found.done - found.silent) <= 1
    assert abs(found.shed - 2 * found.done) <= 2
    assert list(found.said) == ['200 {"status":-1}']


def test_a_line_through_samples_tells_what_an_hour_adds() -> None:
    samples = [(seconds, 100 + seconds / 60) for seconds in range(600)]
    assert soak.slope(samples) == pytest.approx(60)


def holds(program: Program, folder: Path) -> None:
    row = next(iter(program(Run(folder=folder, quick=True, rounds=1))))
    assert row.wrong == ()
    assert row.counted


@pytest.mark.slow
@pytest.mark.thorough
def test_a_copy_taken_while_an_app_writes_holds_all_that_was_acknowledged(folder: Path) -> None:
    holds(backup.prove, folder)


@pytest.mark.slow
@pytest.mark.thorough
def test_a_herd_among_creates_is_told_once_each(folder: Path) -> None:
    holds(herd.prove, folder)


@pytest.mark.slow
@pytest.mark.thorough
def test_an_earlier_release_is_upgraded_with_all_it_holds(folder: Path) -> None:
    holds(upgrade.prove, folder)
