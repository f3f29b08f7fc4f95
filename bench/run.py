"""`make bench`: create, detail and inbox of Huiyao beside the bare reference, in one run, interleaved.

Prints requests per second, p50, p99 and their ratio (median over the rounds), on SQLite and on PostgreSQL;
then how fast created meetings reach every inbox with the dispatcher on, and a meeting of 10,000. Writes the
figures, with commit and machine, to docs/figures/bench.json.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench import load, report, servers  # noqa: E402 (run as a script, from anywhere)

CALL = "/openapi/workbench/meetinginvite/"
CONNECTIONS = 32
PEOPLE = 500
SEED_MEETINGS = 2_000
BUDGETS = {"create": 0.75, "detail": 0.70}


class Figures(msgspec.Struct):
    """One call on one database: medians over the rounds."""

    huiyao: dict[str, float]
    reference: dict[str, float]
    ratio: float
    ratios: list[float]


def create_body(n: int, members: int = 8) -> bytes:
    begin = 4_000_000_000_000
    people = [
        {"uid": f"u{(n * 7 + k) % PEOPLE:05d}" if members <= 8 else f"u{k:05d}", "name": "张三丰"}
        for k in range(members)
    ]
    detail = {
        "createTime": 1_800_000_000_000,
        "content": "第三季度预算讨论会，请各部门负责人准备材料",
        "address": "总部大楼三层第一会议室",
        "beginTime": begin + n,
        "endTime": begin + n + 3_600_000,
        "remindMin": 15,
        "remindType": 0,
        "members": people,
    }
    return json.dumps(
        {"requesterUid": f"u{n % PEOPLE:05d}-o", "requesterName": "王芳", "detail": detail}
    ).encode()


def asking(call: str, bodies: Sequence[bytes], token: str) -> load.MakeRequest:
    path = f"{CALL}{call}?accessToken={token}"
    requests = [load.request("POST", path, body) for body in bodies]
    return lambda n: requests[n % len(requests)]


def detail_bodies(created: Sequence[bytes]) -> list[bytes]:
    ids = [json.loads(body)["data"]["meetingInviteId"] for body in created]
    return [
        json.dumps({"requesterUid": f"u{n % PEOPLE:05d}-o", "meetingInviteId": id}).encode()
        for n, id in ids_of(ids)
    ]


def ids_of(ids: Sequence[int]) -> list[tuple[int, int]]:
    """Ids in the order of creation, numbered as the bodies that made them."""
    return list(enumerate(sorted(ids)))


def until_pushed(port: int, bodies: Sequence[bytes], token: str) -> None:
    """Wait until every one of these meetings is in all its inboxes."""
    deadline = time.monotonic() + 300
    waiting = list(bodies)
    while waiting:
        found = load.drive(
            port, asking("detail", waiting, token), count=len(waiting), connections=1, keep=True
        )
        waiting = [
            body
            for body, answer in zip(waiting, found.bodies, strict=True)
            if json.loads(answer)["data"]["pushStatus"] != 1
        ]
        if time.monotonic() > deadline:
            raise RuntimeError(f"{len(waiting)} meetings never reached their inboxes")


def seed(databases: servers.Databases) -> tuple[servers.App, list[bytes]]:
    """A database named `seed` with meetings in their inboxes; the bodies that ask for their details."""
    url = databases.create("seed")
    app = servers.prepare(url)
    port = servers.free_port()
    with servers.running(servers.serve(url, port=port), port=port, url=url):
        token = servers.token(port, app)
        made = load.drive(
            port,
            asking("create", [create_body(n) for n in range(SEED_MEETINGS)], token),
            count=SEED_MEETINGS,
            connections=1,
            keep=True,
        )
        bodies = detail_bodies(made.bodies)
        until_pushed(port, bodies, token)
    return app, bodies


def compare(databases: servers.Databases, *, rounds: int, seconds: float) -> dict[str, Figures]:
    """Both servers on a copy of the same data, dispatcher off, in turn."""
    app, bodies = seed(databases)
    ours, theirs = databases.copy("seed", "ours"), databases.copy("seed", "theirs")
    port, other = servers.free_port(), servers.free_port()
    with (
        servers.running(servers.serve(ours, "--no-dispatch", port=port), port=port, url=ours),
        servers.running(servers.reference(theirs, port=other), port=other, url=theirs),
    ):
        token = servers.token(port, app)
        inboxes = [json.dumps({"requesterUid": f"u{n:05d}"}).encode() for n in range(PEOPLE)]
        calls = {
            "create": asking("create", [create_body(n) for n in range(5_000)], token),
            "detail": asking("detail", bodies, token),
            "inbox": asking("inbox", inboxes, token),
        }
        for call in ("detail", "inbox"):
            check_same_bytes(call, calls[call], port, other)
        return {
            call: measure(call, make, port, other, rounds=rounds, seconds=seconds)
            for call, make in calls.items()
        }


def check_same_bytes(call: str, make: load.MakeRequest, port: int, other: int) -> None:
    first = load.drive(port, make, count=50, connections=1, keep=True).bodies
    second = load.drive(other, make, count=50, connections=1, keep=True).bodies
    for ours, theirs in zip(first, second, strict=True):
        if ours != theirs:
            at = next(
                n
                for n, pair in enumerate(zip(ours + b"!", theirs + b"?", strict=False))
                if pair[0] != pair[1]
            )
            raise RuntimeError(
                f"{call}: the reference answers differently from byte {at}: {ours[at - 40 : at + 40]!r}"
            )


def measure(
    call: str, make: load.MakeRequest, port: int, other: int, *, rounds: int, seconds: float
) -> Figures:
    return interleave(call, {port: make, other: make}, port, other, rounds=rounds, seconds=seconds)


def interleave(
    call: str, makes: Mapping[int, load.MakeRequest], port: int, other: int, *, rounds: int, seconds: float
) -> Figures:
    """Both servers in turn, each with the requests that are made for it."""
    results: dict[int, list[load.Result]] = {port: [], other: []}
    for one in (port, other):
        load.drive(one, makes[one], seconds=seconds / 2, connections=CONNECTIONS)
    for number in range(rounds):
        for one in (port, other) if number % 2 else (other, port):
            result = load.drive(one, makes[one], seconds=seconds, connections=CONNECTIONS)
            if result.failed:
                raise RuntimeError(f"{call}: {result.failed} calls failed on port {one}")
            results[one].append(result)
    ratios = [mine.rate / their.rate for mine, their in zip(results[port], results[other], strict=True)]
    return Figures(
        huiyao=medians(results[port]),
        reference=medians(results[other]),
        ratio=round(statistics.median(ratios), 3),
        ratios=[round(ratio, 3) for ratio in ratios],
    )


def medians(results: Sequence[load.Result]) -> dict[str, float]:
    return {
        "per_second": round(statistics.median(one.rate for one in results)),
        "p50_ms": round(statistics.median(one.p50 for one in results) * 1000, 2),
        "p99_ms": round(statistics.median(one.p99 for one in results) * 1000, 2),
    }


def reach(databases: servers.Databases, *, count: int) -> dict[str, float]:
    """Dispatcher on: from the first create of `count` to the last inbox; then one meeting of 10,000."""
    url = databases.create("reach")
    app = servers.prepare(url)
    port = servers.free_port()
    with servers.running(servers.serve(url, port=port), port=port, url=url):
        token = servers.token(port, app)
        started = time.perf_counter()
        made = load.drive(
            port,
            asking("create", [create_body(0) for _ in range(count)], token),
            count=count,
            connections=CONNECTIONS,
            keep=True,
        )
        ids = [json.loads(body)["data"]["meetingInviteId"] for body in made.bodies]
        asks = [json.dumps({"requesterUid": "u00000-o", "meetingInviteId": id}).encode() for id in ids]
        until_pushed(port, asks, token)
        spent = time.perf_counter() - started
        large = create_body(1, members=10_000)
        creation = load.drive(port, asking("create", [large], token), count=1, connections=1, keep=True)
        (id,) = [json.loads(body)["data"]["meetingInviteId"] for body in creation.bodies]
        ask = json.dumps({"requesterUid": "u00001-o", "meetingInviteId": id}).encode()
        reading = load.drive(port, asking("detail", [ask], token), count=5, connections=1)
        pushed = time.perf_counter()
        until_pushed(port, [ask], token)
        pushed = time.perf_counter() - pushed
    return {
        "meetings": count,
        "created_per_second": round(made.rate),
        "in_every_inbox_per_second": round(count / spent),
        "create_10000_members_s": round(creation.p50, 3),
        "detail_10000_members_s": round(reading.p50, 3),
        "inboxes_of_10000_after_s": round(pushed, 3),
    }


def show(kind: str, figures: dict[str, Figures], reached: dict[str, float]) -> None:
    print(f"\n{kind}, {CONNECTIONS} connections, one process, 8 members a meeting")
    print(f"{'call':8}{'':12}{'requests/s':>11}{'p50 ms':>9}{'p99 ms':>9}{'ratio':>8}{'budget':>8}")
    for call, found in figures.items():
        for name, row in (("Huiyao", found.huiyao), ("reference", found.reference)):
            line = f"{call:8}{name:12}{row['per_second']:>11.0f}{row['p50_ms']:>9.2f}{row['p99_ms']:>9.2f}"
            if name == "Huiyao":
                line += f"{found.ratio:>8.2f}{BUDGETS.get(call, ''):>8}"
            print(line)
    print(f"dispatcher on: {reached}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each round and server")
    parser.add_argument("--meetings", type=int, default=5_000, help="to create with the dispatcher on")
    options = parser.parse_args()
    record: dict[str, object] = {
        "machine": report.machine(),
        "rounds": options.rounds,
        "seconds": options.seconds,
    }
    for kind in options.database or ["sqlite", "postgresql"]:
        with tempfile.TemporaryDirectory(prefix="huiyao-bench-") as folder:
            databases = servers.Databases(kind, Path(folder))
            try:
                figures = compare(databases, rounds=options.rounds, seconds=options.seconds)
                reached = reach(databases, count=options.meetings)
            finally:
                databases.close()
        show(kind, figures, reached)
        record[kind] = {
            **{call: msgspec.to_builtins(found) for call, found in figures.items()},
            "dispatch": reached,
        }
    report.write(ROOT / "docs" / "figures" / "bench.json", record)


if __name__ == "__main__":
    main()
