"""Speed: Huiyao beside the bare reference, large meetings, reminders on an idle system, start and memory.

What `make bench` and `make bench-dispatch` measure in more detail, as far as there is a budget for it.
"""

import time
from collections.abc import Iterator
from contextlib import closing

import httpx

from bench import moments, report, servers
from bench import run as bench
from proof.result import Measure, Row, Run

KINDS = ("sqlite", "postgresql")
LEAST_RATIOS = {"create": 0.75, "detail": 0.7}  # of the reference's rate
MEMBERS_SECONDS = 1.0  # for a create with 10,000 members
LATE_MS = 1000.0
START_SECONDS, IDLE_MB = 1.5, 120.0
MEETINGS = 1_000  # with the dispatcher on
LOOK_SECONDS = 0.01


def prove(run: Run) -> Iterator[Row]:
    for kind in KINDS:
        with closing(servers.Databases(kind, run.place(kind))) as databases:
            yield from _beside_reference(databases, run)
            yield _members(databases)
            yield _lateness(databases, run)
    with closing(servers.Databases("sqlite", run.place("start"))) as databases:
        yield _start(databases, run)


def _beside_reference(databases: servers.Databases, run: Run) -> Iterator[Row]:
    rounds = run.times(7, 2)
    figures = bench.compare(databases, rounds=rounds, seconds=0.5 if run.quick else 2.0)
    for call, least in LEAST_RATIOS.items():
        found = figures[call]
        yield Row(
            done=f"{call} beside the bare reference on {databases.kind}, in turns",
            times=rounds,
            measures=(
                Measure(what="Huiyao", value=found.huiyao["per_second"], unit="a second"),
                Measure(what="the reference", value=found.reference["per_second"], unit="a second"),
                Measure(what="ratio, the middle of all rounds", value=found.ratio, at_least=least),
                Measure(what="least ratio of a round", value=min(found.ratios)),
                Measure(what="largest", value=max(found.ratios)),
            ),
        )


def _members(databases: servers.Databases) -> Row:
    found = bench.reach(databases, count=MEETINGS)
    return Row(
        done=f"a meeting of 10,000 on {databases.kind}",
        times=1,
        measures=(
            Measure(what="created", value=found["create_10000_members_s"], unit="s", at_most=MEMBERS_SECONDS),
            Measure(what="read", value=found["detail_10000_members_s"], unit="s"),
            Measure(what="in all inboxes after", value=found["inboxes_of_10000_after_s"], unit="s"),
        ),
    )


def _lateness(databases: servers.Databases, run: Run) -> Row:
    rounds = run.times(5, 1)
    found = moments.lateness(databases, count=100, seconds=10.0, rounds=rounds)
    return Row(
        done=f"100 reminders spread over 10 s on an idle system on {databases.kind}",
        times=rounds,
        measures=(
            Measure(what="median lateness", value=found["p50_ms"], unit="ms"),
            Measure(what="p99 lateness", value=found["p99_ms"], unit="ms", at_most=LATE_MS),
        ),
    )


def _start(databases: servers.Databases, run: Run) -> Row:
    times = run.times(10, 2)
    url = databases.create("start")
    servers.prepare(url)
    took, held = [], []
    for _ in range(times):
        port = servers.free_port()
        began = time.perf_counter()
        with servers.running(servers.serve(url, port=port), port=port, url=url) as process:
            while httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code != 200:
                time.sleep(LOOK_SECONDS)
            took.append(time.perf_counter() - began)
            held.append(servers.resident_mb(process))
    return Row(
        done="`serve` with SQLite, everything in one process",
        times=times,
        measures=(
            Measure(
                what="start to first answer", value=report.middle(took, 2), unit="s", at_most=START_SECONDS
            ),
            Measure(what="memory when idle", value=report.middle(held, 1), unit="MB", at_most=IDLE_MB),
        ),
    )
