"""Organisations, people, apps and their tokens."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from huiyao import errors
from huiyao.model import App, Generation, Org, Person
from huiyao.storage.postgres import rows
from huiyao.storage.postgres.connections import Connections, columns

_ORG: Final = "SELECT org_id, name, timezone, closed = 1 FROM org"
_APP: Final = """
    SELECT app_id, name, secret, generation, revoked_generation, disabled = 1, callback_url, grants,
        ARRAY(SELECT org_id FROM org_app WHERE org_app.app_id = app.app_id ORDER BY org_id),
        (SELECT org_id FROM org_app WHERE org_app.app_id = app.app_id AND is_default = 1 LIMIT 1)
    FROM app
"""
_PERSON_FIELDS: Final = ("org_id", "uid", "name", "mobile", "email", "timezone", "locale")
_IMPORT: Final = f"""
    INSERT INTO person ({", ".join(_PERSON_FIELDS)}) SELECT * FROM {rows.unnest(_PERSON_FIELDS)}
    ON CONFLICT (org_id, uid) DO UPDATE SET
        {", ".join(f"{field} = excluded.{field}" for field in _PERSON_FIELDS[2:])}
"""
_IMPORTED_AT_ONCE: Final = 2_000
SEARCH_SECONDS: Final = 600.0  # looks through all meetings of the organisation
_ISSUE: Final = """
    WITH raised AS (UPDATE app SET generation = generation + 1 WHERE app_id = $1 RETURNING generation),
    pruned AS (DELETE FROM token_generation WHERE app_id = $1 AND expires_at <= $2)
    INSERT INTO token_generation (app_id, number, issued_at, expires_at)
    SELECT $1, generation, $2, $3 FROM raised RETURNING number
"""
_PUT_APP: Final = """
    INSERT INTO app
        (app_id, name, secret, generation, revoked_generation, disabled, callback_url, grants)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (app_id) DO UPDATE SET name = excluded.name, secret = excluded.secret,
        revoked_generation = excluded.revoked_generation, disabled = excluded.disabled,
        callback_url = excluded.callback_url, grants = excluded.grants
"""
_GRANT: Final = "INSERT INTO org_app (org_id, app_id, is_default) VALUES ($1, $2, $3)"
_THEIR_MEETINGS: Final = """
    SELECT m.id FROM meeting m
    WHERE m.org_id = $1
        AND EXISTS (SELECT FROM attendee a WHERE a.org_id = $1 AND a.meeting_id = m.id AND a.uid = $2 OFFSET 0)
    ORDER BY m.id
"""
_ERASE: Final = (
    "DELETE FROM person WHERE org_id = $1 AND uid = $2",
    "DELETE FROM message WHERE org_id = $1 AND uid = $2",
)
# In the order in which acknowledgements lock them.
_ERASE_TEXTS: Final = """
    WITH theirs AS MATERIALIZED (
        SELECT org_id, id FROM delivery WHERE org_id = $1 AND uid = $2 AND sent_at IS NOT NULL
        ORDER BY org_id, id FOR UPDATE
    )
    UPDATE delivery d SET address = '', text = '' FROM theirs WHERE d.org_id = theirs.org_id AND d.id = theirs.id
