"""Upgrade: a database of an earlier release, full, is migrated while that release's own server goes on answering.

The earlier program is the one before revision 0003, from this repository's history. On PostgreSQL it serves reads all
through the migration; on SQLite the new program migrates at its start, and how long that takes is measured.
"""

import asyncio
import io
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import asyncpg
import httpx

from bench import flood, lives, load, report, seeding, servers
from huiyao.storage.migrations import runner
from proof.asking import Asking, in_turn
from proof.result import Measure, Row, Run

KINDS = ("sqlite", "postgresql")
BEFORE = "0002"  # what the earlier program needs
AFTER_IT = "src/huiyao/storage/migrations/versions/v0003_workbench.py"
TABLES = ("person", "meeting", "attendee", "message", "history", "task")
READS_PER_SECOND = 100
READ_SECONDS = 3.0  # a read's patience, at most
STALE = """
    SELECT count(*) FROM attendee a JOIN meeting m ON m.org_id = a.org_id AND m.id = a.meeting_id
    WHERE (a.begin_at, a.end_at) <> (m.begin_at, m.end_at)
"""


def prove(run: Run) -> Iterator[Row]:
    earlier = _earlier(run.place("earlier"))
    for kind in KINDS:
        with closing(servers.Databases(kind, run.place(kind))) as databases:
            yield _upgrade(databases, earlier, run)


def _earlier(folder: Path) -> dict[str, str]:
    """The environment in which `huiyao` is the earlier program."""

    def git(*arguments: str) -> bytes:
        return subprocess.run(["git", *arguments], cwd=report.ROOT, check=True, capture_output=True).stdout

    added = git("log", "--diff-filter=A", "--format=%H", "--", AFTER_IT).decode().split()[-1]
    with tarfile.open(fileobj=io.BytesIO(git("archive", f"{added}^", "src"))) as archive:
        archive.extractall(folder, filter="data")
    return {"PYTHONPATH": str(folder / "src")}


def _upgrade(databases: servers.Databases, earlier: dict[str, str], run: Run) -> Row:
    meetings = 2_000 if run.quick else 100_000
    life = lives.Life(meetings=meetings, now=time.time_ns() // 1_000_000)
    full, url = databases.create("newer"), databases.create("upgraded")
    seeding.prepare(full)
    lives.fill(full, life)
    runner.upgrade(url, BEFORE)
    app = servers.prepare(url, settings=earlier)
    _pour(full, url)
    counts = _counts(url)
    wrong: list[str] = []
    if databases.kind == "postgresql":
        measures = tuple(_online(url, full, life, app, earlier, wrong))
    else:
        measures = tuple(_embedded(url))
    wrong += [
        f"{table} has {now} rows and had {before}"
        for table, before, now in zip(TABLES, counts, _counts(url), strict=True)
        if before != now
    ]
    if stale := seeding.number(url, STALE):
        wrong.append(f"{stale} cards stand at another time than their meeting")
    wrong += _refused(url, earlier)
    wrong += _serves(url, app, life)
    return Row(
        done=f"a database from before revision 0003 on {databases.kind}, {meetings:,} meetings, to the newest",
        times=1,
        counted=f"{sum(counts):,} rows",
        wrong=tuple(wrong),
        measures=measures,
    )


def _online(
    url: str, full: str, life: lives.Life, app: servers.App, earlier: dict[str, str], wrong: list[str]
) -> Iterator[Measure]:
    """`huiyao db migrate` while the earlier server is read from."""
    port = servers.free_port()
    command = servers.serve(url, "--no-dispatch", port=port)
    with servers.running(command, port=port, url=url, settings=earlier):
        asked = Asking(full, life, servers.token(port, app)).repeatable()
        reads = [request for pair in zip(asked["detail"], asked["inbox"], strict=False) for request in pair]
        load.drive(port, in_turn(reads), count=len(reads))
        arguments = {"rate": READS_PER_SECOND, "connections": 200}
        with flood.apart(port, reads, seconds=5, **arguments) as over:
            before = over.result()
        migrating = subprocess.Popen(
            [sys.executable, "-m", "huiyao", "db", "migrate"], env=servers.environment(url)
        )
        began = time.monotonic()
        found = []
        while migrating.poll() is None:
            with flood.apart(port, reads, seconds=2, **arguments) as over:
                found.append(over.result())
        took = time.monotonic() - began
        with flood.apart(port, reads, seconds=5, **arguments) as over:
            found.append(over.result())
    if migrating.returncode:
        wrong.append("the migration failed")
    for one in (before, *found):
        if one.failed or one.shed or one.lost:
            wrong.append(f"reads refused: {one.failed + one.shed + one.lost} of {one.due}, {list(one.said)}")
    yield Measure(what="migrated after, to 2 s", value=took, unit="s")
    yield Measure(what="reads meanwhile", value=sum(one.done for one in found))
    yield Measure(what="p99 of reads before", value=before.done_seconds[99], unit="s")
    yield Measure(
        what="longest read meanwhile",
        value=max(one.done_seconds[100] for one in found),
        unit="s",
        at_most=READ_SECONDS,
    )


def _embedded(url: str) -> Iterator[Measure]:
    """The new program's start, in which it migrates."""
    port = servers.free_port()
    began = time.monotonic()
    with servers.running(servers.serve(url, "--no-dispatch", port=port), port=port, url=url):
        # It listens before it migrates, so that whoever calls meanwhile waits instead of being refused.
        httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False, timeout=600)
        took = time.monotonic() - began
    yield Measure(what="from the new program's start to its first answer", value=took, unit="s")


