"""This installation's database and keys: opened, an embedded one brought to the newest schema, locked, checked."""

import asyncio
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from huiyao import keys
from huiyao.errors import OperatorError, SystemFailure
from huiyao.service import keyring
from huiyao.service.keyring import ANOTHER_KEY, Keyring
from huiyao.settings import Settings
from huiyao.storage import migrate
from huiyao.storage.contract import Storage
from huiyao.storage.key_contract import KEY_CHECK
from huiyao.storage.opening import open_storage

LOCK_PATIENCE_SECONDS: Final = 1.0  # a command may hold the lock for the moment of a migration


class Lock:
    """`<database file>.lock`: whoever holds it is the one process that serves this file, or migrates it.

    The kernel frees it when the process ends, however it ends. On PostgreSQL there is nothing to hold.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Raises OperatorError where another process holds it."""
        if self._settings.embedded:
            self._descriptor = _take(self._settings.database_file)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)


def _take(file: Path) -> int:
    path = file.with_name(f"{file.name}.lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise OperatorError(f"{path} cannot be opened: {error.strerror}.") from error
    until = time.monotonic() + LOCK_PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(descriptor)
                raise OperatorError(
                    f"{file} is in use by another huiyao process; a SQLite file is served by one at a time."
                ) from None
            time.sleep(0.05)
        else:
            return descriptor


async def open_database(settings: Settings, *, locked: bool = False) -> Storage:
    """The database with the newest schema; an embedded one is brought to it. Raises OperatorError.

    `locked`: the caller holds the Lock.
    """
    if settings.embedded and await _outdated(settings):
        if locked:
            await _upgrade(settings)
        else:
            with Lock(settings):
                await _upgrade(settings)
    storage = await open_as_it_is(settings)
    try:
        migrate.check(await version(storage))
    except BaseException:
        await storage.close()
        raise
    return storage


async def open_as_it_is(settings: Settings) -> Storage:
    """The database at whatever schema it has. Raises OperatorError."""
    if settings.embedded and not settings.database_file.exists():
        raise OperatorError(f"There is no database file {settings.database_file}.")
    return await open_storage(settings.database_url, max_waiting=settings.max_waiting)


async def version(storage: Storage) -> str | None:
    """The schema's revision. Raises OperatorError where the database does not answer."""
    try:
        return await storage.schema_version()
    except SystemFailure as error:
        raise OperatorError(
            "The database does not answer or refuses us; check HUIYAO_DATABASE_URL and the database's own log."
        ) from error


async def open_keys(storage: Storage, settings: Settings) -> Keyring:
    """The keys this database belongs to, made now for a new embedded one. Raises OperatorError.

    The first key a database is opened with becomes its own; from then on only that one opens it, and after a rotation
    the new one, and for a while the old one.
    """
    found = await known_keys(storage, settings)
    if found is None:
        made = keys.Keys.from_text(keys.find(settings) or keys.make(keys.key_file(settings)))
        if await storage.keep_setting(KEY_CHECK, made.check) != made.check:
            raise OperatorError(ANOTHER_KEY)
        found = await known_keys(storage, settings)
        assert found is not None
    if found.superseded and settings.key is None:
        found.replace_file(settings)  # a rotation was stopped before it could
    return found


async def known_keys(storage: Storage, settings: Settings) -> Keyring | None:
    """The keys this database belongs to; None where it has none yet. Raises OperatorError."""
    try:
        return await _known_keys(storage, settings)
    except OperatorError:  # a file may have been replaced between the look at it and the one at the database
        return await _known_keys(storage, settings)


async def _known_keys(storage: Storage, settings: Settings) -> Keyring | None:
    text, state = keys.find(settings), await storage.key_state()
    if state.check is None:
        return None
    if text is None:
        raise OperatorError(
            f"The server key {keys.key_file(settings)} is gone; put it back, or set HUIYAO_KEY to it."
        )
    found = keyring.follow(text, state, now=time.time_ns() // 1_000_000)
    return Keyring.opened(storage, settings, found, state)


def upgrade(settings: Settings) -> None:
    """Bring a database to the newest schema. Blocking; the caller holds the Lock. Raises OperatorError."""
    if settings.embedded:
        # Who is invited where is nobody else's business on this machine.
        try:
            os.close(os.open(settings.database_file, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise OperatorError(f"{settings.database_file} cannot be opened: {error.strerror}.") from error
    migrate.upgrade(settings.database_url)


async def _upgrade(settings: Settings) -> None:
    await asyncio.to_thread(upgrade, settings)


async def _outdated(settings: Settings) -> bool:
    """Whether an embedded database is missing or at an older schema than ours."""
    if not settings.database_file.exists():
        return True
    storage = await open_as_it_is(settings)
    try:
        found = await version(storage)
    finally:
        await storage.close()
    return found is None or (found != migrate.newest() and found in migrate.revisions())
