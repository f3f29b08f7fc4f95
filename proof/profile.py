"""Profile: where create, detail, respond, inbox and the dispatcher spend their time, on both databases.

`python -m proof.profile [--database KIND] [--seconds N] [--top N]` prints for each of them the functions in which the
serving process was found most often, by themselves and with what they called; the writer of SQLite is a thread of its
own. What a change is worth is measured by `make bench` and by the programs of the proof.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from bench import lives, load, seeding, servers
from proof.asking import Asking, in_turn

KINDS = ("sqlite", "postgresql")
CALLS = ("create", "detail", "respond", "inbox")
MEETINGS = 10_000
HERD = 20_000  # reminders at once, for the dispatcher
LEAD_SECONDS = 6.0
SAMPLES_PER_SECOND = 250
# Threads that wait for work are at times taken for busy.
WAITING = ("_worker (concurrent/futures/thread.py)", "Condition.wait (threading.py)")
SPY = Path(sys.executable).with_name("py-spy")


@contextmanager
def spying(pid: int, target: Path, *, seconds: float) -> Iterator[None]:
    """Looks where the process is, for so long, while it is at work; stacks with how often each was found."""
    command = [str(SPY), "record", "--pid", str(pid), "--duration", str(int(seconds)), "--threads"]
    command += ["--rate", str(SAMPLES_PER_SECOND), "--format", "raw", "--output", str(target)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    yield
    _, said = process.communicate(timeout=seconds + 60)
    if process.returncode:
        raise RuntimeError(f"py-spy: {said.decode().strip()}")


def show(what: str, target: Path, *, top: int) -> None:
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for line in target.read_text().splitlines():
        stack, _, times = line.rpartition(" ")
        frames = [_short(one) for one in stack.split(";")]
        if frames[-1] in WAITING:
            continue
        own[frames[-1]] += int(times)
        for one in set(frames):
            whole[one] += int(times)
    total = sum(own.values()) or 1
    print(f"\n{what}: {total:,} samples\n  {'alone':>6} {'in all':>7}")
    for name, count in own.most_common(top):
        print(f"  {count / total:>6.1%} {whole[name] / total:>7.1%}  {name}")
    print("  with what they call:")
    ours = ((name, count) for name, count in whole.most_common() if "huiyao/" in name)
    for _, (name, count) in zip(range(top), ours, strict=False):
        print(f"  {'':6} {count / total:>7.1%}  {name}")


def _short(frame: str) -> str:
    """`function (huiyao/module.py)`, without line and path."""
    name, _, place = frame.partition(" (")
    path = place.rstrip(")").rsplit(":", 1)[0]
    for root in ("/src/", "/site-packages/"):
        path = path.rpartition(root)[2]
    return f"{name} ({path})" if path else name


def calls(databases: servers.Databases, folder: Path, *, seconds: float, top: int) -> None:
    life = lives.Life(meetings=MEETINGS, now=time.time_ns() // 1_000_000)
    url = databases.create("profile")
    app = servers.prepare(url)
    lives.fill(url, life)
    port = servers.free_port()
    command = servers.serve(url, "--no-dispatch", port=port)
    with servers.running(command, port=port, url=url) as process:
        asked: Mapping[str, list[bytes]] = Asking(url, life, servers.token(port, app)).repeatable()
        for call in CALLS:
            turn = in_turn(asked[call])
            load.drive(port, turn, seconds=1)
            with spying(process.pid, folder / call, seconds=seconds):
                rate = load.drive(port, turn, seconds=seconds + 1).rate
            show(f"{databases.kind}, {call}, {rate:,.0f} a second", folder / call, top=top)


def dispatcher(databases: servers.Databases, folder: Path, *, seconds: float, top: int) -> None:
    url = databases.create("dispatched")
    servers.prepare(url)
    due_at = time.time_ns() // 1_000_000 + int(LEAD_SECONDS * 1000)
    seeding.fill(
        url, seeding.Meetings(first=seeding.FIRST_ID, count=HERD // 10, members=10, due_at=due_at, apart_ms=1)
    )
    port = servers.free_port()
    with (
        servers.running(servers.serve(url, port=port), port=port, url=url) as process,
        spying(process.pid, folder / "dispatch", seconds=seconds + LEAD_SECONDS),
    ):
        pass
    show(f"{databases.kind}, {HERD:,} reminders", folder / "dispatch", top=top)


def main() -> None:
    parser = argparse.ArgumentParser(prog="proof.profile", description=__doc__)
    parser.add_argument("--database", choices=KINDS, action="append")
    parser.add_argument("--seconds", type=float, default=5, help="of each")
    parser.add_argument("--top", type=int, default=15, help="functions shown of each")
    options = parser.parse_args()
    for kind in options.database or KINDS:
        with tempfile.TemporaryDirectory(prefix="huiyao-profile-") as name:
            folder = Path(name)
            with closing(servers.Databases(kind, folder)) as databases:
                calls(databases, folder, seconds=options.seconds, top=options.top)
                dispatcher(databases, folder, seconds=options.seconds, top=options.top)


if __name__ == "__main__":
    main()
