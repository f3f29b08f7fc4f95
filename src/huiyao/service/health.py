"""What an operator should know of an installation's state: the findings of `huiyao doctor`."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from huiyao.channels.opening import endpoint, open_sms
from huiyao.errors import OperatorError, SystemFailure
from huiyao.keys import key_file
from huiyao.link import PATH
from huiyao.model import App
from huiyao.service import installation
from huiyao.service.caller import Clock
from huiyao.service.keyring import KEPT_MS, ONWARD_MS, Keyring
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
LONGEST_WAIT_MS: Final = 900_000  # of an event, before its receiver is worth a look
NAMED: Final = 5  # apps, of many
EARLIEST_NOW: Final = 1_750_000_000_000  # the program is younger than that; an earlier clock is wrong


class Finding(msgspec.Struct, frozen=True):
    """What was found. `words` have places for `facts`, as the pages' catalogue has them in Chinese too."""

    subject: str
    ok: bool
    words: str
    facts: dict[str, object]

    @property
    def finding(self) -> str:
        return self.words % self.facts


def say(subject: str, ok: bool, words: str, **facts: object) -> Finding:
    """`words` stand in the call itself: from here they get into the catalogue."""
    return Finding(subject, ok, words, facts)


async def examine(settings: Settings, clock: Clock | None = None) -> list[Finding]:
    """Everything that can be looked at; changes nothing."""
    now = (clock or Clock()).now()
    found = [one async for one in _examine_surroundings(settings, now)]
    try:
        storage = await installation.open_as_it_is(settings)
    except OperatorError as error:
        return [*found, say("database", False, "%(error)s", error=error)]
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
    yield say("settings", True, "in order")
    if now >= EARLIEST_NOW:
        yield say("clock", True, "plausible")
    else:
        yield say("clock", False, "this machine's clock is years behind")
    if settings.embedded:
        yield _disk(settings)
    yield await _sms(settings)


