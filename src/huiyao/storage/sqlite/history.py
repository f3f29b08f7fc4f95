"""What was changed: the organisation's feed of it, ordered by (xid, id), and one meeting's."""

import sqlite3
from typing import Final

from huiyao.storage.contract import START, ChangesPage, HistoryPage, Position
from huiyao.storage.history import CHANGE, ENTRY, changes_page, history_page
from huiyao.storage.sqlite.reads import snapshot

# CROSS JOIN keeps the order: entries first, as their index has them, and no further than the page goes.
_CHANGES: Final = f"""
    SELECT {CHANGE}
    FROM history h CROSS JOIN meeting m ON m.org_id = h.org_id AND m.id = h.meeting_id
    LEFT JOIN attendee a ON a.org_id = h.org_id AND a.meeting_id = h.meeting_id AND a.uid = h.actor_uid
        AND a.removed_at IS NULL
    WHERE h.org_id = ? AND (h.xid, h.id) > (?, ?) AND h.kind <> 'missed'
    ORDER BY h.xid, h.id LIMIT ?
"""
_HISTORY: Final = f"""
    SELECT {ENTRY} FROM history
    WHERE org_id = ? AND meeting_id = ? AND (xid, id) > (?, ?) ORDER BY xid, id LIMIT ?
"""


class History:
    """The part of the storage that knows what was changed."""

    _reader: sqlite3.Connection

    async def changes(self, org_id: int, *, after: Position | None, size: int) -> ChangesPage:
        start = after or START
        with snapshot(self._reader) as reader:
            found = reader.execute(_CHANGES, (org_id, start.xid, start.id, size)).fetchall()
        return changes_page(found, start)

    async def history(
        self, org_id: int, meeting_id: int, *, after: Position | None, size: int
    ) -> HistoryPage:
        start = after or START
        with snapshot(self._reader) as reader:
            found = reader.execute(_HISTORY, (org_id, meeting_id, start.xid, start.id, size)).fetchall()
        return history_page(found, start)
