"""What an operator should know of an installation's state: the findings of `huiyao doctor`."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from huiyao.channels.opening import endpoint, open_sms
from huiyao.errors import OperatorError, SystemFailure
from huiyao.keys import key_file
from huiyao.link import PATH
from huiyao.service import installation
from huiyao.service.caller import Clock
from huiyao.settings import Settings
from huiyao.storage import migrate
from huiyao.storage.contract import Storage
from huiyao.texts.sms import LINK_WIDTH

LINK_CHARACTERS: Final = 35  # of a link's last part, where ids are not the largest there are
REACH_SECONDS: Final = 3.0  # for the SMS gateway to take a connection
LONGEST_ADDRESS: Final = LINK_WIDTH - len(PATH) - LINK_CHARACTERS  # of public_url, with which a text has room
LEAST_FREE_BYTES: Final = 200 * 1024 * 1024
OLDEST_BEAT_MS: Final = 15_000  # of a dispatcher that counts as alive
FARTHEST_AHEAD_MS: Final = 5_000  # a beat later than our own clock: the nodes' clocks differ
EARLIEST_NOW: Final = 1_750_000_000_000  # the program is younger than that; an earlier clock is wrong


class Finding(msgspec.Struct, frozen=True):
    subject: str
    ok: bool
    finding: str


async def examine(settings: Settings, clock: Clock | None = None) -> list[Finding]:
    """Everything that can be looked at; changes nothing."""
    now = (clock or Clock()).now()
    found = [one async for one in _examine_surroundings(settings, now)]
    try:
        storage = await installation.open_as_it_is(settings)
    except OperatorError as error:
        return [*found, Finding("database", False, str(error))]
    try:
        return found + [one async for one in _examine_database(storage, settings, now)]
    finally:
        await storage.close()


async def examine_running(storage: Storage, settings: Settings, *, now: int) -> list[Finding]:
    """The same, by a process that has the database open."""
    found = [one async for one in _examine_surroundings(settings, now)]
    return found + [one async for one in _examine_database(storage, settings, now)]


async def _examine_surroundings(settings: Settings, now: int) -> AsyncIterator[Finding]:
    # The settings were read before we came here; a wrong one would have stopped the command.
    yield Finding("settings", True, "in order")
    sane = now >= EARLIEST_NOW
    yield Finding("clock", sane, "plausible" if sane else "this machine's clock is years behind")
    if settings.embedded:
        yield _disk(settings)
    yield await _sms(settings)


def _disk(settings: Settings) -> Finding:
    try:
        free = shutil.disk_usage(settings.database_file.parent).free
    except OSError as error:
        return Finding("disk", False, f"{settings.database_file.parent} cannot be read: {error.strerror}.")
    return Finding("disk", free >= LEAST_FREE_BYTES, f"{free // (1024 * 1024)} MiB free")


async def _sms(settings: Settings) -> Finding:
    subject = "SMS gateway"
    try:
        # In a thread: a vendor's SDK takes a second to import.
        channel = await asyncio.to_thread(open_sms, settings.sms_url)
    except OperatorError as error:
        return Finding(subject, False, str(error))
    await channel.close()
    where = endpoint(settings.sms_url)
    if where is None:
        return Finding(subject, True, "log: texts are recorded and sent nowhere")
    try:
        async with asyncio.timeout(REACH_SECONDS):
            _, writer = await asyncio.open_connection(*where)
    except OSError:  # a time-out too
        return Finding(subject, False, f"nothing answers at {where[0]} port {where[1]}")
    writer.close()
    if channel.two_way and not settings.public_url:
        return Finding(subject, False, "HUIYAO_PUBLIC_URL is not set: there are neither receipts nor answers")
    if settings.sms_link and not settings.public_url:
        return Finding(subject, False, "HUIYAO_PUBLIC_URL is not set: texts have no link to the invitation")
    if settings.sms_link and len(settings.public_url.rstrip("/")) > LONGEST_ADDRESS:
        fault = (
            f"HUIYAO_PUBLIC_URL has over {LONGEST_ADDRESS} characters: texts have no link to the invitation"
        )
        return Finding(subject, False, fault)
    return Finding(subject, True, f"{channel.gateway} at {where[0]} port {where[1]} can be reached")


def _key(settings: Settings) -> Finding:
    path = key_file(settings) if settings.embedded and settings.key is None else None
    if path is not None and path.exists() and path.stat().st_mode & 0o077:
        return Finding("server key", False, f"others on this machine can read {path}; run chmod 600 on it")
    return Finding("server key", True, "belongs to this database")


async def _examine_database(storage: Storage, settings: Settings, now: int) -> AsyncIterator[Finding]:
    try:
        found = await installation.version(storage)
        yield Finding("database", True, f"{storage.backend} answers")
        migrate.check(found)
        yield Finding("schema", True, f"at {found}, the newest")
    except OperatorError as error:
        yield Finding("schema", False, str(error))
        return
    try:
        await installation.known_keys(storage, settings)
        yield _key(settings)
    except OperatorError as error:
        yield Finding("server key", False, str(error))
    try:
        yield _dispatcher(await storage.last_beat(), now)
        orgs, apps = await storage.orgs(), await storage.apps()
    except SystemFailure as error:
        yield Finding("database", False, str(error))
        return
    yield Finding("organisations", bool(orgs), f"{len(orgs)}" if orgs else "none; `huiyao org add` makes one")
    able = [one for one in apps if one.orgs and not one.disabled]
    yield Finding("apps", bool(able), f"{len(able)} of {len(apps)} enabled with an organisation")


def _dispatcher(beat: int | None, now: int) -> Finding:
    subject = "dispatcher"
    if beat is None:
        return Finding(subject, False, "none has ever run; start `huiyao serve` or `huiyao dispatch`")
    if beat - now > FARTHEST_AHEAD_MS:
        return Finding(subject, False, f"its clock is {(beat - now) // 1000} s ahead of this machine's")
    if now - beat > OLDEST_BEAT_MS:
        return Finding(subject, False, f"last seen {(now - beat) // 1000} s ago; nobody is reminded")
    return Finding(subject, True, "alive")
