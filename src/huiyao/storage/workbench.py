"""What both databases share of the workbench: which cards stand where, and by which index they are found.

c is the person's row as the index ix_attendee_card has it. What goes on at a moment is found in two parts: what began
less than seven days before, by that index, and, by ix_attendee_long, what lasts longer and began earlier still. So
nobody's past is looked through, and all of the second part stands before the first in the order of time.
"""

import os
from typing import Any, Final

from huiyao.model import PushStatus
from huiyao.storage.contract import CardsWanted, Place, Shelf

LONG_MS: Final = 604_800_000  # seven days; a number in an index's condition, so a change is a migration
_FIRST: Final = Place(-(1 << 60), 0)  # before every card, and behind it
_LAST: Final = Place(1 << 60, 1 << 60)

# {names} are each database's own parameters. All of `near` or `long` belongs into one WHERE.
_PERSON: Final = "c.org_id = {org_id} AND c.uid = {uid} AND c.removed_at IS NULL"
_CARDS: Final = f"{_PERSON} AND c.card_removed_at IS NULL"
# "+ 0" where an index is not to be entered by the column: PostgreSQL would take the wrong one.
_LONG: Final = f"c.end_at - c.begin_at > {LONG_MS} AND c.begin_at + 0 < {{early}}"
_BEHIND: Final = "(c.begin_at + 0, c.meeting_id) > ({begin_at}, {meeting_id})"
_NEAR_BEHIND: Final = "(c.begin_at, c.meeting_id) > ({near_begin_at}, {near_meeting_id})"
_BEFORE: Final = "(c.begin_at, c.meeting_id) < ({begin_at}, {meeting_id})"
_NOT_OVER: Final = "c.end_at >= {now}"
_ASKED: Final = "c.organizer = 0 AND c.msg_status < 2"
NOT_CANCELLED: Final = f"m.push_status <> {PushStatus.CANCELLED:d}"
LISTED: Final = "position >= 0 AND removed_at IS NULL"
RISING: Final = "c.begin_at, c.meeting_id"
RISING_LONG: Final = "c.begin_at + 0, c.meeting_id"
FALLING: Final = "c.begin_at DESC, c.meeting_id DESC"

# What is not over; behind one place, for which the index is entered at the later of it and {early} (see `rising`).
_NOT_OVER_SHELVES: Final = {
    Shelf.UPCOMING: f"{_CARDS} AND {_NOT_OVER}",
    Shelf.WAITING: f"{_CARDS} AND {_NOT_OVER} AND {_ASKED} AND {NOT_CANCELLED}",
}
NEAR: Final = {shelf: f"{condition} AND {_NEAR_BEHIND}" for shelf, condition in _NOT_OVER_SHELVES.items()}
LONG: Final = {
    shelf: f"{condition} AND {_LONG} AND {_BEHIND}" for shelf, condition in _NOT_OVER_SHELVES.items()
}
# Of these the last comes first, and there is no second part.
BACKWARDS: Final = {
    Shelf.PAST: f"{_CARDS} AND {_BEFORE} AND c.end_at < {{now}}",
    Shelf.CREATED: f"{_CARDS} AND c.organizer = 1 AND {_BEFORE}",
}
CALENDAR_NEAR: Final = (
    f"{_CARDS} AND c.begin_at >= {{early}} AND c.begin_at < {{end_at}}"
    " AND (c.begin_at >= {begin_at} OR c.end_at > {begin_at})"
)
CALENDAR_LONG: Final = f"{_CARDS} AND {_LONG} AND c.end_at > {{begin_at}}"
ENGAGED_NEAR: Final = (
    f"{_PERSON} AND c.begin_at >= {{early}} AND c.begin_at < {{end_at}} AND c.end_at > {{begin_at}}"
    f" AND c.end_at > c.begin_at AND {NOT_CANCELLED}"
)
ENGAGED_LONG: Final = f"{_PERSON} AND {_LONG} AND c.end_at > {{begin_at}} AND {NOT_CANCELLED}"
_WANTED: Final = (
    f"{_CARDS} AND c.end_at > {{begin_at}} AND c.begin_at < {{end_at}} AND c.meeting_id + 0 < {{below}}"
    " AND c.organizer BETWEEN {organizer_from} AND {organizer_to}"
    " AND c.msg_status BETWEEN {status_from} AND {status_to}"
)
WANTED_NEAR: Final = f"{_WANTED} AND c.begin_at >= {{early}}"
WANTED_LONG: Final = f"{_WANTED} AND {_LONG}"


def rising(now: int, after: Place | None) -> dict[str, int]:
    """The parameters of NEAR and LONG, but for whose."""
    early = now - LONG_MS
    place = after or _FIRST
    near = max(place, Place(early, 0))
    return {
        "now": now,
        "early": early,
        "begin_at": place.begin_at,
        "meeting_id": place.meeting_id,
        "near_begin_at": near.begin_at,
        "near_meeting_id": near.meeting_id,
    }


def falling(shelf: Shelf, now: int, after: Place | None) -> dict[str, int]:
    """The parameters of BACKWARDS, but for whose. What is over began before now."""
    place = min(after or _LAST, Place(now, 0) if shelf == Shelf.PAST else _LAST)
    return {"now": now, "begin_at": place.begin_at, "meeting_id": place.meeting_id}


def window(begin_at: int, end_at: int) -> dict[str, int]:
    """The parameters of CALENDAR_… and ENGAGED_…, but for whose."""
    return {"begin_at": begin_at, "end_at": end_at, "early": begin_at - LONG_MS}


def wanted(cards: CardsWanted) -> dict[str, Any]:
    """The parameters of WANTED_NEAR and WANTED_LONG; what does not matter is a range that holds everything."""
    begin_at = _FIRST.begin_at if cards.begin_at is None else cards.begin_at
    organizer = (0, 1) if cards.organizer is None else (int(cards.organizer),) * 2
    status = (0, 3) if cards.msg_status is None else (cards.msg_status,) * 2
    return {
        **window(begin_at, _LAST.begin_at if cards.end_at is None else cards.end_at),
        "below": _LAST.meeting_id if cards.below is None else cards.below,
        "organizer_from": organizer[0],
        "organizer_to": organizer[1],
        "status_from": status[0],
        "status_to": status[1],
        "any": cards.msg_status is None,
        "size": cards.size,
    }


def link_ids(count: int) -> list[int]:
    """So many random ones: 63 bits, positive."""
    return [number >> 1 or 1 for number in memoryview(os.urandom(8 * count)).cast("Q")]
