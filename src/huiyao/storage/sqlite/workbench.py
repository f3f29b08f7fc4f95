"""A person's cards, by shelf, in a calendar and as a list; when people are engaged; who a link is of.

What has to count or look through thousands of rows leaves the event loop; everything else is read on it.
"""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final

from huiyao.model import Attendee, Card, Engagement, Meeting
from huiyao.storage import workbench as shared
from huiyao.storage.contract import CardsWanted, Place, Shelf
from huiyao.storage.sqlite import rows
from huiyao.storage.sqlite.reads import apart, snapshot

MOST_ROWS: Final = 2000  # to be read on the event loop

_NAMES: Final = {
    name: f":{name}"
    for name in (
        *(
            "org_id",
            "uid",
            "now",
            "early",
            "begin_at",
            "end_at",
            "meeting_id",
            "near_begin_at",
            "near_meeting_id",
        ),
        *("below", "organizer_from", "organizer_to", "status_from", "status_to", "size"),
    )
}
# Left to itself the planner may look for the few long ones among all cards; and with statistics, for anything in
# another order. CROSS JOIN keeps the order: the index first, then what belongs to each of its entries.
_NEAR: Final = "attendee c INDEXED BY ix_attendee_card"
_LONG: Final = "attendee c INDEXED BY ix_attendee_long"
_MEETING: Final = "CROSS JOIN meeting m ON m.org_id = c.org_id AND m.id = c.meeting_id"
_ME: Final = "CROSS JOIN attendee a ON a.org_id = c.org_id AND a.meeting_id = c.meeting_id AND a.uid = c.uid"


def _page(table: str, condition: str, order: str) -> str:
    where = condition.format(**_NAMES)
    return (
        f"SELECT {rows.MEETING}, {rows.ATTENDEE} FROM {table} {_MEETING} {_ME}"
        f" WHERE {where} ORDER BY {order} LIMIT :size"
    )


def _engaged(table: str, condition: str) -> str:
    return (
        "SELECT c.uid, c.begin_at, c.end_at, c.meeting_id, c.organizer, c.msg_status"
        f" FROM {table} {_MEETING} WHERE {condition.format(**_NAMES)}"
    )


def _wanted(table: str, condition: str) -> str:
    # An organizer's row has an answer to be asked for only where they are on the list themselves.
    listed = (
        "(:any OR c.organizer = 0 OR EXISTS (SELECT 1 FROM attendee l WHERE l.org_id = c.org_id"
        " AND l.meeting_id = c.meeting_id AND l.uid = c.uid AND l.position >= 0))"
    )
    return f"SELECT c.meeting_id FROM {table} WHERE {condition.format(**_NAMES)} AND {listed}"


NEAR: Final = {shelf: _page(_NEAR, one, shared.RISING) for shelf, one in shared.NEAR.items()}
LONG: Final = {shelf: _page(_LONG, one, shared.RISING_LONG) for shelf, one in shared.LONG.items()}
BACKWARDS: Final = {shelf: _page(_NEAR, one, shared.FALLING) for shelf, one in shared.BACKWARDS.items()}
CALENDAR_NEAR: Final = _page(_NEAR, shared.CALENDAR_NEAR, shared.RISING)
CALENDAR_LONG: Final = _page(_LONG, shared.CALENDAR_LONG, shared.RISING_LONG)
WAITING: Final = f"""
    SELECT count(*) FROM (
        SELECT 1 FROM {_NEAR} {_MEETING} WHERE {shared.NEAR[Shelf.WAITING].format(**_NAMES)}
        UNION ALL
        SELECT 1 FROM {_LONG} {_MEETING} WHERE {shared.LONG[Shelf.WAITING].format(**_NAMES)}
        LIMIT :size
    )
"""
ENGAGED: Final = f"""
    {_engaged(_NEAR, shared.ENGAGED_NEAR)} UNION ALL {_engaged(_LONG, shared.ENGAGED_LONG)} LIMIT :size
"""
CARDS: Final = f"""
    SELECT {rows.MEETING}, {rows.ATTENDEE} FROM (
        {_wanted(_NEAR, shared.WANTED_NEAR)} UNION ALL {_wanted(_LONG, shared.WANTED_LONG)}
        ORDER BY 1 DESC LIMIT :size
    ) c
    CROSS JOIN meeting m ON m.org_id = :org_id AND m.id = c.meeting_id
    CROSS JOIN attendee a ON a.org_id = :org_id AND a.meeting_id = c.meeting_id AND a.uid = :uid
    ORDER BY c.meeting_id DESC
"""
COUNT: Final = f"""
    SELECT coalesce(sum(msg_status = 2), 0), coalesce(sum(msg_status = 3), 0), coalesce(sum(msg_status < 2), 0)
    FROM attendee WHERE org_id = ? AND meeting_id = ? AND {shared.LISTED}
"""
_SIZE: Final = "SELECT size FROM meeting WHERE org_id = ? AND id = ?"
LINKED: Final = f"""
    SELECT {rows.MEETING}, {rows.ATTENDEE} FROM attendee a CROSS JOIN meeting m
        ON m.org_id = a.org_id AND m.id = a.meeting_id
    WHERE a.org_id = ? AND a.meeting_id = ? AND a.link_id = ?
"""
_WIDTH: Final = len(rows.MEETING_FIELDS)