"""
# Meetings first and in order, like everywhere else.
_LOCK: Final = (
    "SELECT FROM meeting WHERE org_id = $1 AND id = ANY($2::bigint[]) ORDER BY id FOR NO KEY UPDATE"
)
_ERASE_IN_MEETINGS: Final = (
    "UPDATE attendee SET name = '-', reply = '' WHERE org_id = $1 AND uid = $2 AND meeting_id = ANY($3)",
    "UPDATE meeting SET organizer_name = '-' WHERE org_id = $1 AND organizer_uid = $2 AND id = ANY($3)",
    "UPDATE history SET change = '{}'"
    " WHERE org_id = $1 AND actor_uid = $2 AND meeting_id = ANY($3) AND kind = 'responded'",
)
_ERASED_AT_ONCE: Final = 100


class Directory:
    """The part of the storage that knows who there is."""

    _reads: Connections

    async def app(self, app_id: int) -> App | None:
        row = await self._reads.fetch_row(f"{_APP} WHERE app_id = $1", app_id)
        return _app(row) if row else None

    async def apps(self) -> list[App]:
        return [_app(row) for row in await self._reads.fetch(f"{_APP} ORDER BY app_id")]

    async def put_app(self, app: App) -> None:
        async with self._reads.transaction() as connection:
            await connection.execute(
                _PUT_APP,
                app.id,
                app.name,
                app.secret,
                app.generation,
                app.revoked_generation,
                app.disabled,
                app.callback_url,
                ",".join(sorted(app.grants)),
            )
            await connection.execute("DELETE FROM org_app WHERE app_id = $1", app.id)
            granted = [(org_id, app.id, org_id == app.default_org) for org_id in sorted(set(app.orgs))]
            await connection.executemany(_GRANT, granted)

    async def org(self, org_id: int) -> Org | None:
        row = await self._reads.fetch_row(f"{_ORG} WHERE org_id = $1", org_id)
        return _org(row) if row else None

    async def orgs(self) -> list[Org]:
        return [_org(row) for row in await self._reads.fetch(f"{_ORG} ORDER BY org_id")]

    async def put_org(self, org: Org) -> None:
        await self._reads.fetch(
            "INSERT INTO org (org_id, name, timezone, closed) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (org_id) DO UPDATE SET"
            " name = excluded.name, timezone = excluded.timezone, closed = excluded.closed",
            org.id,
            org.name,
            org.timezone,
            org.closed,
        )

    async def person(self, org_id: int, uid: str) -> Person | None:
        row = await self._reads.fetch_row(
            f"SELECT {', '.join(_PERSON_FIELDS)} FROM person WHERE org_id = $1 AND uid = $2", org_id, uid
        )
        return Person(**dict(row)) if row else None

    async def import_people(self, people: Sequence[Person]) -> None:
        # Sorted, so that two who write the same people wait for each other instead of deadlocking.
        newest = {(one.org_id, one.uid): rows.values(one) for one in people}
        given = [newest[key] for key in sorted(newest)]
        async with self._reads.transaction() as connection:
            for start in range(0, len(given), _IMPORTED_AT_ONCE):
                await connection.execute(_IMPORT, *columns(given[start : start + _IMPORTED_AT_ONCE]))

    async def erase_person(self, org_id: int, uid: str) -> bool:
        async with self._reads.transaction() as connection:
            found = await connection.fetch(_THEIR_MEETINGS, org_id, uid, timeout=SEARCH_SECONDS)
            tags = [await connection.execute(statement, org_id, uid) for statement in _ERASE]
        # By itself and behind the person: a sender holds deliveries while it waits for people, and finds nobody now.
        async with self._reads.transaction() as connection:
            tags.append(await connection.execute(_ERASE_TEXTS, org_id, uid))
        meetings = [row[0] for row in found]
        for start in range(0, len(meetings), _ERASED_AT_ONCE):  # a few at a time: others wait for the locks
            some = meetings[start : start + _ERASED_AT_ONCE]
            async with self._reads.transaction() as connection:
                await connection.execute(_LOCK, org_id, some)
                for statement in _ERASE_IN_MEETINGS:
                    await connection.execute(statement, org_id, uid, some)
        return bool(meetings) or any(not tag.endswith(" 0") for tag in tags)

    async def generation(self, app_id: int, number: int) -> Generation | None:
        row = await self._reads.fetch_row(
            "SELECT app_id, number, issued_at, expires_at FROM token_generation"
            " WHERE app_id = $1 AND number = $2",
            app_id,
            number,
        )
        return Generation(**dict(row)) if row else None

    async def issue_generation(self, app_id: int, *, now: int, expires_at: int) -> Generation:
        row = await self._reads.fetch_row(_ISSUE, app_id, now, expires_at)
        if row is None:  # no such app any more
            raise errors.SystemFailure
        return Generation(app_id=app_id, number=row[0], issued_at=now, expires_at=expires_at)


def _org(row: asyncpg.Record) -> Org:
    return Org(id=row[0], name=row[1], timezone=row[2], closed=row[3])


def _app(row: asyncpg.Record) -> App:
    return App(
        id=row[0],
        name=row[1],
        secret=row[2],
        generation=row[3],
        revoked_generation=row[4],
        disabled=row[5],
        callback_url=row[6],
        grants=frozenset(row[7].split(",")) if row[7] else frozenset(),
        orgs=tuple(row[8]),
        default_org=row[9],
    )
