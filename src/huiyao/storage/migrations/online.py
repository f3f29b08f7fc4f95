"""Changing large tables on PostgreSQL while others read them: no lock that readers wait for is held for long.

What stands here commits statement by statement, so a migration that uses it must bear being begun again in its midst.
"""

import time
from typing import Any, Final

import sqlalchemy as sa
import structlog
from alembic import op
from sqlalchemy.exc import DBAPIError

PATIENCE_SECONDS: Final = 600.0
PAUSE_SECONDS: Final = 0.2  # those who waited behind us get their turn
ROWS_AT_ONCE: Final = 1000  # of the table that is walked through
_LOCK_NOT_AVAILABLE: Final = "55P03"

log = structlog.get_logger(__name__)


def briefly(statement: str) -> None:
    """Run a statement that locks out readers, once its lock is to be had within half a second. Others wait as long."""
    until = time.monotonic() + PATIENCE_SECONDS
    op.execute("SET lock_timeout = '500ms'")
    try:
        while True:
            try:
                return op.execute(statement)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE or time.monotonic() > until:
                    raise
                log.info("migration waits for a lock")
                time.sleep(PAUSE_SECONDS)
    finally:
        op.execute("RESET lock_timeout")


def index(name: str, table: str, definition: str, *, unique: bool = False) -> None:
    """Make an index while the table is read and written. What an attempt that broke off left of it goes first."""
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    op.execute(f"CREATE {'UNIQUE ' if unique else ''}INDEX CONCURRENTLY {name} ON {table} {definition}")


def page_by_page(statement: str, *, table: str, key: tuple[str, str]) -> None:
    """Run a statement for all rows of a table, in transactions of a thousand: those with
    (:a, :b) < key <= (:c, :d)."""
    connection = op.get_bind()
    columns = ", ".join(key)
    newest = sa.text(
        f"SELECT {columns} FROM (SELECT {columns} FROM {table} WHERE ({columns}) > (:a, :b)"
        f" ORDER BY {columns} LIMIT {ROWS_AT_ONCE}) AS page ORDER BY {key[0]} DESC, {key[1]} DESC LIMIT 1"
    )
    place: tuple[Any, Any] = (0, 0)
    while found := connection.execute(newest, {"a": place[0], "b": place[1]}).first():
        values = {"a": place[0], "b": place[1], "c": found[0], "d": found[1]}
        connection.execute(sa.text(statement), values)
        place = (found[0], found[1])
