"""What limits cost: create with all of them on beside create with none, in one run, interleaved.

On: two networks, a list of calls, a rate and a daily quota that are never reached, behind a trusted proxy whose word
is asked for. Prints creates per second, p50, p99 and the ratio (median over the rounds).
"""

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench import load, report, run, servers  # noqa: E402 (run as a script, from anywhere)

BUDGET = 0.90
PROXIES = {"HUIYAO_TRUSTED_PROXIES": "127.0.0.0/8"}
FORWARDED = "X-Forwarded-For: 203.0.113.9"
BODIES = 5_000


def limit(url: str, app: servers.App) -> None:
    """All limits at once, none of which is ever reached."""
    servers.huiyao(
        *("app", "set", str(app.app_id), "--ip", "127.0.0.0/8,203.0.113.0/24", "--api", "create,detail"),
        *("--rate", "1000000", "--quota", "1000000000000"),
        url=url,
    )


def creating(token: str) -> load.MakeRequest:
    path = f"{run.CALL}create?accessToken={token}"
    requests = [load.request("POST", path, run.create_body(n), (FORWARDED,)) for n in range(BODIES)]
    return lambda n: requests[n % len(requests)]


def compare(databases: servers.Databases, *, rounds: int, seconds: float) -> run.Figures:
    """In the figures, `huiyao` is with limits and `reference` without."""
    url = databases.create("plain")
    app = servers.prepare(url)
    limited = databases.copy("plain", "limited")
    limit(limited, app)
    port, other = servers.free_port(), servers.free_port()
    with (
        servers.running(
            servers.serve(limited, "--no-dispatch", port=port), port=port, url=limited, settings=PROXIES
        ),
        servers.running(
            servers.serve(url, "--no-dispatch", port=other), port=other, url=url, settings=PROXIES
        ),
    ):
        makes = {one: creating(servers.token(one, app)) for one in (port, other)}
        return run.interleave("create", makes, port, other, rounds=rounds, seconds=seconds)


def show(kind: str, found: run.Figures) -> None:
    print(f"\n{kind}, create with and without limits")
    for name, row in (("limits", found.huiyao), ("none", found.reference)):
        line = f"{'create':8}{name:12}{row['per_second']:>11.0f}{row['p50_ms']:>9.2f}{row['p99_ms']:>9.2f}"
        print(line + (f"{found.ratio:>8.2f}{BUDGET:>8}" if name == "limits" else ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each round and server")
    parser.add_argument("--figures", type=Path, default=ROOT / "docs" / "figures" / "limits.json")
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
                found = compare(databases, rounds=options.rounds, seconds=options.seconds)
            finally:
                databases.close()
        show(kind, found)
        record[kind] = {
            "limits": found.huiyao,
            "none": found.reference,
            "ratio": found.ratio,
            "ratios": found.ratios,
        }
    report.write(options.figures, record)


if __name__ == "__main__":
    main()
