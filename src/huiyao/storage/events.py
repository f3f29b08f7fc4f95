"""What both databases share of events: who hears of them, their rows, and what of a delivery becomes one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from huiyao.model import Callback, CallbackStyle, Delivery, DeliveryState, Event, EventType, Meeting
from huiyao.rules import callbacks
from huiyao.rules.callbacks import RETRIED_MS, Happening
from huiyao.storage.event_contract import EventsWanted

EVENT_FIELDS: Final = Event.__struct_fields__
EVENT: Final = ", ".join(f"e.{field}" for field in EVENT_FIELDS)
# What changes of an event.
CHANGING: Final = (
    "due_at",
    "give_up_at",
    "state",
    "failures",
    "outcome",
    "log",
    "ended_at",
)
# An app b that is to be told of what happens in an organisation.
HEARS: Final = """b.callback_secret IS NOT NULL AND b.callback_url <> '' AND b.callback_gone_at IS NULL
    AND b.disabled = 0 AND EXISTS (
        SELECT 1 FROM org_app g WHERE g.org_id = {org_id} AND g.app_id = b.app_id)"""
# Whether the app of a meeting m is.
HEARD: Final = f"EXISTS (SELECT 1 FROM app b WHERE b.app_id = m.app_id AND {HEARS.format(org_id='m.org_id')})"
NEW_FIELDS: Final = (
    "org_id",
    "app_id",
    "meeting_id",
    "type",
    "sequence",
    "uid",
    "msg_status",
    "reason",
    "at",
    "due_at",
    "give_up_at",
)
_BEHIND_ALL: Final = 1 << 60


def event(row: Sequence[Any]) -> Event:
    """An event from the columns EVENT."""
    return Event(**dict(zip(EVENT_FIELDS, row, strict=True)))


def new(happening: Happening, *, at: int) -> tuple[Any, ...]:
    """The values of NEW_FIELDS."""
    return (*msgspec.structs.astuple(happening), at, at, at + RETRIED_MS)


def reminded(told: Iterable[Sequence[Any]], meetings: Mapping[tuple[int, int], Meeting]) -> list[Happening]:
    """Of those told (org_id, meeting_id, uid, msg_status) who was reminded of these meetings; in the order
    of the meetings, and of a meeting by uid.
    """
    places = {key: place for place, key in enumerate(meetings)}
    found = sorted(
        (places[org_id, meeting_id], uid, msg_status)
        for org_id, meeting_id, uid, msg_status in told
        if (org_id, meeting_id) in places
    )
    listed = list(meetings.values())
    return [callbacks.reminded(listed[place], uid, msg_status) for place, uid, msg_status in found]


def failures(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """Of deliveries just written those of which the app hears: they have failed for good."""
    return [one for one in deliveries if one.state == DeliveryState.FAILED]


def failure(delivery: Delivery, app_id: int) -> tuple[Any, ...]:
    """The event of a delivery that failed for good."""
    at = delivery.ended_at or delivery.created_at
    return new(
        Happening(
            delivery.org_id,
            app_id,
            delivery.meeting_id,
            EventType.FAILED,
            delivery.sequence,
            delivery.uid,
            reason=delivery.reason,
        ),
        at=at,
    )


def conditions(wanted: EventsWanted) -> dict[str, object]:
    """The columns that matter, with their values."""
    names = ("org_id", "app_id", "state", "type", "meeting_id")
    return {name: value for name in names if (value := getattr(wanted, name)) is not None}


def below(wanted: EventsWanted) -> int:
    """Only ids below this."""
    return _BEHIND_ALL if wanted.below is None else wanted.below


CALLBACK_COLUMNS: Final = (
    "callback_style, callback_secret, callback_old_secret, callback_old_until, callback_gone_at"
)


def callback(row: Sequence[Any]) -> Callback | None:
    """How an app's events are signed, from CALLBACK_COLUMNS."""
    style, secret, old_secret, old_until, gone_at = row
    if secret is None:
        return None
    return Callback(style=style, secret=secret, old_secret=old_secret, old_until=old_until, gone_at=gone_at)


def callback_values(callback: Callback | None) -> tuple[Any, ...]:
    """The values of CALLBACK_COLUMNS."""
    if callback is None:
        return (CallbackStyle.PLATFORM, None, None, None, None)
    return (callback.style, callback.secret, callback.old_secret, callback.old_until, callback.gone_at)
