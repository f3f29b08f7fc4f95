"""Two PostgreSQL servers under Patroni on loopback, with etcd, run with the very files of docs/failover/."""

import contextlib
import os
import pwd
import shutil
import string
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import asyncpg
import httpx
import psutil

from bench.report import ROOT
from tests.acceptance.process import eventually, free_port
from tests.storage.postgres import run_apart

FILES: Final = ROOT / "docs" / "failover"
PROGRAMS: Final = ("patroni", "etcd", "/usr/lib/postgresql/15/bin/postgres")
PACKAGES: Final = "patroni etcd-server postgresql-15"  # Debian's
USER: Final = "postgres"  # Debian's, as which all of it runs where we are root
PASSWORD: Final = "only-on-loopback"
READY_SECONDS: Final = 120.0


def missing() -> list[str]:
    return [one for one in PROGRAMS if shutil.which(one) is None]


class Service:
    """A program of the recipe, with its configuration filled in."""

    def __init__(self, folder: Path, template: str, values: Mapping[str, str]) -> None:
        self.folder = folder
        folder.mkdir()
        text = string.Template((FILES / template).read_text()).substitute(values)
        self.configuration = folder / template
        self.configuration.write_text(text)
        self.configuration.chmod(0o600)
        self.owner: str | None = None
        if os.geteuid() == 0:
            self.owner = USER
            for path in (folder, self.configuration):
                shutil.chown(path, USER, pwd.getpwnam(USER).pw_gid)
        self.popen: subprocess.Popen[bytes] | None = None

    def run(self, *command: str) -> None:
        with (self.folder / "log").open("ab") as log:
            self.popen = subprocess.Popen(
                [*command, str(self.configuration)],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.owner,
                group=self.owner,
                extra_groups=[] if self.owner else None,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.folder)},
            )

    def kill(self) -> None:
        """SIGKILL."""
        if self.popen is not None:
            self.popen.kill()
            self.popen.wait()

    def said(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-2000:]


class Etcd(Service):
    def __init__(self, folder: Path) -> None:
        self.port, peer = free_port(), free_port()
        super().__init__(
            folder,
            "etcd.yml",
            {
                "NAME": "one",
                "ADDRESS": "127.0.0.1",
                "CLIENT_PORT": str(self.port),
                "PEER_PORT": str(peer),
                "CLUSTER": f"one=http://127.0.0.1:{peer}",
                "DATA": str(folder / "data"),
            },
        )

    def start(self) -> None:
        self.run("etcd", "--config-file")
        address = f"http://127.0.0.1:{self.port}/health"
        eventually(lambda: _status(address) == 200, what="etcd")


class Node(Service):
    """One machine: Patroni and its PostgreSQL."""

    def __init__(self, folder: Path, name: str, etcd: Etcd) -> None:
        self.name = name
        self.port, self.rest = free_port(), free_port()
        self.data = folder / "data"
        super().__init__(
            folder,
            "patroni.yml",
            {
                "NAME": name,
                "ADDRESS": "127.0.0.1",
                "NETWORK": "127.0.0.0/8",
                "PORT": str(self.port),
                "REST_PORT": str(self.rest),
                "ETCD": f"127.0.0.1:{etcd.port}",
                "DATA": str(self.data),
                "SOCKETS": str(folder),
                "SUPERUSER_PASSWORD": PASSWORD,
                "REPLICATOR_PASSWORD": PASSWORD,
                "REWINDER_PASSWORD": PASSWORD,
            },
        )

    def start(self) -> None:
        self.run("patroni")

    def is_(self, role: str) -> bool:
        """Of Patroni's own health checks: `primary`, `synchronous` (a standby that has everything), …"""
        return _status(f"http://127.0.0.1:{self.rest}/{role}") == 200

    def kill(self) -> None:
        """SIGKILL to all of it, as where the machine dies."""
        family = self._family()
        for act in ("suspend", "kill"):  # nobody is to notice that another has gone
            for one in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    getattr(one, act)()
        super().kill()
        psutil.wait_procs(family, timeout=10)

    def freeze(self) -> None:
        """SIGSTOP to PostgreSQL: connected, and silent."""
        for one in self._database():
            one.suspend()

    def thaw(self) -> None:
        """It goes on, without what is on its way to it: that dies with the process that was to receive it."""
        processes = self._database()
        for one in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                if "walreceiver" in " ".join(one.cmdline()):
                    one.kill()
        for one in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.resume()

    def _family(self) -> list[psutil.Process]:
        patroni = []
        if self.popen is not None and self.popen.poll() is None:
            root = psutil.Process(self.popen.pid)
            patroni = [root, *root.children(recursive=True)]
        return [*patroni, *(one for one in self._database() if one not in patroni)]

    def _database(self) -> list[psutil.Process]:
        try:
            server = psutil.Process(int((self.data / "postmaster.pid").read_text().split()[0]))
            if server.name() != "postgres":
                return []
            return [server, *server.children(recursive=True)]
        except (OSError, psutil.NoSuchProcess):
            return []


class Pair:
    """Both machines and etcd."""

    def __init__(self, folder: Path) -> None:
        self.etcd = Etcd(folder / "etcd")
        self.nodes = [Node(folder / name, name, self.etcd) for name in ("one", "two")]

    def start(self) -> None:
        self.etcd.start()
        for node in self.nodes:
            node.start()
        self.wait_until_whole()

    @property
    def leader(self) -> Node:
        return eventually(
            lambda: next((one for one in self.nodes if one.is_("primary")), None),
            seconds=READY_SECONDS,
            what="a leader",
        )

    @property
    def standby(self) -> Node:
        leader = self.leader
        return next(one for one in self.nodes if one is not leader)

    def wait_until_whole(self) -> None:
        """A leader, and a standby that has everything."""
        eventually(
            lambda: (
                any(one.is_("primary") for one in self.nodes)
                and any(one.is_("synchronous") for one in self.nodes)
            ),
            seconds=READY_SECONDS,
            what="a leader with a synchronous standby",
        )

    def url(self, user: str, database: str) -> str:
        """With both servers in it, as Huiyao gets it."""
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in self.nodes)
        return f"postgresql://{user}:{PASSWORD}@{hosts}/{database}?target_session_attrs=read-write"

    def create(self, name: str) -> str:
        """A role and a database of its own; the URL."""
        for statement in (
            f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'",
            f"CREATE DATABASE {name} OWNER {name}",
        ):
            run_apart(_execute(self.url("postgres", "postgres"), statement))
        return self.url(name, name)

    def remove(self) -> None:
        for node in self.nodes:
            node.kill()
        self.etcd.kill()


def _status(address: str) -> int:
    try:
        return httpx.get(address, trust_env=False, timeout=2).status_code
    except httpx.TransportError:
        return 0


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
