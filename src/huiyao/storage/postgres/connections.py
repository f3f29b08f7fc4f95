"""Connections to PostgreSQL: how one is made, which errors mean it is lost, and the few that reads share.

Driver errors become `errors.SystemFailure` here, once.
"""

import asyncio
import traceback
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import structlog

from huiyao import errors

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

ATTEMPT_SECONDS: Final = 2.0  # for one attempt to connect
PATIENCE_SECONDS: Final = 2.0  # for trying again while a server restarts, and for a free connection
PAUSE_SECONDS: Final = 0.05
STATEMENT_SECONDS: Final = 3.0
CLOSE_SECONDS: Final = 1.0
ATTEMPTS: Final = 3  # where the connection is lost each time

# All our statements look up rows by index, in its order. On a young table without statistics the planner would choose,
# and with prepared statements keep, a plan that reads whole tables or sorts all that is due. The time-outs set locks
# free that a frozen node holds.
_SERVER_SETTINGS: Final = {
    "application_name": "huiyao",
    "default_transaction_isolation": "read committed",  # what the guards are written for
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "idle_in_transaction_session_timeout": "10s",
    "jit": "off",
    "lock_timeout": "2s",
}

_REPLANNING: Final = {"plan_cache_mode": "force_custom_plan"}

# Everything the driver raises; asyncio.TimeoutError is TimeoutError, which is an OSError.
DRIVER_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
# The database is away or this connection is of no use any more; nothing is wrong with what was asked.
_LOST: Final = (
    OSError,
    asyncpg.InternalClientError,  # used in the very moment in which it is being lost
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # a primary that was demoted
    asyncpg.TooManyConnectionsError,
)
# Worth the same statements once more (design section 2).
TRANSIENT: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)

log = structlog.get_logger(__name__)


def is_lost(error: BaseException, connection: Connection) -> bool:
    """Whether the connection, rather than the statement, is what failed."""
    return isinstance(error, _LOST) or connection.is_closed()


def facts(error: BaseException) -> dict[str, str]:
    """What may be logged of an error: never its message or detail, which quote the row's texts."""
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "at": f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "",
        "error": type(error).__name__,
        "sqlstate": str(getattr(error, "sqlstate", None) or ""),
        "constraint": str(getattr(error, "constraint_name", None) or ""),
    }


async def connect(url: str, settings: Mapping[str, str] = _SERVER_SETTINGS) -> Connection:
    """One connection, from a single attempt at every server that the URL names. Raises DRIVER_ERRORS."""
    addresses = servers(url)
    if len(addresses) == 1:
        return await _connect(url, settings)
    # At once: one that has died with its machine does not even refuse, and would use up the time of the others.
    attempts = [asyncio.create_task(_connect(one, settings)) for one in addresses]
    taken: Connection | None = None
    failures: list[BaseException] = []
    try:
        for attempt in asyncio.as_completed(attempts):
            try:
                taken = await attempt
            except DRIVER_ERRORS as error:
                failures.append(error)
            else:
                return taken
    finally:
        for task in attempts:
            task.cancel()
        for made in await asyncio.gather(*attempts, return_exceptions=True):
            if not isinstance(made, BaseException) and made is not taken:
                made.terminate()
    # Of a wrong password and a server that is away, the password is what somebody can put right.
    raise min(failures, key=lambda error: isinstance(error, _LOST))


