"""`make bench-pages`: how long the server takes for each page of a person with 10,000 invitations, and what it weighs.

The same pages of a person with 20 invitations, in the same run and turn about, are the reference. Figures are written
to docs/figures/pages.json with commit and machine.
"""

import argparse
import asyncio
import gzip
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench import report, servers  # noqa: E402 (run as a script, from anywhere)
from huiyao import telemetry  # noqa: E402
from huiyao.model import MsgStatus, Org, Person  # noqa: E402
from huiyao.rules.commands import Create, Detail, Invitee, Respond  # noqa: E402
from huiyao.service import meetings, sessions  # noqa: E402
from huiyao.service.caller import Caller, Services  # noqa: E402
from huiyao.storage.opening import open_storage  # noqa: E402

KINDS = ("sqlite", "postgresql")
MANY, FEW = "many", "few"  # who has how many invitations
INVITATIONS = {MANY: 10_000, FEW: 20}
BUDGET_FIRST_MS, BUDGET_MS, BUDGET_KB = 50, 100, 150
HOUR = 3_600_000
DAY = 24 * HOUR
AT_ONCE = 200
ORG = Org(id=servers.ORG, name="bench")
PAGES = {
    "first page": "/workbench/",
    "waiting": "/workbench/?shelf=waiting",
    "past": "/workbench/?shelf=past",
    "created": "/workbench/?shelf=created",
    "far down the past": "/workbench/?shelf=past&after={deep}",
    "one meeting": "/workbench/meetings/{meeting}",
    "messages": "/workbench/messages",
    "calendar, day": "/workbench/calendar?view=day",
    "calendar, week": "/workbench/calendar?view=week",
    "calendar, month": "/workbench/calendar?view=month",
    "calendar beside the list": "/workbench/calendar?beside=1",
    "new meeting": "/workbench/new",
    "edit": "/workbench/meetings/{own}/edit",
    "me": "/workbench/me",
}


async def fill(url: str, *, app_id: int) -> dict[str, dict[str, str]]:
    """Two people with their invitations, half of them over; and what stands for them in PAGES."""
    storage = await open_storage(url)
    try:
        services = Services(storage)
        now = services.clock.now()
        people = [Person(org_id=ORG.id, uid=uid, name="张三丰") for uid in (MANY, FEW, "boss")]
        await storage.import_people(people)
        found: dict[str, dict[str, str]] = {}
        for uid, count in INVITATIONS.items():
            ids: list[int] = []
            for first in range(0, count, AT_ONCE):
                some = range(first, min(first + AT_ONCE, count))
                ids += await asyncio.gather(
                    *(_invite(services, uid, now, one, count, app_id=app_id) for one in some)
                )
            own = await _create(services, uid, now + DAY, ["boss"], app_id=app_id)
            secret, _ = await sessions.begin(services, ORG.id, uid=uid, app_id=app_id)
            found[uid] = {
                "secret": secret,
                "meeting": str(ids[-1]),
                "own": str(own),
                "deep": f"{now - count // 4 * 3 * HOUR}.1",
            }
        return found
    finally:
        await storage.close()


