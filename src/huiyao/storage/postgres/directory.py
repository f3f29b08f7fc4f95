"""Organisations, apps and their tokens."""

from typing import Final

import asyncpg

from huiyao import errors
from huiyao.model import App, Generation, Org
from huiyao.storage.contract import Leased
from huiyao.storage.events import CALLBACK_COLUMNS, callback
from huiyao.storage.postgres.connections import Connections

_ORG: Final = "SELECT org_id, name, timezone, closed = 1 FROM org"
_APP: Final = f"""
    SELECT app_id, name, secret, generation, revoked_generation, disabled = 1, callback_url, grants,
        ip_list, api_list, rate, quota,
        ARRAY(SELECT org_id FROM org_app WHERE org_app.app_id = app.app_id ORDER BY org_id),
        (SELECT org_id FROM org_app WHERE org_app.app_id = app.app_id AND is_default = 1 LIMIT 1),
        {CALLBACK_COLUMNS}
    FROM app
"""
_ISSUE: Final = """
    WITH raised AS (UPDATE app SET generation = generation + 1 WHERE app_id = $1 RETURNING generation),
    pruned AS (DELETE FROM token_generation WHERE app_id = $1 AND expires_at <= $2)
    INSERT INTO token_generation (app_id, number, issued_at, expires_at)
    SELECT $1, generation, $2, $3 FROM raised RETURNING number
"""
_PUT_APP: Final = """
    INSERT INTO app
        (app_id, name, secret, generation, revoked_generation, disabled, callback_url, grants,
        ip_list, api_list, rate, quota)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (app_id) DO UPDATE SET name = excluded.name,
        revoked_generation = excluded.revoked_generation, disabled = excluded.disabled,
        callback_url = excluded.callback_url, grants = excluded.grants, ip_list = excluded.ip_list,
        api_list = excluded.api_list, rate = excluded.rate, quota = excluded.quota
"""
# One statement, so that it waits for no answer of ours while it holds the row that every process wants.
_LEASE: Final = """
    WITH old AS (DELETE FROM quota WHERE app_id = $1 AND day < $2 - 30)
    INSERT INTO quota AS held (app_id, day, taken, granted)
    VALUES ($1, $2, least($3::bigint, $4::bigint), least($3::bigint, $4::bigint))
    ON CONFLICT (app_id, day) DO UPDATE SET
        granted = greatest(0, least($3::bigint, $4::bigint - held.taken)),
        taken = held.taken + greatest(0, least($3::bigint, $4::bigint - held.taken))
    RETURNING granted, taken
"""
_GRANT: Final = "INSERT INTO org_app (org_id, app_id, is_default) VALUES ($1, $2, $3)"


class Directory:
    """The part of the storage that knows organisations and apps."""

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
                ",".join(app.ip_list),
                ",".join(sorted(app.api_list)),
                app.rate,
                app.quota,
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

    async def lease_quota(self, app_id: int, *, day: int, want: int, quota: int) -> Leased:
        row = await self._reads.fetch_row(_LEASE, app_id, day, want, quota)
        assert row is not None  # either way there is a row
        return Leased(*row)


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
        callback=callback(tuple(row)[14:]),
        grants=frozenset(row[7].split(",")) if row[7] else frozenset(),
        ip_list=tuple(row[8].split(",")) if row[8] else (),
        api_list=frozenset(row[9].split(",")) if row[9] else frozenset(),
        rate=row[10],
        quota=row[11],
        orgs=tuple(row[12]),
        default_org=row[13],
    )
