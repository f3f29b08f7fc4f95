"""Runs Alembic over the numbered migrations."""

import asyncio
from pathlib import Path
from typing import Final

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from asyncpg.connect_utils import SessionAttribute
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from huiyao.errors import OperatorError
from huiyao.storage import migrate

LOCK: Final = 4855
LOOK_SECONDS: Final = 0.1


def upgrade(url: str, revision: str = "head") -> None:
    """To the newest revision, or to another one that is ahead. Raises OperatorError.

    On SQLite in one transaction. On PostgreSQL it may break off in the midst, and is then begun again where it was.
    """
    try:
        if url.startswith("sqlite:"):
            _upgrade_sqlite(url, revision)
        else:
            asyncio.run(_upgrade_postgres(url, revision))
    except (DBAPIError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise OperatorError(f"The database cannot be migrated: {reason}") from error


def _upgrade_sqlite(url: str, revision: str) -> None:
    engine = create_engine(url, poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # Python's sqlite3 would otherwise commit before every CREATE TABLE, and a failure leave half a schema.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA busy_timeout = 10000")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with engine.begin() as connection:
        _check(connection)
        _run(connection, revision)
    engine.dispose()


async def _upgrade_postgres(url: str, revision: str) -> None:
    # asyncpg reads the URL itself, as everywhere else: SQLAlchemy knows neither sslmode nor several hosts.
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: asyncpg.connect(url, target_session_attrs=SessionAttribute.read_write),
        poolclass=NullPool,
    )
    try:
        async with engine.connect() as lock, engine.connect() as connection:
            # Two nodes that migrate at once would both start from the same revision. Asked for again and again: a
            # statement that waits for the lock has a snapshot, for whose end the making of an index would wait.
            while not (await lock.exec_driver_sql(f"SELECT pg_try_advisory_lock({LOCK})")).scalar():
                await lock.rollback()
                await asyncio.sleep(LOOK_SECONDS)
            await lock.commit()  # the session keeps it
            await connection.run_sync(_check)
            await connection.rollback()  # each migration has a transaction of its own
            await connection.run_sync(_run, revision)
            await connection.commit()
    finally:
        await engine.dispose()


def _check(connection: Connection) -> None:
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in migrate.revisions():
        migrate.check(found)


def _run(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
