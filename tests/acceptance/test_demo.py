"""The first minutes with Huiyao: `huiyao demo` and the lines it prints."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.process import DEADLINE_SECONDS, Server, environment, eventually, run


@contextmanager
def demo(folder: Path) -> Iterator[Server]:
    server = Server("demo", folder=folder)
    try:
        eventually(lambda: "Ctrl+C" in server.out.read_text(), what="the guide")
        yield server
    finally:
        server.close()


def lines_to_paste(guide: str) -> str:
    return "\n".join(line for line in guide.splitlines() if "curl" in line)


def test_every_line_the_demo_prints_works_as_it_stands(tmp_path: Path) -> None:
    with demo(tmp_path) as server:
        done = subprocess.run(
            ["/bin/sh", "-c", lines_to_paste(server.out.read_text())],
            env=environment({}),
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=True,
        )
        meeting, detail, respond, inbox = done.stdout.splitlines()
        assert json.loads(detail)["data"]["meetingInviteId"] == int(meeting)
        assert json.loads(respond) == {"status": 0}
        assert json.loads(inbox)["status"] == 0
        assert server.stop() == 0


def test_started_again_the_demo_has_the_same_app(tmp_path: Path) -> None:
    shown = []
    for _ in range(2):
        with demo(tmp_path) as server:
            shown.append(re.findall(r"(?:appId|appSecret) +(\S+)", server.out.read_text()))
            assert server.stop(signal.SIGINT) == 0  # Ctrl+C
    assert shown[0] == shown[1]


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with demo(tmp_path) as server:
        other = tmp_path / "other"
        other.mkdir()
        done = run("demo", "--port", str(server.port), folder=other)
    assert done.returncode == 1
    assert done.stderr == f"huiyao: Cannot listen on 127.0.0.1 port {server.port}: Address already in use.\n"


def test_the_demo_lets_other_machines_in_only_when_told_twice(tmp_path: Path) -> None:
    done = run("demo", "--host", "0.0.0.0", folder=tmp_path)
    assert done.returncode == 1
    assert "--allow-remote" in done.stderr
    assert not list(tmp_path.glob("*.db"))
