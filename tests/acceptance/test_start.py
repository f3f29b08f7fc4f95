"""How soon it answers, and how much memory it takes (design section 6)."""

import time
from pathlib import Path

from tests.acceptance.process import Installation

ROUNDS = 3  # other processes of the machine may have spoilt one


def test_the_first_answer_comes_within_a_second_and_a_half(embedded: Installation) -> None:
    taken = []
    for _ in range(ROUNDS):
        start = time.monotonic()
        server = embedded.serve()
        taken.append(time.monotonic() - start)
        server.stop()
    assert min(taken) < 1.5


def test_an_idle_process_takes_less_than_120_mb(embedded: Installation) -> None:
    server = embedded.serve()
    embedded.client(server).create("u1", "u2")
    status = Path(f"/proc/{server.popen.pid}/status").read_text()
    resident_kb = int(status.partition("VmRSS:")[2].split()[0])
    assert resident_kb < 120 * 1024


def test_help_loads_neither_server_nor_database_drivers(embedded: Installation) -> None:
    start = time.monotonic()
    shown = embedded.succeed("--help")
    assert "serve" in shown
    assert time.monotonic() - start < 1.5
