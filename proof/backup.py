"""Backup and restore: a copy is taken while an app writes, served, and looked through for all it must hold.

On SQLite `huiyao db backup`, on PostgreSQL its own pg_dump and pg_restore.
"""

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from bench import lives, load, report, seeding, servers
from huiyao.storage.contract import IDS_AHEAD
from proof.asking import Asking, in_turn
from proof.cluster import BINARIES
from proof.result import Measure, Row, Run
from proof.watching import repeating

KINDS = ("sqlite", "postgresql")
CREATED = 1_000  # meetings before each backup, all of which it must hold
# Meetings that are not whole: attendees, the entry of the creation, or what tells of it are not there.
BROKEN = f"""
    SELECT count(*) FROM meeting m WHERE id >= {lives.FIRST} AND (
        m.size <> (SELECT count(*) FROM attendee a WHERE a.org_id = m.org_id AND a.meeting_id = m.id)
        OR 1 <> (SELECT count(*) FROM history h
            WHERE h.org_id = m.org_id AND h.meeting_id = m.id AND h.kind = 'created')
        OR 1 > (SELECT count(*) FROM task t WHERE t.org_id = m.org_id AND t.meeting_id = m.id)
            + (SELECT count(*) FROM message g WHERE g.org_id = m.org_id AND g.meeting_id = m.id)
    )
"""


def prove(run: Run) -> Iterator[Row]:
    for kind in KINDS:
        with closing(servers.Databases(kind, run.place(kind))) as databases:
            yield _backup(databases, run)


def _backup(databases: servers.Databases, run: Run) -> Row:
    times, meetings = run.times(5, 1), 2_000 if run.quick else 100_000
    life = lives.Life(meetings=meetings, now=time.time_ns() // 1_000_000)
    url = databases.create("written")
    app = servers.prepare(url)
    lives.fill(url, life)
    wrong: list[str] = []
    took, slowest, held = [], [], 0
    port = servers.free_port()
    with servers.running(servers.serve(url, port=port), port=port, url=url):
        creates = Asking(url, life, servers.token(port, app)).repeatable()["create"]
        for number in range(times):
            acknowledged = _created(load.drive(port, in_turn(creates), count=CREATED, keep=True))
            written: list[load.Result] = []

            def write(written: list[load.Result] = written) -> None:
                written.append(load.drive(port, in_turn(creates), seconds=0.5, connections=8))

            with repeating(write):
                began = time.monotonic()
                copy = _copy(databases, url, f"copy_{number}")
                took.append(time.monotonic() - began)
            slowest.append(max(one.p99 for one in written) * 1000)
            wrong += _verify(copy, acknowledged)
            held += len(acknowledged)
    wrong += _serve(copy, app, acknowledged, life)
    size_mb = databases.size("copy_0") / 1e6
    return Row(
        done=f"a backup on {databases.kind} with {meetings:,} meetings, written to meanwhile, restored and read",
        times=times,
        counted=f"{held:,} acknowledged creates before the backups, each looked for",
        wrong=tuple(wrong),
        measures=(
            Measure(what="backup and restore", value=report.middle(took, 2), unit="s"),
            Measure(what="of", value=size_mb, unit="MB"),
            Measure(what="p99 of creates meanwhile", value=report.middle(slowest, 1), unit="ms"),
        ),
    )


def _created(result: load.Result) -> list[int]:
    return [int(json.loads(body)["data"]["meetingInviteId"]) for body in result.bodies]


def _copy(databases: servers.Databases, url: str, name: str) -> str:
    """The URL of the backup, restored."""
    if databases.kind == "sqlite":
        servers.huiyao("db", "backup", str(databases.folder / f"{name}.db"), url=url)
        return f"sqlite:///{databases.folder}/{name}.db"
    dump = Path(databases.folder) / f"{name}.dump"
    copy = databases.create(name)
    for command in (
        ["pg_dump", "--format=custom", "--compress=1", f"--file={dump}", url],
        ["pg_restore", "--exit-on-error", "--no-owner", "--jobs=2", f"--dbname={copy}", str(dump)],
    ):
        subprocess.run([BINARIES / command[0], *command[1:]], check=True, capture_output=True)
    dump.unlink()
    return copy


def _verify(copy: str, acknowledged: Sequence[int]) -> Iterator[str]:
    there = {row[0] for row in seeding.rows(copy, f"SELECT id FROM meeting WHERE id >= {min(acknowledged)}")}
    if missing := set(acknowledged) - there:
        yield f"{len(missing)} acknowledged meetings are not in the copy"
    if broken := seeding.number(copy, BROKEN):
        yield f"{broken} meetings of the copy are not whole"
    if copy.startswith("sqlite"):
        if seeding.rows(copy, "PRAGMA integrity_check") != [("ok",)]:
            yield "the copy's file is damaged"
        if seeding.rows(copy, "PRAGMA foreign_key_check"):
            yield "rows of the copy belong to nothing"


def _serve(copy: str, app: servers.App, acknowledged: Sequence[int], life: lives.Life) -> Iterator[str]:
    """The copy is served, and answers for all of them."""
    servers.huiyao("db", "restored", url=copy)
    port = servers.free_port()
    some = ", ".join(map(str, acknowledged))
    organizers = seeding.rows(copy, f"SELECT id, organizer_uid FROM meeting WHERE id IN ({some})")
    with servers.running(servers.serve(copy, port=port), port=port, url=copy):
        token = servers.token(port, app)
        asked = [
            load.request(
                "POST",
                f"/openapi/workbench/meetinginvite/detail?accessToken={token}",
                json.dumps({"requesterUid": uid, "meetingInviteId": id}).encode(),
            )
            for id, uid in organizers
        ]
        result = load.drive(port, in_turn(asked), count=len(asked))
        if result.failed:
            yield f"the restored server refuses {result.failed} of {len(asked)} details"
        creates = Asking(copy, life, token).repeatable()["create"]
        result = load.drive(port, in_turn(creates), count=100, keep=True)
        if result.failed:
            yield "the restored server refuses creates"
        elif min(_created(result)) < max(acknowledged) + IDS_AHEAD:
            yield "the restored server gives ids again that may have been given after the backup"
