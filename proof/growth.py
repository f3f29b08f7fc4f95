"""Growth: what each call, the dispatcher's claim and the disk make of a thousand to a million meetings.

Databases of all sizes lie beside each other, each with a server of its own, and take turns with the same requests of
what is in them, so that whatever else the machine does strikes all alike. The dispatcher is off while calls are made.
"""

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from bench import driving, lives, load, report, seeding, servers
from proof import chart
from proof.asking import Asking, in_turn
from proof.result import Measure, Row, Run

KINDS = ("sqlite", "postgresql")
SIZES = (1_000, 10_000, 100_000, 1_000_000)
QUICK_SIZES = (1_000, 10_000)
LEAST_RATIO = 0.7
BUDGETED = ("create", "detail", "respond", "inbox")
WRITING = ("create", "respond")
CARDS, MEMBERS = 10_000, 10_000  # of one person and of one meeting, in the largest database
CLAIMED = 1_000  # due tasks of meetings of MEMBERS in a round
CONNECTIONS = 32
# As PostgreSQL's own manual advises for a machine of 16 GB; as it comes it has 128 MB and a checkpoint each GB.
POSTGRES = {"shared_buffers": "4GB", "max_wal_size": "8GB", "checkpoint_timeout": "15min"}
AS_CHEAP = "respond of many members"  # as among few
_WHY_CLAIM = {
    "sqlite": "SQLite writes whole pages, and among many people nearly every message of a claim is on pages of its own"
    " in the indexes by person; what was written says so"
}
_WHY_RATE = {
    (
        "sqlite",
        "inbox",
    ): "with a million the page's 50 messages lie on 52 pages of the file that SQLite's cache of 32 MB does not hold:"
    " its statements take 260 µs instead of 70 (in process, 1,000 people in turn), and 150 with a cache that holds"
    " them, which the next commit would empty. In the order of people they would lie together, and a herd would be"
    " half as large again (docs/decisions/0016)",
}
_WHY_P99 = {
    ("sqlite", "inbox"): "for the same reason",
    (
        "sqlite",
        "create",
    ): "measured again, four rounds, it was 28 ms with a million and with a thousand, and 18 and 17 without waiting for"
    " the disk (fsync made to do nothing): the slowest commits wait for the disk, whose mood is not the same each time",
    (
        "sqlite",
        "respond",
    ): "measured again, five rounds, it was 17.3 ms with a million and 13.9 with a thousand, 0.80, and 13.5 and 11.8"
    " without waiting for the disk (fsync made to do nothing): the slowest commits wait for the disk, and an answer"
    " writes 17.5 kB instead of 12, for among many people its rows are on pages of their own",
}
Figures = dict[str, dict[str, list[float]]]  # size, what of it, round by round


class Grown:
    """One size: its database, its server and the requests for it."""

    def __init__(self, databases: servers.Databases, size: int, *, largest: bool) -> None:
        self.size = size
        self.life = lives.Life(
            meetings=size,
            now=time.time_ns() // 1_000_000,
            cards=min(size, CARDS) if largest else 0,
            members=MEMBERS if largest else 0,
        )
        self.url = databases.create(f"meetings_{size}")
        self.app = servers.prepare(self.url)
        servers.huiyao(
            *("app", "set", str(self.app.app_id), "--grant", "freebusy", "--grant", "changes"), url=self.url
        )
        started = time.monotonic()
        lives.fill(self.url, self.life)
        self.seconds = time.monotonic() - started
        self.bytes = databases.size(f"meetings_{size}")
        self.port = servers.free_port()

    def start(self, running: ExitStack) -> None:
        command = servers.serve(self.url, "--no-dispatch", port=self.port)
        process = running.enter_context(servers.running(command, port=self.port, url=self.url))
        self.pid = str(process.pid)
        self.asking = Asking(self.url, self.life, servers.token(self.port, self.app))


def prove(run: Run) -> Iterator[Row]:
    for kind in KINDS:
        with closing(servers.Databases(kind, run.place(kind), settings=POSTGRES)) as databases:
            yield from _grow(databases, run)


def _grow(databases: servers.Databases, run: Run) -> Iterator[Row]:
    sizes = QUICK_SIZES if run.quick else SIZES
    rounds, seconds = run.times(5, 2), 0.5 if run.quick else 2.0
    grown = [Grown(databases, size, largest=size == sizes[-1]) for size in sizes]
    databases.settle()
    calls: dict[str, Figures] = {"claim": _claims(grown, rounds=rounds)}
    with ExitStack() as running:
        for one in grown:
            one.start(running)
        calls |= _calls(grown, rounds=rounds, seconds=seconds)
        beside = _special(grown[-1], rounds=rounds, seconds=seconds)
    figures = _summary(databases.kind, grown, calls, beside)
    if run.docs:
        report.write(run.docs / "figures" / "proof" / f"growth-{databases.kind}-calls.json", figures)
        chart.draw(run.docs / "images" / f"growth-{databases.kind}.svg", figures)
    yield from _rows(figures, rounds=rounds)


