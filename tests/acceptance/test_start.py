"""How soon it answers, and how much memory it takes (design section 6)."""

import os
from pathlib import Path

from tests.acceptance.process import Installation

# Processor time, so that whatever else the machine is doing does not count; on an idle one it is the time that passes.
MOST_SECONDS = 1.5


def worked_seconds(pid: int) -> float:
    """User and system time of a process so far (proc(5), fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_the_first_answer_comes_within_a_second_and_a_half(embedded: Installation) -> None:
    assert worked_seconds(embedded.serve().popen.pid) < MOST_SECONDS


def test_an_idle_process_takes_less_than_120_mb(embedded: Installation) -> None:
    server = embedded.serve()
    embedded.client(server).create("u1", "u2")
    status = Path(f"/proc/{server.popen.pid}/status").read_text()
    resident_kb = int(status.partition("VmRSS:")[2].split()[0])
    assert resident_kb < 120 * 1024


def test_help_is_there_at_once(embedded: Installation) -> None:
    before = os.times()
    assert "serve" in embedded.succeed("--help")
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    assert spent < MOST_SECONDS
