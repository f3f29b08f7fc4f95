"""A person's in-app inbox: a feed ordered by (xid, id).

A row is shown only below the oldest transaction still running: an earlier one that commits late can then never
appear behind a reader's cursor.
"""

from typing import Final

from huiyao.model import Message
from huiyao.storage.contract import InboxPage, Position
from huiyao.storage.postgres.connections import Connections

SETTLED: Final = "xid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_MINE: Final = f"org_id = $1 AND uid = $2 AND {SETTLED}"
_PAGE: Final = f"""
    SELECT unread.number, page.*
    FROM (SELECT count(*) AS number FROM message WHERE {_MINE} AND read_at IS NULL) AS unread
    LEFT JOIN LATERAL (
        SELECT id, meeting_id, kind, params, created_at, read_at, xid FROM message
        WHERE {_MINE} {{condition}} ORDER BY {{order}} LIMIT $3
    ) AS page ON true
    ORDER BY page.xid, page.id
"""
_NEWEST: Final = _PAGE.format(condition="", order="xid DESC, id DESC")
_BEHIND: Final = _PAGE.format(condition="AND (xid, id) > ($4, $5)", order="xid, id")
_READ: Final = """
    WITH mark AS (SELECT xid, id FROM message WHERE org_id = $1 AND uid = $2 AND id = $3),
    marked AS (
        UPDATE message m SET read_at = $4 FROM mark
        WHERE m.org_id = $1 AND m.uid = $2 AND (m.xid, m.id) <= (mark.xid, mark.id) AND m.read_at IS NULL
    )
    SELECT FROM mark
"""
_READ_OF_MEETING: Final = """
    UPDATE message SET read_at = $4 WHERE org_id = $1 AND meeting_id = $2 AND uid = $3 AND read_at IS NULL
    RETURNING id
"""


class Inbox:
    """The part of the storage that keeps inboxes."""

    _reads: Connections

    async def inbox(self, org_id: int, uid: str, *, after: Position | None, size: int) -> InboxPage:
        if after is None:
            found = await self._reads.fetch(_NEWEST, org_id, uid, size)
        else:
            found = await self._reads.fetch(_BEHIND, org_id, uid, size, after.xid, after.id)
        messages = tuple(
            Message(
                id=row[1], meeting_id=row[2], kind=row[3], params=row[4], created_at=row[5], read_at=row[6]
            )
            for row in found
            if row[1] is not None
        )
        end = Position(found[-1][7], found[-1][1]) if messages else after or Position(0, 0)
        return InboxPage(messages, found[0][0], end, tuple(row[7] for row in found) if messages else ())

    async def mark_inbox_read(self, org_id: int, uid: str, *, message_id: int, now: int) -> bool:
        return bool(await self._reads.fetch(_READ, org_id, uid, message_id, now))

    async def mark_meeting_read(self, org_id: int, uid: str, meeting_id: int, *, now: int) -> int:
        return len(await self._reads.fetch(_READ_OF_MEETING, org_id, meeting_id, uid, now))
