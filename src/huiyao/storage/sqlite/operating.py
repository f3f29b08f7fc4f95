"""What operators and tokens need: organisations, apps, generations, heartbeats, backup."""

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from huiyao.errors import OperatorError
from huiyao.model import App, Generation, Org
from huiyao.storage.contract import IDS_AHEAD, Leased, Progress
from huiyao.storage.events import CALLBACK_COLUMNS, callback
from huiyao.storage.sqlite import rows
from huiyao.storage.sqlite.reads import snapshot
from huiyao.storage.sqlite.writer import Writer, connect

DAY_MS: Final = 86_400_000

_ORG: Final = "SELECT org_id, name, timezone, closed FROM org"
_APP: Final = (
    "SELECT app_id, name, secret, generation, revoked_generation, disabled, callback_url, grants,"
    f" ip_list, api_list, rate, quota, {CALLBACK_COLUMNS} FROM app"
)
_PUT_ORG: Final = rows.insert(
    "org",
    ("org_id", "name", "timezone", "closed"),
    "ON CONFLICT DO UPDATE SET name = excluded.name, timezone = excluded.timezone, closed = excluded.closed",
)
_PUT_APP: Final = rows.insert(
    "app",
    (
        *(
            "app_id",
            "name",
            "secret",
            "generation",
            "revoked_generation",
            "disabled",
            "callback_url",
            "grants",
        ),
        *("ip_list", "api_list", "rate", "quota"),
    ),
    "ON CONFLICT DO UPDATE SET name = excluded.name,"
    " revoked_generation = excluded.revoked_generation, disabled = excluded.disabled,"
    " callback_url = excluded.callback_url, grants = excluded.grants, ip_list = excluded.ip_list,"
    " api_list = excluded.api_list, rate = excluded.rate, quota = excluded.quota",
)
_LEASE: Final = rows.insert(
    "quota",
    ("app_id", "day", "taken", "granted"),
    "ON CONFLICT DO UPDATE SET granted = max(0, min(?, ? - taken)), taken = taken + max(0, min(?, ? - taken))"
    " RETURNING granted, taken",
)
QUOTA_DAYS: Final = 30  # how long what was taken is kept