class Workbench:
    """The part of the storage that shows people their meetings."""

    _path: str
    _reader: sqlite3.Connection

    async def shelf(
        self, org_id: int, uid: str, shelf: Shelf, *, now: int, after: Place | None, size: int
    ) -> list[Card]:
        whose = {"org_id": org_id, "uid": uid, "size": size}
        if shelf in BACKWARDS:
            return await self._cards([BACKWARDS[shelf]], whose | shared.falling(shelf, now, after))
        return await self._cards([LONG[shelf], NEAR[shelf]], whose | shared.rising(now, after))

    async def waiting(self, org_id: int, uid: str, *, now: int, at_most: int) -> int:
        values = {"org_id": org_id, "uid": uid, "size": at_most, **shared.rising(now, None)}
        with snapshot(self._reader) as reader:
            return int(reader.execute(WAITING, values).fetchone()[0])

    async def calendar(self, org_id: int, uid: str, *, begin_at: int, end_at: int, size: int) -> list[Card]:
        values = {"org_id": org_id, "uid": uid, "size": size, **shared.window(begin_at, end_at)}
        return await self._cards([CALENDAR_LONG, CALENDAR_NEAR], values)

    async def cards(self, org_id: int, uid: str, wanted: CardsWanted) -> list[tuple[Meeting, Attendee]]:
        values = {"org_id": org_id, "uid": uid, **shared.wanted(wanted)}
        with snapshot(self._reader) as reader:
            return list(map(_pair, reader.execute(CARDS, values)))

    async def engagements(
        self, org_id: int, uids: Sequence[str], *, begin_at: int, end_at: int
    ) -> list[Engagement]:
        asked = sorted(set(uids))
        values = {"org_id": org_id, **shared.window(begin_at, end_at)}
        found: list[Engagement] = []
        with snapshot(self._reader) as reader:
            for uid in asked:
                found += _engagements(reader, values | {"uid": uid}, at_most=MOST_ROWS - len(found))
                if len(found) == MOST_ROWS:
                    break
            else:
                return found
        return await asyncio.to_thread(self._all_engagements, asked, values)

    async def linked(self, org_id: int, meeting_id: int, link_id: int) -> tuple[Meeting, Attendee] | None:
        key = (org_id, meeting_id, link_id)
        with snapshot(self._reader) as reader:
            size = reader.execute(_SIZE, key[:2]).fetchone()
            if size is None:
                return None
            if size[0] <= MOST_ROWS:
                return _linked(reader, key)
        return await asyncio.to_thread(self._linked, key)

    async def _cards(self, statements: Sequence[str], values: Mapping[str, Any]) -> list[Card]:
        with snapshot(self._reader) as reader:
            found = _page_of(reader, statements, values)
            if sum(meeting.size for meeting, _ in found) <= MOST_ROWS:
                return _counted(reader, found)
        return await asyncio.to_thread(self._large_cards, statements, values)

    def _large_cards(self, statements: Sequence[str], values: Mapping[str, Any]) -> list[Card]:
        with apart(self._path) as reader:
            return _counted(reader, _page_of(reader, statements, values))

    def _all_engagements(self, uids: Sequence[str], values: Mapping[str, Any]) -> list[Engagement]:
        with apart(self._path) as reader:
            return [one for uid in uids for one in _engagements(reader, {**values, "uid": uid}, at_most=-1)]

    def _linked(self, key: tuple[int, int, int]) -> tuple[Meeting, Attendee] | None:
        with apart(self._path) as reader:
            return _linked(reader, key)


def _pair(row: Sequence[Any]) -> tuple[Meeting, Attendee]:
    return rows.meeting(row[:_WIDTH]), rows.attendee(row[_WIDTH:])


def _page_of(
    reader: sqlite3.Connection, statements: Sequence[str], values: Mapping[str, Any]
) -> list[tuple[Meeting, Attendee]]:
    """The first so many rows of the statements one after the other."""
    size = values["size"]
    found: list[tuple[Meeting, Attendee]] = []
    for statement in statements:
        if len(found) < size:
            found += map(_pair, reader.execute(statement, {**values, "size": size - len(found)}))
    return found


def _counted(reader: sqlite3.Connection, found: Sequence[tuple[Meeting, Attendee]]) -> list[Card]:
    cards = []
    for meeting, me in found:
        accepted, declined, waiting = reader.execute(COUNT, (meeting.org_id, meeting.id)).fetchone()
        cards.append(Card(meeting=meeting, me=me, accepted=accepted, declined=declined, waiting=waiting))
    return cards


def _engagements(reader: sqlite3.Connection, values: Mapping[str, Any], *, at_most: int) -> list[Engagement]:
    """One person's, in order; negative: all of them."""
    found = [
        Engagement(row[0], row[1], row[2], row[3], row[4] == 1, row[5])
        for row in reader.execute(ENGAGED, {**values, "size": at_most})
    ]
    return sorted(found)


def _linked(reader: sqlite3.Connection, key: tuple[int, int, int]) -> tuple[Meeting, Attendee] | None:
    row = reader.execute(LINKED, key).fetchone()
    return _pair(row) if row else None