def servers(url: str) -> list[str]:
    """A URL for each server named in `postgresql://host:port,host:port/…`: the one that takes writes is meant."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    if "," not in hosts:
        return [url]
    query = parts.query
    if "target_session_attrs=" not in query:
        query = f"{query}{'&' if query else ''}target_session_attrs=read-write"
    return [urlunsplit(parts._replace(netloc=f"{user}{at}{host}", query=query)) for host in hosts.split(",")]


async def _connect(url: str, settings: Mapping[str, str]) -> Connection:
    return await asyncpg.connect(
        url,
        timeout=ATTEMPT_SECONDS,
        command_timeout=STATEMENT_SECONDS,
        server_settings=dict(settings),
        max_cached_statement_lifetime=0,
    )


class Reach:
    """A way to the database for several callers, which tries again while a server restarts.

    Their patience is one: once it is at its end, those who come while the database is still away get one attempt each,
    so that an outage does not make every call wait.
    """

    def __init__(self, url: str, settings: Mapping[str, str] = _SERVER_SETTINGS) -> None:
        self._url = url
        self._settings = settings
        self._away_since = 0.0  # in the event loop's time
        self._failed_at = -PATIENCE_SECONDS

    async def connect(self) -> Connection:
        """Raises DRIVER_ERRORS."""
        clock = asyncio.get_running_loop()
        while True:
            if clock.time() - self._failed_at >= PATIENCE_SECONDS:
                self._away_since = clock.time()
            try:
                connection = await connect(self._url, self._settings)
            except DRIVER_ERRORS as error:
                self._failed_at = clock.time()
                # A wrong password stays wrong.
                if not isinstance(error, _LOST) or self._failed_at - self._away_since >= PATIENCE_SECONDS:
                    raise
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                self._failed_at = -PATIENCE_SECONDS
                return connection


async def close(connection: Connection) -> None:
    """Say goodbye to the server; where it does not answer, just go."""
    try:
        await connection.close(timeout=CLOSE_SECONDS)
    except DRIVER_ERRORS:
        connection.terminate()


class Connections:
    """A few connections, each used by one statement or transaction at a time, the warmest first.

    asyncpg's own pool costs 35 µs a statement over this (a third of a `detail`), for a proxy and hooks not used here.
    """

    def __init__(self, url: str, size: int, *, replanning: bool = False) -> None:
        """`replanning`: every statement is planned for the tables as they are, for statements of many tables, where a
        plan made while they were empty would be kept.
        """
        self._reach = Reach(url, _SERVER_SETTINGS | (_REPLANNING if replanning else {}))
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(size)
        self._closed = False

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """The rows of one statement, which must bear being run again. Raises SystemFailure."""
        attempts = ATTEMPTS
        while True:
            attempts -= 1
            connection = await self._take()
            try:
                rows = await connection.fetch(query, *arguments)
            except DRIVER_ERRORS as error:
                lost = is_lost(error, connection)
                self._put_back(connection, usable=not lost)
                if lost:
                    # A server that stops ends all of them, and those lying idle may not have heard of it yet.
                    self._let_go()
                again = isinstance(error, TRANSIENT) or (lost and not isinstance(error, TimeoutError))
                if not (again and attempts):
                    raise self.failure(error) from error
            except BaseException:  # the caller was cancelled: the connection is still busy with the statement
                self._put_back(connection, usable=False)
                raise
            else:
                self._put_back(connection)
                return rows

    async def fetch_row(self, query: str, *arguments: object) -> asyncpg.Record | None:
        """The first row, if any. Raises SystemFailure."""
        rows = await self.fetch(query, *arguments)
        return rows[0] if rows else None

    def transaction(self, *, passing: tuple[type[Exception], ...] = ()) -> "Transaction":
        """`async with` it for a connection; what is `passing` is raised as it is, other driver errors translated."""
        return Transaction(self, passing)

    def failure(self, error: BaseException) -> errors.SystemFailure:
        log.error("statement failed", **facts(error))
        return errors.SystemFailure()

    async def close(self) -> None:
        """What is still in use is let go of when it comes back."""
        self._closed = True
        while self._idle:
            await close(self._idle.pop())

    def _let_go(self) -> None:
        while self._idle:
            self._idle.pop().terminate()

    async def _take(self) -> Connection:
        try:
            if self._free.locked():
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._free.acquire()
            else:
                await self._free.acquire()
        except TimeoutError as error:
            raise errors.SystemFailure from error
        try:
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closed():
                    return connection
            return await self._reach.connect()
        except DRIVER_ERRORS as error:
            self._free.release()
            raise self.failure(error) from error
        except BaseException:
            self._free.release()
            raise

    def _put_back(self, connection: Connection, *, usable: bool = True) -> None:
        if usable and not self._closed and not connection.is_closed():
            self._idle.append(connection)
        else:
            connection.terminate()
        self._free.release()


class Transaction:
    """Committed at the end of its block, rolled back by an exception."""

    def __init__(self, connections: Connections, passing: tuple[type[Exception], ...]) -> None:
        self._connections = connections
        self._passing = passing

    async def __aenter__(self) -> Connection:
        for last in (False, True):
            self._connection = await self._connections._take()
            try:
                await self._connection.execute("BEGIN")
            except BaseException as error:
                again = isinstance(error, DRIVER_ERRORS) and is_lost(error, self._connection) and not last
                self._connections._put_back(self._connection, usable=False)
                self._connections._let_go()
                if not again:
                    self._translate(error)
                    raise
            else:
                break
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        usable = False
        try:
            # A connection whose statement was cancelled is still busy with it; the server rolls back when it goes.
            if error is None:
                await self._connection.execute("COMMIT")
                usable = True
            elif not isinstance(error, asyncio.CancelledError | OSError):
                await self._connection.execute("ROLLBACK")
                usable = True
        except DRIVER_ERRORS as failed:
            error = error or failed
        finally:
            self._connections._put_back(self._connection, usable=usable)
        self._translate(error)

    def _translate(self, error: BaseException | None) -> None:
        if isinstance(error, DRIVER_ERRORS) and not isinstance(error, self._passing):
            raise self._connections.failure(error) from error


def columns(rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """Rows, at least one, turned into the columns that `unnest` takes."""
    return list(zip(*rows, strict=True))
