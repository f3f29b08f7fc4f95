"""The operators' first page: is everything all right, what waits, what became of the last texts."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

import huiyao
from huiyao.model import Kind, TaskKind
from huiyao.pages import catalog, visitor, wording
from huiyao.pages.admin.desk import HOME, Desk, Refusal
from huiyao.pages.catalog import N_
from huiyao.pages.site import is_htmx
from huiyao.service import health
from huiyao.service.health import Finding
from huiyao.storage.contract import Queue
from huiyao.texts import dates

LATE: Final = 200  # texts, the last that ended
REMEMBER_SECONDS: Final = 5.0  # so that any number of operators who watch cost one look
SLOW_MS: Final = 60_000  # what has waited for longer is worth an alarm (docs/operating.md)

_SUBJECTS: Final[dict[str, str]] = {
    "settings": N_("Settings"),
    "clock": N_("Clock"),
    "disk": N_("Disk"),
    "SMS gateway": N_("SMS gateway"),
    "database": N_("Database"),
    "schema": N_("Schema"),
    "server key": N_("Server key"),
    "dispatcher": N_("Dispatcher"),
    "callbacks": N_("Callbacks"),
    "organisations": N_("Organisations"),
    "apps": N_("Apps"),
}
# What to do where a finding is bad.
_REMEDIES: Final[dict[str, str]] = {
    "clock": N_("Set the machine's clock, best by NTP: reminders go by it."),
    "disk": N_("Make room on this disk; a full one stops every write."),
    "SMS gateway": N_(
        "Check HUIYAO_SMS_URL and HUIYAO_PUBLIC_URL, and whether the gateway runs; texts wait meanwhile."
    ),
    "database": N_("Look at the database's own log; calls are refused until it answers."),
    "schema": N_("Run `huiyao db migrate` with the newest program, then restart every server."),
    "server key": N_("Keep the key file to its owner (chmod 600), and the same HUIYAO_KEY on every server."),
    "dispatcher": N_(
        "Start `huiyao dispatch`, or `huiyao serve` without --no-dispatch, and look at its log."
    ),
    "callbacks": N_(
        "Look at the events below Callbacks: each says what its receiver answered. They are tried for 24 hours."
    ),
    "organisations": N_("Run `huiyao org add`."),
    "apps": N_("Run `huiyao app add`, or enable an app and grant it an organisation."),
}
_TASKS: Final[dict[str, str]] = {
    TaskKind.ANNOUNCE: N_("Changes to announce"),
    TaskKind.REMIND: N_("Reminders that are due"),
    TaskKind.NUDGE: N_("Nudges"),
    TaskKind.ANSWERED: N_("Answers to report"),
}
_TEXTS: Final[dict[str, str]] = {
    Kind.INVITED: N_("Texts: invitations"),
    Kind.UPDATED: N_("Texts: changes"),
    Kind.CANCELLED: N_("Texts: cancellations"),
    Kind.REMOVED: N_("Texts: removals"),
    Kind.REMINDER: N_("Texts: reminders"),
    Kind.NUDGED: N_("Texts: nudges"),
}


class Seen(msgspec.Struct, frozen=True):
    """What one look at the installation found."""

    at: int
    findings: Sequence[Finding]
    queues: Sequence[Queue]
    late: Counter[str]  # of the last texts, how many ended in which state
    schema: str


class Overview:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._looking = asyncio.Lock()
        self._seen: tuple[float, Seen] | None = None  # until when it is believed, in the event loop's time

    def routes(self) -> list[Route]:
        return [Route("/admin", self._root, methods=["GET"]), self._desk.shows(HOME, self.show)]

    async def _root(self, request: Request) -> Response:
        return RedirectResponse(HOME, 302)

    async def show(self, request: Request, refusal: Refusal) -> Response:
        seen, _ = await self._look(), self._desk.words(request)
        locale = visitor.locale(request, None)
        bad = [one for one in seen.findings if not one.ok]
        slow = [one for one in seen.queues if seen.at - one.oldest_at > SLOW_MS]
        values: dict[str, Any] = {
            "well": not bad and not slow,
            "findings": [
                (
                    _(_SUBJECTS.get(one.subject, one.subject)),
                    one.ok,
                    _(one.words) % one.facts,
                    "" if one.ok else _(_REMEDIES.get(one.subject, "")),
                )
                for one in [*bad, *(one for one in seen.findings if one.ok)]
            ],
            "queues": [
                (_queue_name(one, _), one, _age(seen.at - one.oldest_at, locale), one in slow)
                for one in sorted(seen.queues, key=lambda one: one.oldest_at)
            ],
            "late": [
                (state, _(wording.STATES[state]), wording.TONES[state], seen.late[state])
                for state in wording.STATES
                if seen.late[state]
            ],
            "ended": seen.late.total(),
            "streams": self._desk.site.live.streams,
            "version": huiyao.__version__,
            "schema": seen.schema,
            "backend": {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[self._desk.storage.backend],
            "seen_at": seen.at,
        }
        template = "admin/overview_body.html" if is_htmx(request) else "admin/overview.html"
        return self._desk.page(request, template, refusal, **values)

    async def _look(self) -> Seen:
        clock = asyncio.get_running_loop().time
        async with self._looking:
            if self._seen is None or self._seen[0] <= clock():
                seen = await self._look_now()
                self._seen = (clock() + REMEMBER_SECONDS, seen)
            return self._seen[1]

    async def _look_now(self) -> Seen:
        storage, now = self._desk.storage, self._desk.services.clock.now()
        return Seen(
            now,
            await health.examine_running(storage, self._desk.site.settings, now=now),
            await storage.queues(now=now),
            Counter(await storage.last_outcomes(limit=LATE)),
            await storage.schema_version() or "",
        )


def _queue_name(queue: Queue, _: Callable[[str], str]) -> str:
    known = (_TASKS if queue.channel == "inbox" else _TEXTS).get(queue.kind)
    return _(known) if known else f"{queue.channel}: {queue.kind}"


def _age(age_ms: int, locale: str) -> str:
    """How long something has waited, to the minute, or the second where it is less than one."""
    english = locale == catalog.ENGLISH
    seconds = max(0, age_ms) // 1000
    if seconds < 60:
        return f"{seconds} s" if english else f"{seconds}秒"
    return (dates.ENGLISH if english else dates.CHINESE).duration(seconds // 60)
