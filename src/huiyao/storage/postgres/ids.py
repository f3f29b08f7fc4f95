"""Ids in blocks from the one sequence that all nodes share."""

from typing import Final

from huiyao import errors
from huiyao.storage.postgres.connections import Connections

_LOCK: Final = 0x48_59_01  # a number that no other advisory lock of ours has
# A sequence gives single numbers; to take a whole block, everyone comes one after the other. `setval` is not undone
# by a rollback and reaches the disk with the commit.
_RESERVE: Final = """
    WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock($1))
    SELECT setval('huiyao_id', nextval('huiyao_id') + $2::bigint - 1) FROM turn
"""
BLOCK: Final = 10_000


async def reserve(connections: Connections, count: int) -> range:
    """`count` ids in a row, rising from one call to the next. Raises SystemFailure."""
    row = await connections.fetch_row(_RESERVE, _LOCK, count)
    if row is None:
        raise errors.SystemFailure
    last: int = row[0]
    return range(last - count + 1, last + 1)


class Ids:
    """Ids for one writer, reserved some in advance."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._block = range(0)

    async def take(self, count: int) -> range:
        """`count` ids in a row; what is left of a block too small is given up."""
        if len(self._block) < count:
            self._block = await reserve(self._connections, max(count, BLOCK))
        taken, self._block = self._block[:count], self._block[count:]
        return taken
