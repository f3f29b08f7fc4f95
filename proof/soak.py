"""Soak: mixed calls at half of what the machine can do, for half an hour; memory, open files and latency stay flat.

What grows in all processes of the service together is told by the slope of a line through the samples, after the
first sixth, in which caches fill.
"""

import random
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from subprocess import Popen

from bench import flood, lives, load, servers
from proof.asking import Asking, in_turn
from proof.result import Measure, Row, Run
from proof.watching import repeating

KINDS = ("sqlite", "postgresql")
# Of 16,000 people, whose calendars are to be not much fuller at the end.
MEETINGS, QUICK_MEETINGS = 300_000, 10_000
MINUTES, QUICK_MINUTES = 30.0, 1.0  # on both databases together
SLICE_SECONDS = 15.0  # of which each has a latency of its own
SAMPLE_SECONDS = 1.0
GONE_SECONDS = 0.5  # until a connection that a client closed is closed here
WARM = 1 / 6
HALF = 0.5
CONNECTIONS = 200
# As a day would have it: to each create eight answers and some twenty looks.
MIX = {
    "create": 3,
    "detail": 25,
    "respond": 24,
    "update": 1,
    "remind": 1,
    "list": 12,
    "inbox": 18,
    "inboxread": 6,
    "freebusy": 5,
    "changes": 5,
}
MEMORY_MB_AN_HOUR, FILES_AN_HOUR, LATENCY_PART_AN_HOUR = 20.0, 5.0, 0.5


class Samples:
    """What the processes hold."""

    def __init__(self, processes: Sequence[Popen[bytes]]) -> None:
        self.memory_mb: list[tuple[float, float]] = []
        self.files: list[tuple[float, float]] = []
        self._folders = [Path(f"/proc/{one.pid}") for one in processes]

    def weigh(self) -> None:
        self.memory_mb.append((time.monotonic(), sum(map(_private_mb, self._folders))))

    def count_files(self) -> None:
        """Without those of clients, which have just gone."""
        time.sleep(GONE_SECONDS)
        count = sum(len(list((one / "fd").iterdir())) for one in self._folders)
        self.files.append((time.monotonic(), count))


def prove(run: Run) -> Iterator[Row]:
    for kind in KINDS:
        with closing(servers.Databases(kind, run.place(kind))) as databases:
            yield _soak(databases, run)


def _soak(databases: servers.Databases, run: Run) -> Row:
    seconds = (QUICK_MINUTES if run.quick else run.rounds or MINUTES) * 60 / len(KINDS)
    meetings = QUICK_MEETINGS if run.quick else MEETINGS
    life = lives.Life(meetings=meetings, now=time.time_ns() // 1_000_000)
    url = databases.create("soak")
    app = servers.prepare(url)
    servers.huiyao(*("app", "set", str(app.app_id), "--grant", "freebusy", "--grant", "changes"), url=url)
    lives.fill(url, life)
    port = servers.free_port()
    with servers.running(servers.serve(url, port=port), port=port, url=url) as process:
        mixed = _mixed(Asking(url, life, servers.token(port, app)).repeatable())
        load.drive(port, in_turn(mixed), seconds=2)
        rate = load.drive(port, in_turn(mixed), seconds=5).rate * HALF
        slices: list[flood.Flooded] = []
        samples = Samples([process])
        with repeating(samples.weigh, pause_seconds=SAMPLE_SECONDS):
            until = time.monotonic() + seconds
            length = min(SLICE_SECONDS, seconds / 10)
            while time.monotonic() < until:
                # Each goes on where the one before ended: an answer that was given already would change nothing.
                place = int(rate * length) * len(slices) % len(mixed)
                turned = mixed[place:] + mixed[:place]
                with flood.apart(port, turned, rate=rate, seconds=length, connections=CONNECTIONS) as over:
                    slices.append(over.result())
                samples.count_files()
    failed = sum(one.failed + one.lost + one.shed for one in slices)
    medians = [(number * length, one.done_seconds[50]) for number, one in enumerate(slices)]
    usual = statistics.median(value for _, value in medians)
    return Row(
        done=f"mixed calls on {databases.kind} at half of the capacity for {seconds / 60:g} minutes",
        times=1,
        counted=f"{sum(one.done for one in slices):,} calls, {rate:,.0f} a second",
        wrong=(f"{failed} calls failed, such as {_said(slices)}",) if failed else (),
        measures=(
            Measure(what="memory at the end", value=samples.memory_mb[-1][1], unit="MB"),
            Measure(what="files open at the end", value=samples.files[-1][1]),
            Measure(what="median latency", value=usual * 1000, unit="ms"),
            Measure(
                what="worst p99 of a slice",
                value=max(one.done_seconds[99] for one in slices) * 1000,
                unit="ms",
            ),
            *(
                Measure(what=what, value=an_hour / unit, unit=name, at_most=None if run.quick else at_most)
                for what, an_hour, unit, name, at_most in (
                    ("memory grows by", slope(samples.memory_mb), 1, "MB an hour", MEMORY_MB_AN_HOUR),
                    ("open files grow by", slope(samples.files), 1, "an hour", FILES_AN_HOUR),
                    ("latency grows by", slope(medians), usual, "of itself an hour", LATENCY_PART_AN_HOUR),
                )
            ),
        ),
    )


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """By how much an hour the values rise, once warm."""
    kept = samples[int(len(samples) * WARM) :]
    return statistics.linear_regression(*zip(*kept, strict=True)).slope * 3600


def _mixed(asked: Mapping[str, Sequence[bytes]]) -> list[bytes]:
    """Long enough that each call goes through all it has been given; the same in each run."""
    luck = random.Random("soak")
    calls = luck.choices(list(MIX), list(MIX.values()), k=50_000)
    places = dict.fromkeys(MIX, 0)
    mixed = []
    for call in calls:
        mixed.append(asked[call][places[call] % len(asked[call])])
        places[call] += 1
    return mixed


def _private_mb(process: Path) -> float:
    """Memory that is this process's own; what it maps of files may go at any time."""
    status = (process / "status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024


def _said(slices: Sequence[flood.Flooded]) -> str:
    return next((said for one in slices for said in one.said), "none that was answered")
