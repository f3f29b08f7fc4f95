"""Writes the events that apps are told of, in the transaction of what they tell.

Writes are serial: ids are in the order in which it happened.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

from huiyao.model import Delivery, EventState
from huiyao.storage import events as shared
from huiyao.storage.sqlite import rows
from huiyao.storage.sqlite.ids import take_ids

_HEARD: Final = f"SELECT 1 FROM app b WHERE b.app_id = ? AND {shared.HEARS.format(org_id='?')}"
_NEW: Final = rows.insert(
    "event", (*shared.NEW_FIELDS, "id", "state", "attempt", "failures", "outcome", "log")
)
_REST: Final = (EventState.PENDING, 0, 0, "", "[]")
# A turn that is there already stays as it is: the new event stands behind the one that has it.
_QUEUE: Final = """
    INSERT INTO event_turn (org_id, meeting_id, app_id, due_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_APP_OF: Final = f"SELECT m.app_id FROM meeting m WHERE m.org_id = ? AND m.id = ? AND {shared.HEARD}"


def heard(connection: sqlite3.Connection, pairs: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Those of the (org, app) where the app is to be told."""
    return {one for one in set(pairs) if connection.execute(_HEARD, (one[1], one[0])).fetchone()}


def write(connection: sqlite3.Connection, found: Sequence[tuple[Any, ...]]) -> None:
    """Events of apps that are to be told, as `shared.new` makes them, in order."""
    if not found:
        return
    first = take_ids(connection, len(found))
    connection.executemany(_NEW, [(*one, number, *_REST) for number, one in enumerate(found, first)])
    connection.executemany(_QUEUE, {(one[0], one[2], one[1], one[-2]) for one in found})


def write_failures(connection: sqlite3.Connection, deliveries: Iterable[Delivery]) -> None:
    """Tell the apps of those that have failed for good."""
    found = []
    for one in shared.failures(deliveries):
        row = connection.execute(_APP_OF, (one.org_id, one.meeting_id)).fetchone()
        if row:
            found.append(shared.failure(one, row[0]))
    write(connection, found)