def _claims(grown: Sequence[Grown], *, rounds: int) -> Figures:
    """Tasks that come due at one moment of yesterday, when none of the others is due; the first round warms up."""
    found: Figures = {str(one.size): {"p50_ms": []} for one in grown}
    for number in range(rounds + 1):
        for one in grown:
            due_at = one.life.now - lives.DAY + number * lives.MINUTE
            due = seeding.Meetings(
                first=seeding.FIRST_ID // 2 + number * CLAIMED,
                count=CLAIMED,
                members=lives.MEMBERS,
                due_at=due_at,
            )
            seeding.fill(one.url, due, settle=False)
            written = _written_bytes()
            drained = driving.drain(one.url, due_at=due_at)
            if drained.messages != CLAIMED * lives.MEMBERS:
                raise RuntimeError(f"{drained.messages} reminders were told, not {CLAIMED * lives.MEMBERS}")
            if number:
                figures = found[str(one.size)]
                figures["p50_ms"].append(statistics.median(drained.rounds) * 1000)
                if one.url.startswith("sqlite:"):
                    written_kb = (_written_bytes() - written) / 1000 / len(drained.rounds)
                    figures.setdefault("written_kb", []).append(written_kb)
    return found


def _written_bytes(pid: str = "self") -> int:
    """By a process that writes SQLite itself, so far (proc(5), io)."""
    return int(Path(f"/proc/{pid}/io").read_text().partition("wchar: ")[2].split()[0])


def _calls(grown: Sequence[Grown], *, rounds: int, seconds: float) -> dict[str, Figures]:
    found: dict[str, Figures] = {}
    asked = {one.size: one.asking.repeatable() for one in grown}
    turns = {
        size: {call: in_turn(several) for call, several in calls.items()} for size, calls in asked.items()
    }
    for call in asked[grown[0].size]:
        for one in grown:  # all of them once: what follows finds them in memory
            _drive(one, turns[one.size][call], count=len(asked[one.size][call]))
        for number in range(rounds):
            for one in _turns(grown, number):
                _measure(found, call, one, turns[one.size][call], seconds=seconds)
    for number in range(rounds):
        fresh = {one.size: one.asking.fresh(at_most=int(500 * seconds)) for one in grown}
        for call in fresh[grown[0].size]:
            for one in _turns(grown, number):
                requests = fresh[one.size][call]
                _measure(found, call, one, in_turn(requests), count=len(requests))
        for one in grown:  # for the next round
            _drive(one, turns[one.size]["create"], count=int(500 * seconds))
    return found


