"""Runs Alembic over the numbered migrations."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from huiyao.errors import OperatorError
from huiyao.storage import migrate


def upgrade(url: str) -> None:
    """To the newest revision, in one transaction. Raises OperatorError."""
    try:
        if url.startswith("sqlite:"):
            _upgrade_sqlite(url)
        else:
            asyncio.run(_upgrade_postgres(url))
    except (DBAPIError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise OperatorError(f"The database cannot be migrated: {reason}") from error


def _upgrade_sqlite(url: str) -> None:
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
        _run(connection)
    engine.dispose()


async def _upgrade_postgres(url: str) -> None:
    scheme, rest = url.split("://", maxsplit=1)
    del scheme
    engine = create_async_engine(f"postgresql+asyncpg://{rest}", poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            # Two nodes that migrate at once would both start from the same revision.
            await connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4855)")
            await connection.run_sync(_run)
    finally:
        await engine.dispose()


def _run(connection: Connection) -> None:
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in migrate.revisions():
        migrate.check(found)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
