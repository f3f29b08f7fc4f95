"""Programs of the proof on a small scale: a few kills under load, on both databases, and of the database itself."""

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from proof import kill, outage, torn
from proof.result import Program, Row, Run


def rows(program: Program, folder: Path, *, rounds: int, count: int) -> list[Row]:
    """The first so many rows."""
    proving: Any = program(Run(folder=folder, quick=True, rounds=rounds))
    with closing(proving):
        return [cast("Row", next(proving)) for _ in range(count)]


def holds(row: Row) -> None:
    assert row.wrong == ()
    assert row.counted


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_serve_killed_under_load_keeps_all_it_acknowledged(tmp_path: Path) -> None:
    (row,) = rows(kill.prove, tmp_path, rounds=2, count=1)
    holds(row)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.postgres
@pytest.mark.thorough
def test_postgresql_killed_under_load_keeps_all_that_was_acknowledged() -> None:
    # Not below pytest's own folder: PostgreSQL runs as another user, who may not enter that.
    with tempfile.TemporaryDirectory(prefix="huiyao-test-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        (row,) = rows(outage.prove, Path(folder), rounds=1, count=1)
    holds(row)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.thorough
def test_connections_torn_in_the_middle_lose_nothing(tmp_path: Path) -> None:
    (row,) = rows(torn.prove, tmp_path, rounds=40, count=1)
    holds(row)
