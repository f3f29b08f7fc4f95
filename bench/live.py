"""`make bench-live`: what thousands of open pages cost one process, and how soon a message is on one of them.

Resident memory of `huiyao serve` idle and with the streams open, then single messages to people at random, each from
its call's answer to its event at the client; beside a bare event server with as many streams in the same run. On
PostgreSQL another process dispatches. Writes the figures, with commit and machine, to docs/figures/live.json.
"""

import argparse
import asyncio
import json
import random
import resource
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen
from typing import Any

import msgspec
import uvloop

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench import load, report, servers, streams  # noqa: E402 (run as a script, from anywhere)
from huiyao import telemetry  # noqa: E402
from huiyao.service import sessions  # noqa: E402
from huiyao.service.caller import Services  # noqa: E402
from huiyao.storage.contract import Position  # noqa: E402
from huiyao.storage.opening import open_storage  # noqa: E402
from huiyao.wire import cursor  # noqa: E402

KINDS = ("sqlite", "postgresql")
CREATE = "/openapi/workbench/meetinginvite/create"
BUDGET_MB, BUDGET_MS = 300, 200
WATCHED = 20
FIRST_WATCHED = 1_000_000_000_000
BROWSER = (
    "Accept: text/event-stream",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: zh-CN,zh;q=0.9,en;q=0.8",
    "Cache-Control: no-cache",
    "Connection: keep-alive",
    "Referer: http://127.0.0.1/workbench/",
    "Sec-Fetch-Dest: empty",
    "Sec-Fetch-Mode: cors",
    "Sec-Fetch-Site: same-origin",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
)


def name(number: int) -> str:
    return f"u{number:05d}"


async def cookies(url: str, *, app_id: int, count: int) -> dict[str, str]:
    """Sessions of so many people, each with its secret."""
    storage = await open_storage(url)
    try:
        services = Services(storage)
        return {
            uid: (await sessions.begin(services, servers.ORG, uid=uid, app_id=app_id))[0]
            for uid in map(name, range(count))
        }
    finally:
        await storage.close()


def listening(secret: str) -> bytes:
    """What a browser sends for a page that shows WATCHED meetings."""
    watched = ",".join(str(FIRST_WATCHED + random.randrange(10_000)) for _ in range(WATCHED))
    path = f"/workbench/live?after={cursor.write(Position(0, 0))}&since=1&watch={watched}"
    return load.request("GET", path, headers=(f"Cookie: huiyao={secret}", *BROWSER))


def creating(number: int, token: str) -> bytes:
    """A meeting of one member."""
    detail = {
        "createTime": 1_800_000_000_000,
        "content": "第三季度预算讨论会，请各部门负责人准备材料",
        "address": "总部大楼三层第一会议室",
        "beginTime": 4_000_000_000_000,
        "endTime": 4_000_003_600_000,
        "remindMin": 15,
        "remindType": 0,
        "members": [{"uid": name(number), "name": "张三丰"}],
    }
    body = json.dumps({"requesterUid": "organizer", "requesterName": "王芳", "detail": detail}).encode()
    return load.request("POST", f"{CREATE}?accessToken={token}", body)


async def measure(
    port: int,
    process: Popen[bytes],
    *,
    listeners: dict[str, bytes],
    calls: list[tuple[str, bytes]],
) -> dict[str, Any]:
    idle = servers.resident_mb(process)
    opened = streams.Streams(port)
    began = time.perf_counter()
    await opened.open(listeners)
    seconds = time.perf_counter() - began
    connected = servers.resident_mb(process)
    told = await opened.told(calls)
    after = servers.resident_mb(process)
    opened.close()
    return {
        "idle_mb": idle,
        "connected_mb": connected,
        "after_messages_mb": after,
        "kb_per_stream": round((connected - idle) * 1024 / len(listeners), 1),
        "opened_per_second": round(len(listeners) / seconds),
        **msgspec.to_builtins(told),
    }


def huiyao(databases: servers.Databases, options: argparse.Namespace) -> dict[str, Any]:
    url = databases.create("live")
    app = servers.prepare(url)
    secrets = asyncio.run(cookies(url, app_id=app.app_id, count=options.streams))
    listeners = {uid: listening(secret) for uid, secret in secrets.items()}
    port = servers.free_port()
    apart = ["--no-dispatch"] if databases.kind == "postgresql" else []
    with ExitStack() as stack:
        if apart:
            stack.enter_context(servers.dispatching(url))
        process = stack.enter_context(
            servers.running(servers.serve(url, *apart, port=port), port=port, url=url)
        )
        token = servers.token(port, app)
        people = random.choices(range(options.streams), k=options.messages)
        calls = [(name(one), creating(one, token)) for one in people]
        return uvloop.run(measure(port, process, listeners=listeners, calls=calls))


def reference(options: argparse.Namespace) -> dict[str, Any]:
    port = servers.free_port()
    command = [str(Path(__file__).with_name("live_reference.py")), str(port)]
    names = [name(number) for number in range(options.streams)]
    listeners = {one: load.request("GET", f"/{one}") for one in names}
    calls = [(one, load.request("POST", f"/{one}")) for one in random.choices(names, k=options.messages)]
    with servers.running(command, port=port, url="") as process:
        return uvloop.run(measure(port, process, listeners=listeners, calls=calls))


def show(who: str, found: dict[str, Any], *, budget: bool) -> None:
    memory, latency = (f" (budget {BUDGET_MB})", f" (budget {BUDGET_MS})") if budget else ("", "")
    print(
        f"  {who:11}{found['idle_mb']:.0f} MB idle, {found['connected_mb']:.0f} connected{memory},"
        f" {found['kb_per_stream']:.1f} kB a stream; to the event p50 {found['p50_ms']:.1f} ms,"
        f" p99 {found['p99_ms']:.1f}{latency}, max {found['max_ms']:.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=KINDS, action="append")
    parser.add_argument("--streams", type=int, default=2_000, help="open at once, each of another person")
    parser.add_argument("--messages", type=int, default=200, help="single ones")
    parser.add_argument("--figures", type=Path, default=ROOT / "docs" / "figures" / "live.json")
    options = parser.parse_args()
    telemetry.log_to_stderr("warning")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    figures: dict[str, object] = {
        "machine": report.machine(),
        "streams": options.streams,
        "messages": options.messages,
    }
    print(f"\n{options.streams:,} streams, {options.messages} messages")
    bare = figures["reference"] = reference(options)
    show("reference", bare, budget=False)
    for kind in options.database or KINDS:
        with tempfile.TemporaryDirectory(prefix="huiyao-bench-") as folder:
            databases = servers.Databases(kind, Path(folder))
            try:
                found = huiyao(databases, options)
            finally:
                databases.close()
        ratios = {
            f"{one}_ratio": round(found[one] / bare[one], 1) for one in ("connected_mb", "from_call_ms")
        }
        figures[kind] = {"processes": 1 if kind == "sqlite" else 2, **found, **ratios}
        show(kind, found, budget=True)
        print(f"  {'':11}{ratios}", flush=True)
    report.write(options.figures, figures)


if __name__ == "__main__":
    main()
