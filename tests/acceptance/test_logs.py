"""What a whole life says aloud, at level debug: no secret, token, ticket, link, query string, name, text or number.

Looked through are what every process and command wrote, what /metrics shows, what failed calls were answered, and the
process list. A process's environment holds the server key and the database's address; only its owner and root can read
that (/proc/PID/environ).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.acceptance.private import Private, command_lines
from tests.acceptance.process import KEY, Installation, Process, Server, eventually, free_port
from tests.acceptance.receiving import ReceiverProcess
from tests.acceptance.saying import GATEWAY_PASSWORD, PHRASE, Saying
from tests.acceptance.slow_gateway import SlowGateway, answering, cutting
from tests.acceptance.test_scaled import workers_of
from tests.storage import postgres

pytestmark = pytest.mark.timeout(300)

DATABASE_PASSWORD = "database-password-of-the-tests"
SETTINGS = {
    "log_level": "debug",
    "callback_private": "127.0.0.0/8",
    "sms_wait_seconds": "1",
    "sms_daily_limit": "1000",
}


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[ReceiverProcess]:
    """One that knows no secret: it refuses everything as forged."""
    config = {"style": "platform", "token": "none", "appSecret": "none"}
    with ReceiverProcess(tmp_path / "receiver", **config) as started:
        yield started


@pytest.fixture
def gateway() -> Iterator[SlowGateway]:
    with SlowGateway() as started:
        yield started


class Ears:
    """Hears what is said until `said_of` is asked."""

    def __init__(self, installation: Installation, gateway: SlowGateway) -> None:
        port = free_port()
        authority = f"huiyao:{GATEWAY_PASSWORD}@{gateway.authority}"
        self.installation = installation
        self.port = port
        installation.settings |= {
            **SETTINGS,
            "sms_url": f"kannel://{authority}?from=10690",
            "public_url": f"http://127.0.0.1:{port}",
        }
        self.private = Private()
        self.saying = Saying(installation, self.private)
        self.processes: list[Process] = []
        self._heard: list[tuple[str, str]] = []

    def serve(self, *arguments: str) -> Server:
        """Always at the same address: texts name it."""
        server = self.installation.serve(*arguments, port=self.port)
        self.processes.append(server)
        return server

    def dispatch(self) -> Server:
        port = free_port()
        started = Server("dispatch", folder=self.installation.folder, port=port, **self.installation.settings)
        self.processes.append(started)
        return started

    def listen(self, *servers: Server) -> None:
        """To what can be heard only while they live."""
        for server in servers:
            self._heard.append(("process list", "\n".join(command_lines(server))))
            shown = httpx.get(f"{server.address}/metrics", trust_env=False).text
            self._heard.append(("metrics", shown))
            ready = httpx.get(f"{server.address}/readyz", trust_env=False, timeout=10).text
            self._heard.append(("readiness", ready))

    def said(self) -> str:
        return "".join(one.said for one in self.processes)

    def found(self) -> list[str]:
        """What was heard that nobody may hear, and where."""
        logs = [(f"log of process {number}", one.said) for number, one in enumerate(self.processes)]
        everything = [*self._heard, *logs, *self.saying.spoken, *self.saying.answers]
        found = [f"{where}: {what}" for where, text in everything for what in self.private.found_in(text)]
        for where, text in logs:
            found += [f"{where}: query string {line}" for line in self.private.queries_in(text)]
        return found

    def close(self) -> None:
        for one in self.processes:
            one.close()


def live(ears: Ears, gateway: SlowGateway, receiver: ReceiverProcess, *arguments: str) -> Server:
    """From the first command on; the processes live on."""
    ears.saying.furnish(receiver)
    server = ears.serve(*arguments)
    dispatching = [ears.dispatch()] if arguments else []
    ears.saying.invite(server, gateway)
    ears.saying.call_everything(server)
    for manner in (answering(500, PHRASE), answering(403, f"{GATEWAY_PASSWORD} is wrong"), cutting):
        gateway.manner = manner
        before = len(gateway.requests)
        ears.saying.text(server)
        eventually(lambda before=before: len(gateway.requests) > before, what="a request")  # type: ignore[misc]
    receiver.behave("gone")
    ears.saying.look_around()
    eventually(lambda: "receiver gone" in ears.said(), what="the end of a receiver")
    ears.listen(server, *dispatching)
    return server


def check(ears: Ears) -> None:
    assert "workbench/meetinginvite/create" in ears.said(), "it was not at level debug"
    assert not ears.found(), "\n".join(ears.found())


def test_an_embedded_life_says_nothing_private(
    embedded: Installation, gateway: SlowGateway, receiver: ReceiverProcess
) -> None:
    with closing(Ears(embedded, gateway)) as ears:
        key = embedded.folder / "huiyao.db.key"
        ears.private.keep(key.read_text().strip(), "server key")
        server = live(ears, gateway, receiver)
        with closing(sqlite3.connect(embedded.folder / "huiyao.db")) as connection:
            connection.execute("BEGIN IMMEDIATE")  # nobody else can write
            ears.saying.call_in_vain(server)
        ears.saying.command("key", "rotate", "--revoke")
        ears.private.keep(key.read_text().strip(), "new server key")
        server.kill()
        again = ears.serve()
        ears.saying.call_everything(again)
        ears.listen(again)
        assert again.stop() == 0
        check(ears)


@pytest.mark.postgres
@pytest.mark.thorough
def test_a_scaled_life_says_nothing_private(
    tmp_path: Path, gateway: SlowGateway, receiver: ReceiverProcess
) -> None:
    with postgres.own_server() as database:
        url = database.url.replace("postgres:@", f"postgres:{DATABASE_PASSWORD}@")
        assert DATABASE_PASSWORD in url
        with (
            closing(Installation(tmp_path, database_url=url, key=KEY)) as scaled,
            closing(Ears(scaled, gateway)) as ears,
        ):
            scaled.set_up()
            ears.private.keep(KEY, "server key")
            ears.private.keep(DATABASE_PASSWORD, "database's password")
            server = live(ears, gateway, receiver, "--no-dispatch", "--workers", "2")
            database.stop()
            ears.saying.call_in_vain(server)
            for command in (("doctor",), ("app", "list"), ("key", "rotate")):
                ears.saying.command(*command)
            database.start()
            eventually(lambda: ears.saying.is_answered(server), what="the database")
            ears.saying.command("key", "rotate", "--json", shows=("key",))
            orphans = workers_of(server)
            server.kill()
            # Until then they answer at its address, where another is to be waited for.
            eventually(lambda: not any(Path(f"/proc/{one}").exists() for one in orphans), what="their end")
            again = ears.serve("--no-dispatch")
            ears.saying.call_everything(again)
            ears.listen(again)
            assert [one.stop() for one in ears.processes[1:]] == [0, 0]
            check(ears)


def test_a_password_in_the_database_url_is_never_shown(embedded: Installation) -> None:
    url = f"postgresql://huiyao:{DATABASE_PASSWORD}@127.0.0.1:1/huiyao"
    for command in (
        ("serve", "--port", "1"),
        ("app", "list"),
        ("doctor",),
        ("db", "migrate"),
        ("key", "rotate"),
    ):
        done = embedded.run(*command, database_url=url, key=PHRASE * 2, log_level="debug")
        assert done.returncode == 1
        assert DATABASE_PASSWORD not in done.stdout + done.stderr
        assert PHRASE not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "setting",
    [
        {"database_url": f"mysql://huiyao:{DATABASE_PASSWORD}@127.0.0.1/huiyao"},
        {"database_url": f"postgresql://huiyao:{DATABASE_PASSWORD}@127.0.0.1:port/huiyao"},
        {"database_url": f"postgresql://huiyao:{DATABASE_PASSWORD}/x@127.0.0.1/huiyao"},
        {"database_url": f"postgresql://huiyao:1/{DATABASE_PASSWORD}@127.0.0.1/huiyao"},
        {"key": DATABASE_PASSWORD[:31]},
        {"sms_url": f"smtp://huiyao:{DATABASE_PASSWORD}@127.0.0.1"},
        {"sms_url": f"kannel://huiyao:{DATABASE_PASSWORD}@127.0.0.1:port"},
        {"sms_url": f"kannel://huiyao:{DATABASE_PASSWORD}@127.0.0.1?unknown={DATABASE_PASSWORD}"},
    ],
)
def test_a_setting_that_is_wrong_is_named_without_its_secret(
    embedded: Installation, setting: dict[str, str]
) -> None:
    for command in (("serve", "--port", str(free_port())), ("doctor",), ("app", "list")):
        done = embedded.run(*command, log_level="debug", **setting)
        assert DATABASE_PASSWORD[:31] not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_a_password_on_the_command_line_is_refused(embedded: Installation) -> None:
    url = f"postgresql://huiyao:{DATABASE_PASSWORD}@127.0.0.1/huiyao"
    done = embedded.run("app", "list", "--database", url)
    assert done.returncode == 1
    assert "process list" in done.stderr
    assert DATABASE_PASSWORD not in done.stderr
