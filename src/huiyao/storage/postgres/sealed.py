"""The server key's state, and what is sealed with it.

Whoever writes something sealed locks the key's row first, shared; a rotation locks it alone, then every app.
"""

from collections.abc import Iterable
from typing import Any, Final

from huiyao.model import Callback
from huiyao.storage import events as shared
from huiyao.storage.key_contract import FORMER_KEYS, KEY_CHECK, KeyState, Reseal
from huiyao.storage.postgres.connections import Connection, Connections

_STATE: Final = "SELECT name, value FROM setting WHERE name IN ($1, $2)"
_LOCK_KEY: Final = "SELECT value FROM setting WHERE name = $1 FOR UPDATE"
_SHARE_KEY: Final = "SELECT value FROM setting WHERE name = $1 FOR SHARE"
_PUT_SETTING: Final = """
    INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""
# Not FOR UPDATE, for which a grant's foreign key would wait.
_SEALED: Final = """
    SELECT app_id, secret, callback_secret, callback_old_secret FROM app ORDER BY app_id FOR NO KEY UPDATE
"""
_RESEAL: Final = """
    UPDATE app SET secret = $2, callback_secret = $3, callback_old_secret = $4 WHERE app_id = $1
"""
_PUT_CALLBACK: Final = """
    UPDATE app SET callback_url = $2, callback_style = $3, callback_secret = $4, callback_old_secret = $5,
        callback_old_until = $6, callback_gone_at = $7 WHERE app_id = $1
"""


class Sealed:
    """The part of the storage that the server key seals."""

    _reads: Connections

    async def key_state(self) -> KeyState:
        return _state_of(await self._reads.fetch(_STATE, KEY_CHECK, FORMER_KEYS))

    async def last_expiry(self) -> int:
        row = await self._reads.fetch_row("SELECT max(expires_at) FROM token_generation")
        return row[0] or 0 if row else 0

    async def rotate_key(self, *, known: KeyState, then: KeyState, reseal: Reseal) -> bool:
        async with self._reads.transaction() as connection:
            if await _locked_state(connection) != known:
                return False
            fresh = [
                (app_id, *(None if one is None else reseal(app_id, one) for one in sealed))
                for app_id, *sealed in await connection.fetch(_SEALED)
            ]
            await connection.executemany(_RESEAL, fresh)
            await connection.execute(_PUT_SETTING, KEY_CHECK, then.check)
            await connection.execute(_PUT_SETTING, FORMER_KEYS, then.former)
        return True

    async def put_former_keys(self, *, known: KeyState, former: str) -> bool:
        async with self._reads.transaction() as connection:
            if await _locked_state(connection) != known:
                return False
            await connection.execute(_PUT_SETTING, FORMER_KEYS, former)
        return True

    async def put_secret(self, app_id: int, sealed: bytes, *, check: str) -> bool:
        return await self._put(check, "UPDATE app SET secret = $2 WHERE app_id = $1", app_id, sealed)

    async def put_callback(self, app_id: int, url: str, callback: Callback | None, *, check: str) -> bool:
        values = (app_id, url, *shared.callback_values(callback))
        return await self._put(check if callback else None, _PUT_CALLBACK, *values)

    async def _put(self, check: str | None, statement: str, *values: object) -> bool:
        """`check`: of the key that the database must still have; None: there is nothing sealed in it."""
        async with self._reads.transaction() as connection:
            if check is not None:
                row = await connection.fetchrow(_SHARE_KEY, KEY_CHECK)
                if row is not None and row[0] != check:
                    return False
            await connection.execute(statement, *values)
        return True


async def _locked_state(connection: Connection) -> KeyState:
    await connection.fetch(_LOCK_KEY, KEY_CHECK)
    return _state_of(await connection.fetch(_STATE, KEY_CHECK, FORMER_KEYS))


def _state_of(rows: Iterable[Any]) -> KeyState:
    found = dict(rows)
    return KeyState(found.get(KEY_CHECK), found.get(FORMER_KEYS, ""))
