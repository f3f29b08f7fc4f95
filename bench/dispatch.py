"""`make bench-dispatch`: how fast, how punctual and how steady the dispatcher is, on SQLite and on PostgreSQL.

herd: many reminders due at once, beside the plain claim loop in the same run; waiting: what timers that still wait
cost a claim; lateness: single reminders on an idle system; wake: from a commit to its invitation; texts: what a
sender does where the gateway costs nothing. All are medians over the rounds, but wake, of all its commits. Writes
the figures, with commit and machine, to docs/figures/dispatch.json.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench import herd, moments, report, servers, texts  # noqa: E402 (run as a script, from anywhere)
from huiyao import telemetry  # noqa: E402

KINDS = ("sqlite", "postgresql")
SHAPES = (10, 10_000)  # members of a meeting in the herd
Part = Callable[[servers.Databases, argparse.Namespace], dict[str, Any]]


def herds(databases: servers.Databases, options: argparse.Namespace) -> dict[str, Any]:
    """Many small meetings, and few large ones."""
    shapes = dict.fromkeys(min(members, options.members // 10) for members in SHAPES)
    return {
        f"{options.members // members} meetings of {members}": herd.herd(
            databases, count=options.members, members=members, rounds=options.rounds
        )
        for members in shapes
    }


def waiting(databases: servers.Databases, options: argparse.Namespace) -> dict[str, Any]:
    return herd.waiting(databases, many=options.waiting, rounds=options.rounds)


def lateness(databases: servers.Databases, options: argparse.Namespace) -> dict[str, Any]:
    return moments.lateness(
        databases, count=options.reminders, seconds=options.seconds, rounds=options.rounds
    )


def wake(databases: servers.Databases, options: argparse.Namespace) -> dict[str, Any]:
    return moments.wake(databases, count=options.commits * options.rounds)


def text(databases: servers.Databases, options: argparse.Namespace) -> dict[str, Any]:
    return texts.texts(databases, count=options.texts, rounds=options.rounds)


PARTS: dict[str, Part] = {
    "herd": herds,
    "waiting": waiting,
    "lateness": lateness,
    "wake": wake,
    "texts": text,
}


def lines(part: str, found: dict[str, Any]) -> list[str]:
    """What is printed of a part's figures."""
    if part == "herd":
        return [
            f"{shape}: {one['reminders']:,} reminders in {one['seconds']:.2f} s (budget 5, aim 1.5);"
            f" bare SQL {one['bare_seconds']:.2f} s, ratio {one['ratio']:.2f};"
            f" longest transaction {one['longest_transaction_ms']:.0f} ms"
            for shape, one in found.items()
        ]
    if part == "waiting":
        return [
            f"a claim with {found['few']:,} timers waiting {found['claim_few_ms']:.1f} ms,"
            f" with {found['many']:,} {found['claim_many_ms']:.1f} ms, ratio {found['ratio']:.2f}"
        ]
    if part == "lateness":
        return [
            f"{found['reminders']} reminders over {found['over_seconds']:g} s: p50 {found['p50_ms']:.1f} ms,"
            f" p99 {found['p99_ms']:.1f} ms (budget 1,000), max {found['max_ms']:.1f} ms"
        ]
    if part == "wake":
        return [
            f"{found['commits']} commits, processes: {found['processes']}; to the invitation:"
            f" p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms (budget 100)"
        ]
    return [
        f"{found['texts']:,} reminders told and their texts queued in {found['told_and_queued_s']:.2f} s;"
        f" sent {found['sent_per_second']:,} a second (channel log:)"
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=KINDS, action="append")
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--members", type=int, default=100_000, help="to be reminded at once in the herd")
    parser.add_argument("--waiting", type=int, default=1_000_000, help="timers of later moments")
    parser.add_argument("--reminders", type=int, default=100, help="in each round of lateness")
    parser.add_argument("--seconds", type=float, default=10.0, help="over which those are spread")
    parser.add_argument("--commits", type=int, default=40, help="in each round of wake")
    parser.add_argument("--texts", type=int, default=10_000, help="to be sent at once")
    parser.add_argument("--figures", type=Path, default=ROOT / "docs" / "figures" / "dispatch.json")
    options = parser.parse_args()
    telemetry.log_to_stderr("warning")
    started = time.monotonic()
    figures: dict[str, object] = {"machine": report.machine(), "rounds": options.rounds}
    for kind in options.database or KINDS:
        print(f"\n{kind}, one dispatcher, medians of {options.rounds} rounds", flush=True)
        found = figures[kind] = {}
        with tempfile.TemporaryDirectory(prefix="huiyao-bench-") as folder:
            databases = servers.Databases(kind, Path(folder))
            try:
                for part in options.part or PARTS:
                    found[part] = PARTS[part](databases, options)
                    for line in lines(part, found[part]):
                        print(f"  {part:10}{line}", flush=True)
            finally:
                databases.close()
    figures["took_seconds"] = round(time.monotonic() - started)
    report.write(options.figures, figures)


if __name__ == "__main__":
    main()
