"""Herd: a hundred thousand reminders come due in one second, alone and while creates go on at half of the capacity.

How late the last of them is in its inbox, and what the calls feel of it, beside the same calls in the seconds before.
Also with an app that is told of everything, so that an event is written for each.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from contextlib import closing

from bench import flood, lives, load, report, seeding, servers
from proof.asking import Asking, in_turn
from proof.result import Measure, Row, Run

KINDS = ("sqlite", "postgresql")
MEMBERS = 10  # of each meeting
IN_TIME_SECONDS = 5.0  # for all of them
HALF = 0.5  # of the capacity
CONNECTIONS = 500
LEAD_MS = 15_000  # from the filling to the moment; calls are measured alone meanwhile
BEFORE_SECONDS, DURING_SECONDS = 6.0, 8.0
LOOK_SECONDS = 0.05
DEADLINE_SECONDS = 120.0
# Nobody listens there: what an app is told of is written, and its courier soon leaves the receiver in peace.
CALLBACK = "http://127.0.0.1:9/"
SETTINGS = {"HUIYAO_CALLBACK_PRIVATE": "127.0.0.0/8"}
DUE = "SELECT count(*) FROM task WHERE kind = 'remind' AND due_at < {end}"
TOLD = "SELECT {what} FROM message WHERE kind = 'reminder' AND meeting_id BETWEEN {first} AND {last}"


def prove(run: Run) -> Iterator[Row]:
    for kind in KINDS:
        for told in (False, True):
            with closing(servers.Databases(kind, run.place(kind))) as databases:
                yield _herd(databases, run, told=told)


def _herd(databases: servers.Databases, run: Run, *, told: bool) -> Row:
    count, times = 10_000 if run.quick else 100_000, run.times(3, 1)
    life = lives.Life(meetings=1_000, now=time.time_ns() // 1_000_000)
    url = databases.create("herd")
    app = servers.prepare(url)
    lives.fill(url, life)
    if told:
        servers.huiyao("app", "set", str(app.app_id), "--callback", CALLBACK, url=url, settings=SETTINGS)
    port = servers.free_port()
    apart = ["--no-dispatch"] if databases.kind == "postgresql" else []
    wrong: list[str] = []
    rounds: list[dict[str, float]] = []
    with servers.running(servers.serve(url, *apart, port=port), port=port, url=url, settings=SETTINGS):
        creates = Asking(url, life, servers.token(port, app)).repeatable()["create"]
        load.drive(port, in_turn(creates), seconds=1)
        capacity = load.drive(port, in_turn(creates), seconds=3).rate
        for number in range(times):
            with servers.dispatching(url, settings=SETTINGS) if apart else contextlib.nullcontext():
                _quiet(url)
                alone = _until_told(url, _fill(url, app.app_id, count, 2 * number), wrong=wrong)
                due = _fill(url, app.app_id, count, 2 * number + 1)
                beside = _beside(url, port, creates, due, rate=capacity * HALF, wrong=wrong)
                rounds.append({"alone": alone, **beside})
    names = list(rounds[0])
    figures = {name: report.middle([one[name] for one in rounds], 3) for name in names}
    return Row(
        done=f"{count:,} reminders in one second on {databases.kind}, alone and beside creates at half of the capacity"
        + (", the app told of everything" if told else ""),
        times=times,
        counted=f"{round(capacity * HALF):,} creates a second, each with {lives.MEMBERS - 1} invitations to be told",
        wrong=tuple(wrong),
        measures=(
            Measure(
                what="alone, until the last is in its inbox",
                value=figures["alone"],
                unit="s",
                at_most=None if told else IN_TIME_SECONDS,
            ),
            Measure(what="beside creates", value=figures["seconds"], unit="s"),
            Measure(what="median lateness beside creates", value=figures["late_p50"], unit="s"),
            Measure(what="p99 lateness beside creates", value=figures["late_p99"], unit="s"),
            *(
                Measure(what=f"{which} of a create {when}", value=figures[f"{when}_{which}"], unit="s")
                for which in ("p50", "p99", "max")
                for when in ("before", "meanwhile")
            ),
        ),
    )


def _fill(url: str, app_id: int, count: int, number: int) -> seeding.Meetings:
    """The reminders, of this app's meetings."""
    due = seeding.Meetings(
        first=seeding.FIRST_ID // 2 + number * count,
        count=count // MEMBERS,
        members=MEMBERS,
        due_at=time.time_ns() // 1_000_000 + LEAD_MS + count // 20,
    )
    seeding.fill(url, due, settle=False)
    mine = f"id BETWEEN {due.first} AND {due.first + due.count - 1}"
    seeding.run(url, [f"UPDATE meeting SET app_id = {app_id} WHERE org_id = {servers.ORG} AND {mine}"])
    return due


def _beside(
    url: str,
    port: int,
    creates: Sequence[bytes],
    due: seeding.Meetings,
    *,
    rate: float,
    wrong: list[str],
) -> dict[str, float]:
    moment = due.due_at / 1000
    if time.time() > moment - BEFORE_SECONDS - 1:
        raise RuntimeError("filling took so long that the moment came")
    with flood.apart(port, creates, rate=rate, seconds=BEFORE_SECONDS, connections=CONNECTIONS) as over:
        before = over.result()
    time.sleep(max(0.0, moment - 1 - time.time()))
    with flood.apart(port, creates, rate=rate, seconds=DURING_SECONDS, connections=CONNECTIONS) as over:
        seconds = _until_told(url, due, wrong=wrong)
        during = over.result()
    late = sorted((row[0] - due.due_at) / 1000 for row in _told(url, "created_at", due))
    for one in (before, during):
        if one.failed or one.lost:
            wrong.append(f"{one.failed + one.lost} creates failed: {list(one.said)}")
    return {
        "seconds": seconds,
        "late_p50": report.quantile(late, 50),
        "late_p99": report.quantile(late, 99),
        **{
            f"{when}_{which}": one.done_seconds[percent]
            for when, one in (("before", before), ("meanwhile", during))
            for which, percent in (("p50", 50), ("p99", 99), ("max", 100))
        },
    }


def _until_told(url: str, due: seeding.Meetings, *, wrong: list[str]) -> float:
    """Seconds from the moment at which they are due until nothing of them is."""
    moment = due.due_at / 1000
    time.sleep(max(0.0, moment - time.time()))
    while seeding.number(url, DUE.format(end=due.due_at + 1000)):
        if time.time() > moment + DEADLINE_SECONDS:
            raise RuntimeError("the reminders do not come")
        time.sleep(LOOK_SECONDS)
    seconds = time.time() - moment
    ((told,),) = _told(url, "count(*)", due)
    if told != due.count * due.members:
        wrong.append(f"{told} reminders were told instead of {due.count * due.members}")
    return seconds


def _told(url: str, what: str, due: seeding.Meetings) -> list[tuple[int, ...]]:
    return seeding.rows(url, TOLD.format(what=what, first=due.first, last=due.first + due.count - 1))


def _quiet(url: str) -> None:
    """Wait until nothing is due any more."""
    until = time.monotonic() + DEADLINE_SECONDS
    while seeding.number(url, f"SELECT count(*) FROM task WHERE due_at < {time.time_ns() // 1_000_000}"):
        if time.monotonic() > until:
            raise RuntimeError("the dispatcher does not come to its end")
        time.sleep(LOOK_SECONDS)
