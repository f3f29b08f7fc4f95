"""Writes the events that apps are told of, in the transaction of what they tell.

Its ids are taken one by one while the meeting is locked, so that of what excludes one another the later gets the higher
one. Turns are locked last of all, in (org, meeting) order.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from huiyao.model import Delivery
from huiyao.storage import events as shared
from huiyao.storage.postgres import rows
from huiyao.storage.postgres.connections import Connection, columns

_HEARD: Final = f"""
    SELECT given.org_id, given.app_id FROM {rows.unnest(("org_id", "app_id"))}
    JOIN app b ON b.app_id = given.app_id WHERE {shared.HEARS.format(org_id="given.org_id")}
"""
# DO UPDATE even where the turn stays as it is: the sender may be deleting that very row, and then this waits and
# inserts.
_WRITE: Final = f"""
    WITH written AS (
        INSERT INTO event ({", ".join(shared.NEW_FIELDS)}, id, state, attempt, failures, outcome, log)
        SELECT given.*, nextval('huiyao_event'), 'pending', 0, 0, '', '[]' FROM {rows.unnest(shared.NEW_FIELDS)}
        RETURNING org_id, meeting_id, app_id, due_at
    )
    INSERT INTO event_turn AS turn (org_id, meeting_id, app_id, due_at)
    SELECT org_id, meeting_id, app_id, min(due_at) FROM written
    GROUP BY org_id, meeting_id, app_id ORDER BY org_id, meeting_id
    ON CONFLICT (org_id, meeting_id) DO UPDATE SET due_at = turn.due_at
"""
_APPS: Final = f"""
    SELECT m.org_id, m.id, m.app_id FROM {rows.unnest(("org_id", "id"))}
    JOIN meeting m ON m.org_id = given.org_id AND m.id = given.id WHERE {shared.HEARD}
"""


async def heard(connection: Connection, pairs: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Those of the (org, app) where the app is to be told."""
    asked = sorted(set(pairs))
    if not asked:
        return set()
    return {(row[0], row[1]) for row in await connection.fetch(_HEARD, *columns(asked))}


async def write(connection: Connection, found: Sequence[tuple[Any, ...]]) -> None:
    """Events of apps that are to be told, as `shared.new` makes them, in order."""
    if found:
        await connection.execute(_WRITE, *columns(found))


async def write_failures(connection: Connection, deliveries: Iterable[Delivery]) -> None:
    """Tell the apps of those that have failed for good."""
    failed = shared.failures(deliveries)
    if failed:
        keys = sorted({(one.org_id, one.meeting_id) for one in failed})
        apps = {(row[0], row[1]): row[2] for row in await connection.fetch(_APPS, *columns(keys))}
        await write(
            connection,
            [
                shared.failure(one, apps[one.org_id, one.meeting_id])
                for one in failed
                if (one.org_id, one.meeting_id) in apps
            ],
        )