def _disk(settings: Settings) -> Finding:
    folder = settings.database_file.parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return say("disk", False, "%(folder)s cannot be read: %(error)s", folder=folder, error=error.strerror)
    return say("disk", free >= LEAST_FREE_BYTES, "%(free)s MiB free", free=free // (1024 * 1024))


async def _sms(settings: Settings) -> Finding:
    subject = "SMS gateway"
    try:
        # In a thread: a vendor's SDK takes a second to import.
        channel = await asyncio.to_thread(open_sms, settings.sms_url)
    except OperatorError as error:
        return say(subject, False, "%(error)s", error=error)
    await channel.close()
    where = endpoint(settings.sms_url)
    if where is None:
        return say(subject, True, "log: texts are recorded and sent nowhere")
    host, port = where
    try:
        async with asyncio.timeout(REACH_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:  # a time-out too
        return say(subject, False, "nothing answers at %(host)s port %(port)s", host=host, port=port)
    writer.close()
    if channel.two_way and not settings.public_url:
        return say(subject, False, "HUIYAO_PUBLIC_URL is not set: there are neither receipts nor answers")
    if settings.sms_link and not settings.public_url:
        return say(subject, False, "HUIYAO_PUBLIC_URL is not set: texts have no link to the invitation")
    if settings.sms_link and len(settings.public_url.rstrip("/")) > LONGEST_ADDRESS:
        return say(
            subject,
            False,
            "HUIYAO_PUBLIC_URL has over %(most)s characters: texts have no link to the invitation",
            most=LONGEST_ADDRESS,
        )
    return say(
        subject,
        True,
        "%(gateway)s at %(host)s port %(port)s can be reached",
        gateway=channel.gateway,
        host=host,
        port=port,
    )


async def _examine_database(storage: Storage, settings: Settings, now: int) -> AsyncIterator[Finding]:
    try:
        found = await installation.version(storage)
    except OperatorError as error:
        yield say("database", False, "%(error)s", error=error)
        return
    yield say("database", True, "%(backend)s answers", backend=storage.backend)
    schema = _schema(found)
    yield schema
    if not schema.ok:
        return
    try:
        yield _key(settings, await installation.known_keys(storage, settings))
    except OperatorError as error:
        yield say("server key", False, "%(error)s", error=error)
    try:
        yield _dispatcher(await storage.last_beat(), now)
        orgs, apps = await storage.orgs(), await storage.apps()
        told = [one for one in apps if one.callback is not None]
        if told:
            yield await _callbacks(storage, told, now)
    except SystemFailure as error:
        yield say("database", False, "%(error)s", error=error)
        return
    if orgs:
        yield say("organisations", True, "%(count)s", count=len(orgs))
    else:
        yield say("organisations", False, "none; `huiyao org add` makes one")
    able = [one for one in apps if one.orgs and not one.disabled]
    yield say(
        "apps",
        bool(able),
        "%(able)s of %(count)s enabled with an organisation",
        able=len(able),
        count=len(apps),
    )


def _schema(found: str | None) -> Finding:
    newest, subject = migrate.newest(), "schema"
    if found == newest:
        return say(subject, True, "at %(found)s, the newest", found=found)
    if found is None:
        return say(subject, False, "the database has no tables yet: run `huiyao db migrate` once")
    if found in migrate.revisions():
        return say(
            subject,
            False,
            "it is at %(found)s and this program needs %(newest)s: run `huiyao db migrate`",
            found=found,
            newest=newest,
        )
    return say(
        subject,
        False,
        "it is at %(found)s, newer than this program knows (%(newest)s): install a newer Huiyao",
        found=found,
        newest=newest,
    )


def _key(settings: Settings, keyring: Keyring | None) -> Finding:
    subject = "server key"
    path = key_file(settings) if settings.embedded and settings.key is None else None
    if path is not None and path.exists() and path.stat().st_mode & 0o077:
        return say(subject, False, "others on this machine can read %(path)s; run chmod 600 on it", path=path)
    if keyring is None or not keyring.former:
        return say(subject, True, "belongs to this database")
    last = keyring.former[-1]
    facts = {
        "day": _day(last.retired_at),
        "opens": _day(last.retired_at + ONWARD_MS),
        "good": _day(last.retired_at + KEPT_MS),
    }
    if keyring.superseded:
        return say(
            subject,
            False,
            "rotated on %(day)s; this is one before the present one, and opens nothing after %(opens)s",
            **facts,
        )
    if last.onward is not None:
        return say(
            subject,
            True,
            "rotated on %(day)s; the one before works too until %(opens)s or `huiyao key finish`,"
            " and its links are good until %(good)s",
            **facts,
        )
    return say(subject, True, "rotated on %(day)s; links of the one before are good until %(good)s", **facts)


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d}"


def _dispatcher(beat: int | None, now: int) -> Finding:
    subject = "dispatcher"
    if beat is None:
        return say(subject, False, "none has ever run; start `huiyao serve` or `huiyao dispatch`")
    if beat - now > FARTHEST_AHEAD_MS:
        ahead = (beat - now) // 1000
        return say(subject, False, "its clock is %(seconds)s s ahead of this machine's", seconds=ahead)
    if now - beat > OLDEST_BEAT_MS:
        ago = (now - beat) // 1000
        return say(subject, False, "last seen %(seconds)s s ago; nobody is reminded", seconds=ago)
    return say(subject, True, "alive")


async def _callbacks(storage: Storage, told: Sequence[App], now: int) -> Finding:
    """Whether apps get their events; `told`: those with a callback."""
    subject = "callbacks"
    gone = [one.id for one in told if one.callback and one.callback.gone_at is not None]
    if gone:
        return say(
            subject,
            False,
            "the receiver of app %(apps)s wants nothing any more (410); set its callback again",
            apps=_ids(gone),
        )
    waiting = [one for one in await storage.queues(now=now) if one.channel == "callback"]
    if not waiting:
        return say(subject, True, "apps that are told of events: %(count)s; nothing waits", count=len(told))
    age_ms = now - min(one.oldest_at for one in waiting)
    return say(
        subject,
        age_ms <= LONGEST_WAIT_MS,
        "waiting for app %(apps)s: %(events)s, the oldest for %(minutes)s min",
        events=sum(one.depth for one in waiting),
        apps=_ids([app_id for app_id, _ in await storage.waiting_apps()]),
        minutes=age_ms // 60_000,
    )


def _ids(ids: Sequence[int]) -> str:
    return ", ".join(str(one) for one in sorted(ids)[:NAMED]) + (", …" if len(ids) > NAMED else "")
