"""What live pages ask: how far the feeds go, and who has something new in them.

The horizon is the oldest transaction still running, as inboxes are read: a row below it is there, and none will come.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from huiyao.storage.contract import SCANNED_ENTRIES, News
from huiyao.storage.postgres.connections import Connections
from huiyao.storage.postgres.signals import FEED, Listener, Notifier

_HORIZON: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
# One key lookup for each of the given; OFFSET 0 keeps the planner from joining the other way round.
_PEOPLE: Final = """
    SELECT given.uid FROM unnest($2::text[]) AS given (uid)
    WHERE EXISTS (
        SELECT FROM message m WHERE m.org_id = $1 AND m.uid = given.uid AND m.xid >= $3 AND m.xid < $4 OFFSET 0
    )
"""
_MEETINGS: Final = (
    "SELECT meeting_id FROM history WHERE org_id = $1 AND xid >= $2 AND xid < $3 AND kind <> 'missed'"
    " ORDER BY xid, id LIMIT $4"
)


class Live:
    """The part of the storage that live pages ask."""

    _url: str
    _reads: Connections
    _notifier: Notifier
    _signalling: list[asyncio.Task[None]]
    _watching: list[Callable[[], None]]

    async def horizon(self) -> int:
        row = await self._reads.fetch_row(_HORIZON)
        assert row
        return int(row[0])

    async def news(
        self, org_id: int, uids: Sequence[str], meetings: Sequence[int], *, since: int, until: int
    ) -> News:
        told = await self._reads.fetch(_PEOPLE, org_id, list(uids), since, until) if uids else []
        changed: frozenset[int] = frozenset()
        if meetings:
            entries = await self._reads.fetch(_MEETINGS, org_id, since, until, SCANNED_ENTRIES + 1)
            changed = frozenset(meetings)
            if len(entries) <= SCANNED_ENTRIES:
                changed &= {entry[0] for entry in entries}
        return News(frozenset(row[0] for row in told), changed)

    async def watch(self, wake: Callable[[], None]) -> None:
        self._watching.append(wake)
        self._signalling.append(asyncio.create_task(Listener(self._url, wake, channel=FEED).run()))

    def _on_feed(self) -> None:
        """Rows of feeds were committed by this process."""
        self._notifier.notify(FEED)
        for wake in self._watching:
            wake()
