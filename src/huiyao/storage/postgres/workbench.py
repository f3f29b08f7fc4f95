"""A person's cards, by shelf, in a calendar and as a list; when people are engaged; who a link is of.

Each is one statement, one round trip, one snapshot.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from huiyao.model import Attendee, Card, Engagement, Meeting
from huiyao.storage import workbench as shared
from huiyao.storage.contract import CardsWanted, Place, Shelf
from huiyao.storage.postgres import rows
from huiyao.storage.postgres.connections import Connections

# OFFSET 0 keeps the planner from looking meetings and attendees up by the organisation alone, and from beginning there:
# first the person's entries of an index, then only what belongs to those that are given.
_MEETING: Final = """
    CROSS JOIN LATERAL (SELECT push_status FROM meeting WHERE org_id = c.org_id AND id = c.meeting_id OFFSET 0) m
"""
_COUNTS: Final = f"""
    SELECT count(*) FILTER (WHERE msg_status = 2), count(*) FILTER (WHERE msg_status = 3),
        count(*) FILTER (WHERE msg_status < 2)
    FROM attendee WHERE org_id = {{org_id}} AND meeting_id = p.meeting_id AND {shared.LISTED}
"""
_PAGE: Final = f"""
    SELECT {rows.MEETING}, {rows.ATTENDEE}, n.*
    FROM ({{places}}) AS p
    CROSS JOIN LATERAL (SELECT * FROM meeting WHERE org_id = {{org_id}} AND id = p.meeting_id OFFSET 0) m
    CROSS JOIN LATERAL (
        SELECT * FROM attendee WHERE org_id = {{org_id}} AND meeting_id = p.meeting_id AND uid = {{uid}} OFFSET 0
    ) a
    CROSS JOIN LATERAL ({_COUNTS}) AS n (accepted, declined, waiting)
    ORDER BY {{order}}
"""


class _Statement:
    """A statement with its parameters by name, numbered in the order of their first use."""

    def __init__(self, text: str) -> None:
        self._names = list(dict.fromkeys(re.findall(r"\{(\w+)\}", text)))
        types = {"uid": "text", "uids": "text[]", "any": "boolean"}
        self.sql = text.format(
            **{
                name: f"${number}::{types.get(name, 'bigint')}"
                for number, name in enumerate(self._names, start=1)
            }
        )

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        return [values[name] for name in self._names]


def _place(condition: str, order: str) -> str:
    meeting = _MEETING if shared.NOT_CANCELLED in condition else ""
    return (
        f"(SELECT c.begin_at, c.meeting_id FROM attendee c {meeting} WHERE {condition}"
        f" ORDER BY {order} LIMIT {{size}})"
    )


def _rising(near: str, long: str) -> _Statement:
    places = (
        f"{_place(long, shared.RISING_LONG)} UNION ALL {_place(near, shared.RISING)}"
        " ORDER BY begin_at, meeting_id LIMIT {size}"
    )
    return _Statement(_PAGE.replace("{places}", places).replace("{order}", "p.begin_at, p.meeting_id"))


def _falling(condition: str) -> _Statement:
    places = _place(condition, shared.FALLING)
    return _Statement(
        _PAGE.replace("{places}", places).replace("{order}", "p.begin_at DESC, p.meeting_id DESC")
    )


def _wanted(condition: str) -> str:
    # An organizer's row has an answer to be asked for only where they are on the list themselves.
    return f"""SELECT c.meeting_id FROM attendee c WHERE {condition}
        AND ({{any}} OR c.organizer = 0 OR EXISTS (
            SELECT FROM attendee l WHERE l.org_id = c.org_id AND l.meeting_id = c.meeting_id AND l.uid = c.uid
                AND l.position >= 0
            OFFSET 0
        ))"""


def _engaged(condition: str) -> str:
    return f"""SELECT c.uid, c.begin_at, c.end_at, c.meeting_id, c.organizer = 1, c.msg_status
        FROM attendee c {_MEETING} WHERE {condition.replace("{uid}", "asked.uid")}"""


_SHELVES: Final = {
    **{shelf: _rising(shared.NEAR[shelf], shared.LONG[shelf]) for shelf in shared.NEAR},
    **{shelf: _falling(condition) for shelf, condition in shared.BACKWARDS.items()},
}
_CALENDAR: Final = _rising(shared.CALENDAR_NEAR, shared.CALENDAR_LONG)
_WAITING: Final = _Statement(
    f"""
    SELECT count(*) FROM (
        SELECT FROM attendee c {_MEETING} WHERE {shared.NEAR[Shelf.WAITING]}
        UNION ALL
        SELECT FROM attendee c {_MEETING} WHERE {shared.LONG[Shelf.WAITING]}
        LIMIT {{size}}
    ) AS found
    """
)
_CARDS: Final = _Statement(
    f"""
    SELECT {rows.MEETING}, {rows.ATTENDEE}
    FROM (
        {_wanted(shared.WANTED_NEAR)} UNION ALL {_wanted(shared.WANTED_LONG)}
        ORDER BY meeting_id DESC LIMIT {{size}}
    ) AS p
    CROSS JOIN LATERAL (SELECT * FROM meeting WHERE org_id = {{org_id}} AND id = p.meeting_id OFFSET 0) m
    CROSS JOIN LATERAL (
        SELECT * FROM attendee WHERE org_id = {{org_id}} AND meeting_id = p.meeting_id AND uid = {{uid}} OFFSET 0
    ) a
    ORDER BY p.meeting_id DESC
    """
)
_ENGAGEMENTS: Final = _Statement(
    f"""
    SELECT found.* FROM unnest({{uids}}) AS asked (uid) CROSS JOIN LATERAL (
        {_engaged(shared.ENGAGED_NEAR)} UNION ALL {_engaged(shared.ENGAGED_LONG)} OFFSET 0
    ) AS found
    """
)
_LINKED: Final = f"""
    SELECT {rows.MEETING}, {rows.ATTENDEE}
    FROM (SELECT * FROM attendee WHERE org_id = $1 AND meeting_id = $2 AND link_id = $3 OFFSET 0) a
    JOIN meeting m ON m.org_id = $1 AND m.id = $2
