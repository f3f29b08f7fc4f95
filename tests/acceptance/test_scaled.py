"""Several processes on one PostgreSQL: the same answers as one process, and no process that cannot be spared."""

import asyncio
import os
import shutil
import signal
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.acceptance.process import KEY, Client, Installation, Server, eventually, free_port
from tests.acceptance.scenario import Answers, play
from tests.acceptance.test_crash import load
from tests.storage import postgres

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Answers:
    """What one `serve` on SQLite answers."""
    folder = tmp_path_factory.mktemp("expected")
    shutil.copytree(prepared, folder, dirs_exist_ok=True)
    with closing(Installation(folder)) as embedded:
        return play(embedded.client(embedded.serve()))


def workers_of(server: Server) -> set[int]:
    """The processes that `serve` started and that serve."""
    found = set()
    for children in Path(f"/proc/{server.popen.pid}/task").glob("*/children"):
        for pid in map(int, children.read_text().split()):
            if b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found


def both_workers_of(server: Server) -> set[int]:
    return eventually(lambda: found if len(found := workers_of(server)) == 2 else None, what="two workers")


def test_one_process_answers_like_sqlite(scaled: Installation, expected: Answers) -> None:
    assert play(scaled.client(scaled.serve())) == expected


@pytest.mark.thorough
def test_two_workers_answer_like_one_process(scaled: Installation, expected: Answers) -> None:
    server = scaled.serve("--workers", "2")
    assert play(scaled.client(server)) == expected
    shown = httpx.get(f"{server.address}/metrics", trust_env=False).text
    assert "huiyao_dispatch_tasks_total" in shown
    assert server.stop() == 0


def test_two_nodes_and_a_dispatcher_answer_like_one_process(scaled: Installation, expected: Answers) -> None:
    nodes = [scaled.serve("--no-dispatch") for _ in range(2)]
    dispatcher = scaled.start("dispatch")
    assert play(scaled.client(*nodes)) == expected
    assert dispatcher.stop() == 0
    assert [one.stop() for one in nodes] == [0, 0]


def test_a_worker_that_dies_is_replaced(scaled: Installation) -> None:
    server = scaled.serve("--workers", "2")
    client = scaled.client(server)
    before = both_workers_of(server)
    dead = min(before)
    os.kill(dead, signal.SIGKILL)
    eventually(lambda: dead not in both_workers_of(server), what="its replacement")
    for _ in range(20):
        eventually(lambda: is_created(client), seconds=10, what="a create")
    assert server.stop() == 0


def is_created(client: Client) -> bool:
    """Whether a create is answered; a kept connection of the dead worker breaks once."""
    try:
        return client.create("u1", "u2") > 0
    except httpx.TransportError:
        return False


async def test_a_stop_under_load_answers_everything_the_workers_accepted(scaled: Installation) -> None:
    server = scaled.serve("--workers", "2")
    both_workers_of(server)
    outcomes = await load(scaled.client(server), server, enough=300, end="terminate")
    assert await asyncio.to_thread(server.popen.wait, 15) == 0
    assert [one.unanswered for one in outcomes if one.unanswered] == []


def test_workers_end_with_their_supervisor(scaled: Installation) -> None:
    server = scaled.serve("--workers", "2")
    workers = both_workers_of(server)
    server.kill()
    eventually(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), what="the end of the workers"
    )


def test_a_database_without_tables_is_refused_and_the_command_named(
    tmp_path: Path, postgres_server: postgres.Databases
) -> None:
    url = postgres_server.create(empty=True)
    with closing(Installation(tmp_path, database_url=url, key=KEY)) as scaled:
        for command in (("serve", "--port", str(free_port())), ("dispatch",)):
            done = scaled.run(*command)
            assert done.returncode == 1
            assert "`huiyao db migrate`" in done.stderr
            assert done.stderr.count("\n") == 1
    postgres_server.drop(url)


def test_without_a_key_postgresql_is_refused(scaled: Installation) -> None:
    del scaled.settings["key"]
    done = scaled.run("serve", "--port", str(free_port()))
    assert done.returncode == 1
    assert "HUIYAO_KEY is not set" in done.stderr


def test_a_database_that_is_away_is_one_clear_line(tmp_path: Path) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    with closing(Installation(tmp_path, database_url=url, key=KEY)) as scaled:
        done = scaled.run("serve", "--port", str(free_port()))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("huiyao: The database does not answer")
    assert "Traceback" not in done.stderr


def test_readiness_follows_the_database_and_serve_outlives_its_restart(tmp_path: Path) -> None:
    with (
        postgres.own_server() as database,
        closing(Installation(tmp_path, database_url=database.url, key=KEY)) as scaled,
    ):
        scaled.set_up()
        server = scaled.serve()
        client = scaled.client(server)
        eventually(lambda: problems_of(server) == [], what="readiness")
        database.stop()
        eventually(
            lambda: problems_of(server) == ["The database does not answer."], what="the end of readiness"
        )
        assert client.call("inbox", "u1")["status"] == -1
        database.start()
        eventually(lambda: problems_of(server) == [], what="readiness")
        meeting = client.create("u1", "u2")
        eventually(lambda: client.inbox("u2") == [(meeting, "invited")], what="the invitation")
        assert server.stop() == 0


def problems_of(server: Server) -> list[str]:
    answer = httpx.get(f"{server.address}/readyz", trust_env=False, timeout=10)
    found: list[str] = answer.json()["problems"]
    assert answer.status_code == (503 if found else 200)
    return found