def _refused(url: str, earlier: dict[str, str]) -> Iterator[str]:
    """The earlier program must say in one sentence that the schema is newer, and end."""
    done = subprocess.run(
        [sys.executable, *servers.serve(url, port=servers.free_port())],
        env={**servers.environment(url), **earlier},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = done.stderr.strip()
    if done.returncode != 1 or "newer than this program" not in said or len(said.splitlines()) > 2:
        yield f"the earlier program ended with {done.returncode} and said {said[-200:]!r}"


def _serves(url: str, app: servers.App, life: lives.Life) -> Iterator[str]:
    """The new program answers every call on what was migrated."""
    servers.huiyao("app", "set", str(app.app_id), "--grant", "freebusy", "--grant", "changes", url=url)
    port = servers.free_port()
    with servers.running(servers.serve(url, port=port), port=port, url=url):
        for call, requests in Asking(url, life, servers.token(port, app)).repeatable().items():
            if failed := load.drive(port, in_turn(requests), count=min(len(requests), 200)).failed:
                yield f"{call} fails {failed} times after the upgrade"


def _counts(url: str) -> list[int]:
    return [seeding.number(url, f"SELECT count(*) FROM {table}") for table in TABLES]


def _pour(full: str, url: str) -> None:
    """What the earlier schema has of each row."""
    if full.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as file:
            file.execute("ATTACH ? AS newer", (full.removeprefix("sqlite:///"),))
            file.execute("BEGIN")
            for table in TABLES:
                columns = ", ".join(row[1] for row in file.execute(f"PRAGMA main.table_info({table})"))
                file.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}")
            file.execute(
                "UPDATE counter SET value = (SELECT value FROM newer.counter n WHERE n.name = counter.name)"
            )
            file.execute("COMMIT")
    else:
        asyncio.run(_pour_postgres(full, url))


async def _pour_postgres(full: str, url: str) -> None:
    source, target = await asyncpg.connect(full), await asyncpg.connect(url)
    try:
        for table in TABLES:
            rows = await target.fetch(
                "SELECT column_name FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position",
                table,
            )
            columns = [row[0] for row in rows]
            with tempfile.TemporaryFile() as through:
                await source.copy_from_query(
                    f"SELECT {', '.join(columns)} FROM {table}", output=through, format="binary"
                )
                through.seek(0)
                await target.copy_to_table(table, source=through, columns=columns, format="binary")
        newest = await source.fetchval("SELECT nextval('huiyao_id')")
        await target.execute(f"SELECT setval('huiyao_id', {newest})")
        await target.execute("VACUUM ANALYZE")
    finally:
        await source.close()
        await target.close()
