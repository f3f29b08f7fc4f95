"""Ids from the one counter, inside the writer's transaction."""

import sqlite3


def take_ids(connection: sqlite3.Connection, count: int) -> int:
    """The first of `count` ids nobody else gets."""
    (last,) = connection.execute(
        "UPDATE counter SET value = value + ? WHERE name = 'id' RETURNING value", (count,)
    ).fetchone()
    return int(last) - count + 1