def _special(one: Grown, *, rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """The person of many cards beside others, and the meeting of many beside others, on the largest database."""
    usual = one.asking.repeatable()
    found: dict[str, dict[str, float]] = {}
    for name, asked in (("cards", one.asking.of_many()), ("members", one.asking.of_large())):
        for call, requests in asked.items():
            figures: Figures = {"special": {}, "usual": {}}
            turns = {"special": in_turn(requests), "usual": in_turn(usual[call])}
            for _ in range(rounds):
                for whose, turn in turns.items():
                    result = _drive(one, turn, seconds=seconds / 2)
                    for what, value in _values(result).items():
                        figures[whose].setdefault(what, []).append(value)
            found[f"{call} of many {name}"] = {
                f"{whose}_{what}": report.middle(values, 3)
                for whose, several in figures.items()
                for what, values in several.items()
            }
    return found


def _turns(grown: Sequence[Grown], number: int) -> Sequence[Grown]:
    """A different one begins each round."""
    first = number % len(grown)
    return [*grown[first:], *grown[:first]]


def _drive(
    one: Grown, turn: load.MakeRequest, *, count: int | None = None, seconds: float | None = None
) -> load.Result:
    result = load.drive(one.port, turn, connections=CONNECTIONS, count=count, seconds=seconds)
    if result.failed:
        raise RuntimeError(f"{result.failed} of {result.requests} failed, such as {turn(0)[:200]!r}")
    return result


def _measure(
    found: dict[str, Figures],
    call: str,
    one: Grown,
    turn: load.MakeRequest,
    *,
    count: int | None = None,
    seconds: float | None = None,
) -> None:
    before = _written_bytes(one.pid)
    result = _drive(one, turn, count=count, seconds=seconds)
    values = _values(result)
    if one.url.startswith("sqlite:"):
        values["written_kb"] = (_written_bytes(one.pid) - before) / 1000 / result.requests
    several = found.setdefault(call, {}).setdefault(str(one.size), {})
    for what, value in values.items():
        several.setdefault(what, []).append(value)


def _values(result: load.Result) -> dict[str, float]:
    return {"per_second": result.rate, "p50_ms": result.p50 * 1000, "p99_ms": result.p99 * 1000}


def _summary(
    kind: str,
    grown: Sequence[Grown],
    calls: Mapping[str, Figures],
    beside: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    """Medians over the rounds, and the medians of each round's largest beside its smallest; 1 is flat."""
    small, large = str(grown[0].size), str(grown[-1].size)
    return {
        "machine": report.machine(),
        "database": kind,
        "settings": POSTGRES if kind == "postgresql" else {},
        "sizes": [one.size for one in grown],
        "bytes_per_meeting": {str(one.size): round(one.bytes / one.size) for one in grown},
        "seeded_in_seconds": {str(one.size): round(one.seconds) for one in grown},
        "calls": {
            call: {
                **{
                    size: {what: report.middle(values, 3) for what, values in several.items()}
                    for size, several in figures.items()
                },
                "ratio": {
                    what: report.middle(
                        [_flat(what, *pair) for pair in zip(figures[small][what], values, strict=True)], 3
                    )
                    for what, values in figures[large].items()
                },
            }
            for call, figures in calls.items()
        },
        "beside_usual": dict(beside),
    }


def _flat(what: str, small: float, large: float) -> float:
    return large / small if what == "per_second" else small / large


def _rows(figures: Mapping[str, Any], *, rounds: int) -> Iterator[Row]:
    kind, calls = figures["database"], figures["calls"]
    small, large = str(figures["sizes"][0]), str(figures["sizes"][-1])
    span = f"{int(small):,} to {int(large):,} meetings on {kind}"
    few, many = f"{int(small):,}", f"{int(large):,}"
    for call in BUDGETED:
        found = calls[call]
        yield Row(
            done=f"{call}, from {span}",
            times=rounds,
            measures=(
                Measure(what=f"calls a second with {few}", value=found[small]["per_second"]),
                Measure(what=f"with {many}", value=found[large]["per_second"]),
                Measure(
                    what="of the rate is left",
                    value=found["ratio"]["per_second"],
                    at_least=LEAST_RATIO,
                    why=_WHY_RATE.get((kind, call), ""),
                ),
                Measure(what=f"p99 with {few}", value=found[small]["p99_ms"], unit="ms"),
                Measure(what=f"p99 with {many}", value=found[large]["p99_ms"], unit="ms"),
                Measure(
                    what="p99, small by large",
                    value=found["ratio"]["p99_ms"],
                    at_least=LEAST_RATIO,
                    why=_WHY_P99.get((kind, call), ""),
                ),
                Measure(what=f"median with {few}", value=found[small]["p50_ms"], unit="ms"),
                Measure(what=f"with {many}", value=found[large]["p50_ms"], unit="ms"),
                *(_written(found, small, large) if kind == "sqlite" and call in WRITING else ()),
            ),
        )
    claim = calls["claim"]
    yield Row(
        done=f"the dispatcher's claim, from {span}",
        times=rounds,
        measures=(
            Measure(what=f"with {few}", value=claim[small]["p50_ms"], unit="ms"),
            Measure(what=f"with {many}", value=claim[large]["p50_ms"], unit="ms"),
            Measure(
                what="small by large",
                value=claim["ratio"]["p50_ms"],
                at_least=LEAST_RATIO,
                why=_WHY_CLAIM.get(kind, ""),
            ),
            *(_written(claim, small, large) if kind == "sqlite" else ()),
        ),
    )
    others = {call: found["ratio"] for call, found in calls.items() if call not in (*BUDGETED, "claim")}
    yield Row(
        done=f"{', '.join(others)}, from {span}",
        times=rounds,
        measures=tuple(_worst(others, what) for what in ("per_second", "p99_ms")),
    )
    yield Row(
        done=f"the disk, from {span}",
        times=1,
        measures=tuple(
            Measure(what=f"with {int(size):,}", value=value, unit="bytes a meeting")
            for size, value in figures["bytes_per_meeting"].items()
        ),
    )
    yield Row(
        done=f"somebody with {CARDS:,} cards, a meeting of {MEMBERS:,}, among {int(large):,} meetings on {kind}",
        times=rounds,
        measures=tuple(
            Measure(
                what=f"{name}: rate beside the usual",
                value=one["special_per_second"] / one["usual_per_second"],
                at_least=LEAST_RATIO if name == AS_CHEAP else None,
            )
            for name, one in figures["beside_usual"].items()
        ),
    )


def _written(found: Mapping[str, Mapping[str, float]], *sizes: str) -> Iterator[Measure]:
    """A call's, or a claim's, kilobytes."""
    for size in sizes:
        yield Measure(what=f"written with {int(size):,}", value=found[size]["written_kb"], unit="kB")


def _worst(others: Mapping[str, Mapping[str, float]], what: str) -> Measure:
    call = min(others, key=lambda one: others[one][what])
    return Measure(what=f"least {what} ratio, of {call}", value=others[call][what])
