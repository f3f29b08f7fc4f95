"""The server key's state, and what is sealed with it."""

import sqlite3
from typing import Final

from huiyao.model import Callback
from huiyao.storage import events as shared
from huiyao.storage.key_contract import FORMER_KEYS, KEY_CHECK, KeyState, Reseal
from huiyao.storage.sqlite.reads import snapshot
from huiyao.storage.sqlite.writer import Writer

_STATE: Final = "SELECT name, value FROM setting WHERE name IN (?, ?)"
_PUT_SETTING: Final = (
    "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
)
_SEALED: Final = "SELECT app_id, secret, callback_secret, callback_old_secret FROM app"
_RESEAL: Final = "UPDATE app SET secret = ?, callback_secret = ?, callback_old_secret = ? WHERE app_id = ?"
_PUT_CALLBACK: Final = """
    UPDATE app SET callback_url = ?, callback_style = ?, callback_secret = ?, callback_old_secret = ?,
        callback_old_until = ?, callback_gone_at = ? WHERE app_id = ?
"""


class Sealed:
    """The part of the storage that the server key seals."""

    _reader: sqlite3.Connection
    _writer: Writer

    async def key_state(self) -> KeyState:
        with snapshot(self._reader) as reader:
            return _state(reader)

    async def last_expiry(self) -> int:
        with snapshot(self._reader) as reader:
            found: int | None = reader.execute("SELECT max(expires_at) FROM token_generation").fetchone()[0]
        return found or 0

    async def rotate_key(self, *, known: KeyState, then: KeyState, reseal: Reseal) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            if _state(connection) != known:
                return False
            for app_id, *sealed in connection.execute(_SEALED).fetchall():
                fresh = [None if one is None else reseal(app_id, one) for one in sealed]
                connection.execute(_RESEAL, (*fresh, app_id))
            connection.execute(_PUT_SETTING, (KEY_CHECK, then.check))
            connection.execute(_PUT_SETTING, (FORMER_KEYS, then.former))
            return True

        return await self._writer.run(work)

    async def put_former_keys(self, *, known: KeyState, former: str) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            if _state(connection) != known:
                return False
            connection.execute(_PUT_SETTING, (FORMER_KEYS, former))
            return True

        return await self._writer.run(work)

    async def put_secret(self, app_id: int, sealed: bytes, *, check: str) -> bool:
        return await self._put("UPDATE app SET secret = ? WHERE app_id = ?", (sealed, app_id), check)

    async def put_callback(self, app_id: int, url: str, callback: Callback | None, *, check: str) -> bool:
        return await self._put(
            _PUT_CALLBACK, (url, *shared.callback_values(callback), app_id), check if callback else None
        )

    async def _put(self, statement: str, values: tuple[object, ...], check: str | None) -> bool:
        """`check`: of the key that the database must still have; None: there is nothing sealed in it."""

        def work(connection: sqlite3.Connection) -> bool:
            if check is not None and _state(connection).check not in (None, check):
                return False
            connection.execute(statement, values)
            return True

        return await self._writer.run(work)


def _state(connection: sqlite3.Connection) -> KeyState:
    found = dict(connection.execute(_STATE, (KEY_CHECK, FORMER_KEYS)).fetchall())
    return KeyState(found.get(KEY_CHECK), found.get(FORMER_KEYS, ""))