"""
_WIDTH: Final = len(rows.MEETING_FIELDS)
_END: Final = _WIDTH + len(rows.ATTENDEE_FIELDS)


class Workbench:
    """The part of the storage that shows people their meetings."""

    _reads: Connections

    async def shelf(
        self, org_id: int, uid: str, shelf: Shelf, *, now: int, after: Place | None, size: int
    ) -> list[Card]:
        whose = {"org_id": org_id, "uid": uid, "size": size}
        place = shared.falling(shelf, now, after) if shelf in shared.BACKWARDS else shared.rising(now, after)
        return list(map(_card, await self._rows(_SHELVES[shelf], whose | place)))

    async def waiting(self, org_id: int, uid: str, *, now: int, at_most: int) -> int:
        values = {"org_id": org_id, "uid": uid, "size": at_most, **shared.rising(now, None)}
        (row,) = await self._rows(_WAITING, values)
        return int(row[0])

    async def calendar(self, org_id: int, uid: str, *, begin_at: int, end_at: int, size: int) -> list[Card]:
        values = {"org_id": org_id, "uid": uid, "size": size, **shared.window(begin_at, end_at)}
        return list(map(_card, await self._rows(_CALENDAR, values)))

    async def cards(self, org_id: int, uid: str, wanted: CardsWanted) -> list[tuple[Meeting, Attendee]]:
        values = {"org_id": org_id, "uid": uid, **shared.wanted(wanted)}
        return list(map(_pair, await self._rows(_CARDS, values)))

    async def engagements(
        self, org_id: int, uids: Sequence[str], *, begin_at: int, end_at: int
    ) -> list[Engagement]:
        values = {"org_id": org_id, "uids": sorted(set(uids)), **shared.window(begin_at, end_at)}
        return sorted(Engagement(*row) for row in await self._rows(_ENGAGEMENTS, values))

    async def linked(self, org_id: int, meeting_id: int, link_id: int) -> tuple[Meeting, Attendee] | None:
        row = await self._reads.fetch_row(_LINKED, org_id, meeting_id, link_id)
        return _pair(tuple(row)) if row else None

    async def _rows(self, statement: _Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return list(map(tuple, await self._reads.fetch(statement.sql, *statement.arguments(values))))


def _pair(row: Sequence[Any]) -> tuple[Meeting, Attendee]:
    return rows.meeting(row[:_WIDTH]), rows.attendee(row[_WIDTH:_END])


def _card(row: Sequence[Any]) -> Card:
    meeting, me = _pair(row)
    accepted, declined, waiting = row[_END:]
    return Card(meeting=meeting, me=me, accepted=accepted, declined=declined, waiting=waiting)
