"""What both databases share of history: the columns of its two questions, and the pages made of their rows."""

from collections.abc import Sequence
from typing import Any, Final

from huiyao.model import Changed, Entry, Part
from huiyao.storage.contract import ChangesPage, HistoryPage, Position

# h is the entry, m its meeting, a the row of its actor where they have not been removed.
CHANGE: Final = """
    h.xid, h.id, h.meeting_id, h.kind, h.actor_uid, h.at,
    m.organizer_uid, m.push_status, m.sequence, m.begin_at, m.end_at,
    a.uid, CASE WHEN a.position >= 0 THEN a.msg_status END, a.remind, a.card_removed_at
"""
ENTRY: Final = "xid, id, at, app_id, actor_uid, kind, change"


def changes_page(rows: Sequence[Any], start: Position) -> ChangesPage:
    """Of rows of CHANGE, in order."""
    return ChangesPage(tuple(map(_changed, rows)), _end(rows, start))


def history_page(rows: Sequence[Any], start: Position) -> HistoryPage:
    """Of rows of ENTRY, in order."""
    entries = tuple(
        Entry(id=row[1], at=row[2], app_id=row[3], actor_uid=row[4], kind=row[5], change=row[6])
        for row in rows
    )
    return HistoryPage(entries, _end(rows, start))


def _changed(row: Any) -> Changed:
    return Changed(
        id=row[1],
        meeting_id=row[2],
        kind=row[3],
        actor_uid=row[4],
        at=row[5],
        organizer_uid=row[6],
        push_status=row[7],
        sequence=row[8],
        begin_at=row[9],
        end_at=row[10],
        part=None
        if row[11] is None
        else Part(row[12], remind=row[13] == 1, card_removed=row[14] is not None),
    )


def _end(rows: Sequence[Any], start: Position) -> Position:
    return Position(rows[-1][0], rows[-1][1]) if rows else start
