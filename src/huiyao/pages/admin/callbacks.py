"""Callbacks: which events apps were told of, what became of each, and sending one once more."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from huiyao.model import Event, EventState, EventType, Session
from huiyao.pages.admin.desk import Desk, Refusal, identifier, mark, path_id, sought
from huiyao.pages.catalog import N_
from huiyao.pages.forms import Form
from huiyao.rules import callbacks as rules
from huiyao.service import callbacks
from huiyao.storage.event_contract import EventsWanted

SHOWN: Final = 50
FILTERS: Final = ("app", "org", "state", "type", "meeting")

STATES: Final[dict[str, str]] = {
    EventState.PENDING: N_("Waiting"),
    EventState.SENDING: N_("Being sent"),
    EventState.DELIVERED: N_("Delivered"),
    EventState.FAILED: N_("Failed"),
    EventState.SKIPPED: N_("Not sent"),
}
TONES: Final[dict[str, str]] = {
    EventState.PENDING: "warn",
    EventState.SENDING: "warn",
    EventState.DELIVERED: "good",
    EventState.FAILED: "bad",
    EventState.SKIPPED: "",
}
TYPES: Final[dict[int, str]] = {
    EventType.PUSHED: N_("Invitation delivered to all"),
    EventType.READ: N_("Read"),
    EventType.ACCEPTED: N_("Accepted"),
    EventType.DECLINED: N_("Declined"),
    EventType.REMINDED: N_("Reminded"),
    EventType.UPDATED: N_("Meeting changed"),
    EventType.CANCELLED: N_("Meeting cancelled"),
    EventType.FAILED: N_("Text failed"),
}
# Those of docs/callbacks.md.
OUTCOMES: Final[dict[str, str]] = {
    "refused": N_("The receiver answered with a status other than 0."),
    "bad_answer": N_("The receiver's answer is no JSON with a number status."),
    "timeout": N_("The receiver did not answer within 10 seconds."),
    "no_connection": N_("The receiver cannot be reached."),
    "bad_certificate": N_("The receiver's certificate is not valid for its name."),
    "no_answer": N_("The connection broke before the answer."),
    "no_such_host": N_("The receiver's name has no address."),
    "private_address": N_("The receiver's address is not public (callback_private)."),
    "bad_url": N_("The callback URL is none that can be called."),
    "bad_secret": N_("The secret does not open with this server key."),
    "error": N_("Huiyao itself failed at it; the log says more."),
    "gave_up": N_("It could not be sent within 24 hours."),
    "no_callback": N_("The app has no callback any more."),
    "gone": N_("The receiver said that it wants nothing any more (410)."),
    "410": N_("The receiver said that it wants nothing any more (410)."),
    "disabled": N_("The app is disabled."),
    "not_granted": N_("The app is not granted this organisation any more."),
}
_HTTP: Final = N_("The receiver answered with this HTTP status.")


class Line(msgspec.Struct, frozen=True):
    """An event as its page and the list show it."""

    event: Event
    state: str
    tone: str
    type: str
    outcome: str
    address: str  # of its page
    again: bool

    @property
    def at(self) -> int:
        """When the last thing became of it."""
        return self.event.ended_at or self.event.sent_at or self.event.at


class Callbacks:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._storage = desk.storage

    def routes(self) -> list[Route]:
        one = "/admin/callbacks/{org}/{event}"
        return [
            self._desk.shows("/admin/callbacks", self.show_all),
            self._desk.shows(one, self.show),
            self._desk.does(f"{one}/replay", self._replay, show=self.show),
        ]

    async def show_all(self, request: Request, refusal: Refusal) -> Response:
        chosen = {name: sought(request.query_params.get(name, "")) for name in (*FILTERS, "below")}
        wanted = _wanted(chosen)
        found = await self._storage.events(wanted) if wanted else []
        lines = [self._line(one, request) for one in found[:SHOWN]]
        more = ""
        if len(found) > SHOWN:
            asked = {name: value for name, value in chosen.items() if value and name != "below"}
            more = f"/admin/callbacks?{urlencode(asked | {'below': lines[-1].event.id})}"
        _ = self._desk.words(request)
        return self._desk.page(
            request,
            "admin/callbacks.html",
            refusal,
            lines=lines,
            more=more,
            chosen=chosen,
            filtered=any(chosen[name] for name in FILTERS),
            apps=await self._storage.apps(),
            orgs=await self._storage.orgs(),
            states={state: _(text) for state, text in STATES.items()},
            types={str(int(number)): _(text) for number, text in TYPES.items()},
        )

    async def show(self, request: Request, refusal: Refusal) -> Response:
        found = await self._event(request)
        _ = self._desk.words(request)
        return self._desk.page(
            request,
            "admin/callback.html",
            refusal,
            line=self._line(found, request),
            one=found,
            requests=[(attempt, outcome(attempt.outcome, _)) for attempt in rules.attempts(found)],
            app=await self._storage.app(found.app_id),
            org=await self._storage.org(found.org_id),
        )

    async def _replay(self, request: Request, session: Session, form: Form) -> str:
        found = await self._event(request)
        now = self._desk.services.clock.now()
        await callbacks.replay_events(self._storage, found.org_id, [found.id], now=now)
        mark("event replayed", session, org_id=found.org_id, event_id=found.id)
        return f"/admin/callbacks/{found.org_id}/{found.id}?done=replayed"

    async def _event(self, request: Request) -> Event:
        found = await self._storage.event(path_id(request, "org"), path_id(request, "event"))
        if found is None:
            raise HTTPException(404)
        return found

    def _line(self, one: Event, request: Request) -> Line:
        _ = self._desk.words(request)
        return Line(
            event=one,
            state=_(STATES[one.state]),
            tone=TONES[one.state],
            type=_(TYPES[one.type]),
            outcome="" if one.state == EventState.DELIVERED else outcome(one.outcome, _),
            address=f"/admin/callbacks/{one.org_id}/{one.id}",
            again=one.ended_at is not None,
        )


def outcome(code: str, _: Callable[[str], str]) -> str:
    """The sentence that explains it, "" where there is nothing to explain."""
    return _(OUTCOMES.get(code, _HTTP)) if code else ""


def _wanted(chosen: dict[str, str]) -> EventsWanted | None:
    """The question to the database; None where nothing can be found, since an id is none."""
    ids: dict[str, Any] = {
        name: identifier(chosen[name]) for name in ("app", "org", "type", "meeting", "below") if chosen[name]
    }
    if None in ids.values() or ids.get("type", EventType.PUSHED) not in TYPES:
        return None
    return EventsWanted(
        app_id=ids.get("app"),
        org_id=ids.get("org"),
        type=ids.get("type"),
        meeting_id=ids.get("meeting"),
        below=ids.get("below"),
        state=chosen["state"] or None,
        limit=SHOWN + 1,
    )