async def _invite(services: Services, uid: str, now: int, number: int, count: int, *, app_id: int) -> int:
    """One every three hours, from the past into the future; each third is accepted, each third declined."""
    begin_at = now + (number - count // 2) * 3 * HOUR
    others = [f"p{(number * 7 + one) % 5000}" for one in range(7)]
    meeting = await _create(services, "boss", begin_at, [uid, *others], app_id=app_id)
    if number % 3 and begin_at > now:
        answer = Respond(msg_status=MsgStatus.ACCEPTED if number % 3 == 1 else MsgStatus.DECLINED)
        await meetings.respond(services, Caller(app_id, ORG, uid), meeting, answer)
    return meeting


async def _create(services: Services, by: str, begin_at: int, uids: list[str], *, app_id: int) -> int:
    detail = Detail(
        content="第三季度预算讨论会，请各部门负责人准备材料",
        address="总部大楼三层第一会议室",
        begin_at=begin_at,
        end_at=begin_at + HOUR,
        remind_min=15,
        remind_type=0,
        create_time=None,
        invitees=tuple(Invitee(uid, "张三丰") for uid in uids),
    )
    return await meetings.create(
        services, Caller(app_id, ORG, by), Create(requester_name="王芳", detail=detail)
    )


def measure(port: int, people: dict[str, dict[str, str]], *, rounds: int) -> dict[str, Any]:
    """Each page of each person in turn, over one connection: milliseconds until the whole answer is here."""
    address = f"http://127.0.0.1:{port}"
    found: dict[str, Any] = {}
    with httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
        for name, path in PAGES.items():
            times: dict[str, list[float]] = {uid: [] for uid in people}
            weight = 0
            for number in range(rounds + 2):  # the first two only warm up
                for uid, values in people.items():
                    headers = {"cookie": f"huiyao={values['secret']}", "accept-encoding": "gzip"}
                    began = time.perf_counter()
                    with client.stream("GET", path.format(**values), headers=headers) as answer:
                        raw = b"".join(answer.iter_raw())
                    if number >= 2:
                        times[uid].append((time.perf_counter() - began) * 1000)
                    assert answer.status_code == 200, (path, answer.status_code)
                    if uid == MANY:
                        weight = len(raw)
                        text = gzip.decompress(raw).decode()
            found[name] = {
                "p50_ms": round(report.quantile(times[MANY], 50), 1),
                "p99_ms": round(report.quantile(times[MANY], 99), 1),
                "beside_few": round(report.quantile(times[MANY], 50) / report.quantile(times[FEW], 50), 2),
                "kb": round(weight / 1000, 1),
                "first_visit_kb": round((weight + _assets(client, text)) / 1000, 1),
            }
    return found


def _assets(client: httpx.Client, page: str) -> int:
    """Bytes of all styles, scripts and images the page names."""
    named = {
        part.split('"')[0]
        for word in ('href="/workbench/static/', 'src="/workbench/static/')
        for part in page.split(word)[1:]
    }
    total = 0
    for one in sorted(named):
        with client.stream("GET", f"/workbench/static/{one}", headers={"accept-encoding": "gzip"}) as answer:
            total += len(b"".join(answer.iter_raw()))
    return total


def run(databases: servers.Databases, options: argparse.Namespace) -> dict[str, Any]:
    url = databases.create("pages")
    app = servers.prepare(url)
    people = asyncio.run(fill(url, app_id=app.app_id))
    port = servers.free_port()
    with servers.running(servers.serve(url, port=port), port=port, url=url):
        time.sleep(options.settle)  # the dispatcher tells everybody first
        return measure(port, people, rounds=options.rounds)


def show(kind: str, figures: dict[str, Any]) -> bool:
    """Print them beside the budgets; whether all are kept."""
    print(f"\n{kind}: a person with {INVITATIONS[MANY]:,} invitations (beside one with {INVITATIONS[FEW]})")
    print(f"  {'page':<28}{'p50':>9}{'p99':>9}{'ratio':>8}{'page':>10}{'first visit':>14}")
    kept = True
    for name, one in figures.items():
        limit = BUDGET_FIRST_MS if name == "first page" else BUDGET_MS
        good = one["p99_ms"] < limit and one["first_visit_kb"] < BUDGET_KB
        kept = kept and good
        print(
            f"  {name:<28}{one['p50_ms']:>6} ms{one['p99_ms']:>6} ms{one['beside_few']:>8}"
            f"{one['kb']:>7} kB{one['first_visit_kb']:>11} kB{'' if good else '  MISSED'}"
        )
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=KINDS, action="append")
    parser.add_argument("--rounds", type=int, default=100, help="requests for each page")
    parser.add_argument("--settle", type=float, default=20, help="seconds for the dispatcher before")
    parser.add_argument("--figures", type=Path, default=ROOT / "docs" / "figures" / "pages.json")
    options = parser.parse_args()
    telemetry.log_to_stderr("warning")
    figures: dict[str, object] = {"machine": report.machine(), "invitations": INVITATIONS[MANY]}
    kept = True
    for kind in options.database or KINDS:
        with tempfile.TemporaryDirectory(prefix="huiyao-bench-") as folder:
            databases = servers.Databases(kind, Path(folder))
            try:
                found = run(databases, options)
            finally:
                databases.close()
        figures[kind] = found
        kept = show(kind, found) and kept
    print(f"\nbudgets: first page {BUDGET_FIRST_MS} ms, others {BUDGET_MS} ms (p99); {BUDGET_KB} kB")
    report.write(options.figures, {**figures, "budgets_kept": kept})


if __name__ == "__main__":
    main()