class Operating:
    """The part of the storage that operators and tokens use."""

    _path: str
    _reader: sqlite3.Connection
    _writer: Writer

    async def app(self, app_id: int) -> App | None:
        with snapshot(self._reader) as reader:
            row = reader.execute(f"{_APP} WHERE app_id = ?", (app_id,)).fetchone()
            return _app(reader, row) if row else None

    async def apps(self) -> list[App]:
        with snapshot(self._reader) as reader:
            return [_app(reader, row) for row in reader.execute(f"{_APP} ORDER BY app_id").fetchall()]

    async def put_app(self, app: App) -> None:
        grants = ",".join(sorted(app.grants))
        limits = (",".join(app.ip_list), ",".join(sorted(app.api_list)), app.rate, app.quota)
        values = (app.id, app.name, app.secret, app.generation, app.revoked_generation, app.disabled)

        def put(connection: sqlite3.Connection) -> None:
            connection.execute(_PUT_APP, (*values, app.callback_url, grants, *limits))
            connection.execute("DELETE FROM org_app WHERE app_id = ?", (app.id,))
            connection.executemany(
                "INSERT INTO org_app (org_id, app_id, is_default) VALUES (?, ?, ?)",
                [(org_id, app.id, org_id == app.default_org) for org_id in app.orgs],
            )

        await self._writer.run(put)

    async def org(self, org_id: int) -> Org | None:
        with snapshot(self._reader) as reader:
            row = reader.execute(f"{_ORG} WHERE org_id = ?", (org_id,)).fetchone()
        return _org(row) if row else None

    async def orgs(self) -> list[Org]:
        with snapshot(self._reader) as reader:
            return [_org(row) for row in reader.execute(f"{_ORG} ORDER BY org_id")]

    async def put_org(self, org: Org) -> None:
        values = (org.id, org.name, org.timezone, org.closed)
        await self._writer.run(lambda connection: connection.execute(_PUT_ORG, values))

    async def generation(self, app_id: int, number: int) -> Generation | None:
        with snapshot(self._reader) as reader:
            row = reader.execute(
                "SELECT issued_at, expires_at FROM token_generation WHERE app_id = ? AND number = ?",
                (app_id, number),
            ).fetchone()
        return Generation(app_id=app_id, number=number, issued_at=row[0], expires_at=row[1]) if row else None

    async def issue_generation(self, app_id: int, *, now: int, expires_at: int) -> Generation:
        def issue(connection: sqlite3.Connection) -> int:
            (number,) = connection.execute(
                "UPDATE app SET generation = generation + 1 WHERE app_id = ? RETURNING generation", (app_id,)
            ).fetchone()
            connection.execute(
                "DELETE FROM token_generation WHERE app_id = ? AND expires_at <= ?", (app_id, now)
            )
            connection.execute(
                "INSERT INTO token_generation (app_id, number, issued_at, expires_at) VALUES (?, ?, ?, ?)",
                (app_id, number, now, expires_at),
            )
            return int(number)

        number = await self._writer.run(issue)
        return Generation(app_id=app_id, number=number, issued_at=now, expires_at=expires_at)

    async def lease_quota(self, app_id: int, *, day: int, want: int, quota: int) -> Leased:
        def lease(connection: sqlite3.Connection) -> Leased:
            first = min(want, quota)
            values = (app_id, day, first, first, want, quota, want, quota)
            leased = Leased(*connection.execute(_LEASE, values).fetchone())
            connection.execute("DELETE FROM quota WHERE app_id = ? AND day < ?", (app_id, day - QUOTA_DAYS))
            return leased

        return await self._writer.run(lease)

    async def beat(self, node: str, *, now: int) -> None:
        def beat(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM heartbeat WHERE at < ?", (now - DAY_MS,))
            connection.execute(
                "INSERT INTO heartbeat (node, at) VALUES (?, ?) ON CONFLICT DO UPDATE SET at = excluded.at",
                (node, now),
            )

        await self._writer.run(beat)

    async def last_beat(self) -> int | None:
        with snapshot(self._reader) as reader:
            found: int | None = reader.execute("SELECT max(at) FROM heartbeat").fetchone()[0]
        return found

    async def ping(self) -> None:
        with snapshot(self._reader) as reader:
            reader.execute("SELECT 1").fetchone()

    async def schema_version(self) -> str | None:
        with snapshot(self._reader) as reader:
            if not reader.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
                return None
            row = reader.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else None

    async def setting(self, name: str) -> str | None:
        with snapshot(self._reader) as reader:
            row = reader.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    async def keep_setting(self, name: str, value: str) -> str:
        def keep(connection: sqlite3.Connection) -> str:
            connection.execute(
                "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", (name, value)
            )
            row = connection.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
            return str(row[0])

        return await self._writer.run(keep)

    async def restored(self, *, progress: Progress) -> None:
        await self._writer.run(
            lambda connection: connection.execute("UPDATE counter SET value = value + ?", (IDS_AHEAD,))
        )

    async def backup(self, path: str) -> None:
        await asyncio.to_thread(self._backup, path)

    def _backup(self, path: str) -> None:
        try:
            # For its owner only, as the database itself.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError as error:
            raise OperatorError(
                f"{path} exists already: a backup is never written over another file."
            ) from error
        except OSError as error:
            raise OperatorError(f"{path} cannot be written: {error.strerror}.") from error
        try:
            with closing(connect(self._path)) as source, closing(sqlite3.connect(path)) as target:
                source.backup(target)
        except sqlite3.Error as error:
            Path(path).unlink(missing_ok=True)  # half a copy must not pass for a backup
            raise OperatorError(f"{path} cannot be written: {error}.") from error


def _org(row: Sequence[Any]) -> Org:
    return Org(id=row[0], name=row[1], timezone=row[2], closed=row[3] == 1)


def _app(reader: sqlite3.Connection, row: Sequence[Any]) -> App:
    granted = reader.execute(
        "SELECT org_id, is_default FROM org_app WHERE app_id = ? ORDER BY org_id", (row[0],)
    ).fetchall()
    return App(
        id=row[0],
        name=row[1],
        secret=row[2],
        generation=row[3],
        revoked_generation=row[4],
        disabled=row[5] == 1,
        callback_url=row[6],
        callback=callback(row[12:]),
        orgs=tuple(org_id for org_id, _ in granted),
        default_org=next((org_id for org_id, is_default in granted if is_default), None),
        grants=frozenset(filter(None, row[7].split(","))),
        ip_list=tuple(filter(None, row[8].split(","))),
        api_list=frozenset(filter(None, row[9].split(","))),
        rate=row[10],
        quota=row[11],
    )
