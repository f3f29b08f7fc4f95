"""What was changed: the organisation's feed of it, ordered by (xid, id) and read below the horizon, and one meeting's.

What stands on something else stands behind it: of one meeting, `write` commits no update before an answer it resets.
"""

from typing import Final

from huiyao.storage.contract import START, ChangesPage, HistoryPage, Position
from huiyao.storage.history import CHANGE, ENTRY, changes_page, history_page
from huiyao.storage.postgres import inbox
from huiyao.storage.postgres.connections import Connections

# One statement, so that meetings are as they are at the horizon or later: never older than an entry shown.
_CHANGES: Final = f"""
    SELECT {CHANGE}
    FROM (
        SELECT org_id, xid, id, meeting_id, kind, actor_uid, at FROM history
        WHERE org_id = $1 AND (xid, id) > ($2, $3) AND {inbox.SETTLED} AND kind <> 'missed'
        ORDER BY xid, id LIMIT $4
    ) AS h
    JOIN meeting m ON m.org_id = h.org_id AND m.id = h.meeting_id
    LEFT JOIN attendee a ON a.org_id = h.org_id AND a.meeting_id = h.meeting_id AND a.uid = h.actor_uid
        AND a.removed_at IS NULL
    ORDER BY h.xid, h.id
"""
_HISTORY: Final = f"""
    SELECT {ENTRY} FROM history
    WHERE org_id = $1 AND meeting_id = $2 AND (xid, id) > ($3, $4) ORDER BY xid, id LIMIT $5
"""


class History:
    """The part of the storage that knows what was changed."""

    _reads: Connections

    async def changes(self, org_id: int, *, after: Position | None, size: int) -> ChangesPage:
        start = after or START
        return changes_page(await self._reads.fetch(_CHANGES, org_id, start.xid, start.id, size), start)

    async def history(
        self, org_id: int, meeting_id: int, *, after: Position | None, size: int
    ) -> HistoryPage:
        start = after or START
        found = await self._reads.fetch(_HISTORY, org_id, meeting_id, start.xid, start.id, size)
        return history_page(found, start)
