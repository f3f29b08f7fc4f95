"""My invitations: the shelves, one meeting's page, and what I do with my part of it."""

from collections.abc import Awaitable, Callable
from itertools import groupby
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from huiyao import errors
from huiyao.model import Attendee, Card, Meeting, MsgStatus, Person
from huiyao.pages import cards, forms, tools
from huiyao.pages.cards import CardView
from huiyao.pages.forms import Form
from huiyao.pages.site import Site, is_htmx, tell
from huiyao.pages.visitor import Visitor
from huiyao.rules import commands
from huiyao.service import meetings, workbench
from huiyao.storage.contract import Place, Shelf
from huiyao.wire import body as bodies
from huiyao.wire.fields import Text

PAGE: Final = 20  # cards of a shelf at once
MOST_SHOWN: Final = 200  # the same, where a page that has more of them asks anew
NAMES_SHOWN: Final = 200  # attendees on a meeting's page; "all" shows the rest
REPLY: Final = Text(500, blank=True)  # contract section 6

Act = Callable[[Visitor, int, Form], Awaitable[str]]


class Invitations:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._services = site.services

    def routes(self) -> list[Route]:
        site, one = self._site, "/workbench/meetings/{meeting:id}"
        return [
            Route("/workbench/", site.signed_in(self.home), methods=["GET"]),
            Route("/workbench/counts", site.signed_in(self.counts), methods=["GET"]),
            Route(one, site.signed_in(self.meeting), methods=["GET"]),
            Route(f"{one}/card", site.signed_in(self.card), methods=["GET"]),
            Route(f"{one}/respond", site.signed_in(self._acting(self._respond)), methods=["POST"]),
            Route(f"{one}/remind", site.signed_in(self._acting(self._remind)), methods=["POST"]),
            Route(f"{one}/remove", site.signed_in(self.remove), methods=["POST"]),
            Route(f"{one}/restore", site.signed_in(self._acting(self._restore)), methods=["POST"]),
        ]

    async def home(self, request: Request, who: Visitor) -> Response:
        """One shelf, by days; further cards by `after`, as a fragment for our script.

        `shown`: how many the page has, where our script asks for them anew.
        """
        shelf = _shelf(request.query_params.get("shelf", Shelf.UPCOMING))
        after = _place(request.query_params.get("after", ""))
        since = await self._services.storage.horizon()
        size = min(max(PAGE, _number(request.query_params.get("shown", ""))), MOST_SHOWN)
        found = await workbench.shelf(self._services, who.caller, shelf, after=after, size=size + 1)
        shown = found[:size]
        last = shown[-1].meeting if len(found) > size else None
        views = await self._views(shown, who)
        values: dict[str, Any] = {
            "shelf": shelf,
            "days": [
                (day, cards.day_name(day, who), list(some))
                for day, some in groupby(views, key=lambda one: one.date)
            ],
            "more": f"{last.begin_at}.{last.id}" if last else "",
            "first": after is None,
            # What goes on with the day that is shown already needs no heading of its own.
            "continued": who.clock.show(after.begin_at).date() if after and is_htmx(request) else None,
            "watched": [one.id for one in views],
        }
        if is_htmx(request) and after is not None:
            return self._site.page(request, "cards.html", who, **values)
        return await self._page(request, "home.html", who, since=since, **values)

    async def counts(self, request: Request, who: Visitor) -> Response:
        """The numbers of the navigation, after something changed."""
        return self._site.page(request, "counts.html", who, **await self._site.counts(who))

    async def meeting(self, request: Request, who: Visitor) -> Response:
        """One meeting's page; looking at it marks it as read."""
        return await self._show(request, who, request.path_params["meeting"], open_it=True)

    async def card(self, request: Request, who: Visitor) -> Response:
        """The card alone, when it has changed while it is shown."""
        meeting, attendees, me = await self._load(who, request.path_params["meeting"])
        if me.card_removed_at is not None:
            return Response()
        return await self._card(request, who, workbench.card_of(meeting, attendees, me))

    async def remove(self, request: Request, who: Visitor) -> Response:
        """Off my workbench; in its place stands how to undo it."""
        meeting_id = request.path_params["meeting"]
        await self._attempt(meetings.delete(self._services, who.caller, meeting_id))
        meeting, _, _ = await self._load(who, meeting_id)
        if is_htmx(request) and request.query_params.get("view") == "card":
            return self._site.page(
                request, "removed.html", who, meeting=meeting, title=cards.title(meeting.content)
            )
        return await self._show(request, who, meeting_id)

    def _acting(self, act: Act) -> Callable[[Request, Visitor], Awaitable[Response]]:
        """Do it, and answer with the card (view=card), or the meeting's page; what went wrong stands there too."""

        async def acting(request: Request, who: Visitor) -> Response:
            meeting_id, form = request.path_params["meeting"], await forms.read(request)
            problem = ""
            try:
                done = await act(who, meeting_id, form)
            except errors.NoSuchMeeting as error:
                raise HTTPException(404) from error
            except errors.SystemFailure:
                raise
            except errors.ApiError as error:
                problem = told = explain(error, who)
            else:
                told = done
            if not is_htmx(request):
                if not problem:
                    return RedirectResponse(f"/workbench/meetings/{meeting_id}", 303)
                return await self._show(request, who, meeting_id, problem=problem, status=409)
            if request.query_params.get("view") == "card":
                meeting, attendees, me = await self._load(who, meeting_id)
                response = await self._card(request, who, workbench.card_of(meeting, attendees, me))
            else:
                response = await self._show(request, who, meeting_id, problem=problem)
            return tell(response, told, bad=bool(problem), counts={})

        return acting

    async def _respond(self, who: Visitor, meeting_id: int, form: Form) -> str:
        status = form.number("status")
        sequence = form.number("sequence")
        if status not in (MsgStatus.ACCEPTED, MsgStatus.DECLINED) or sequence is None:
            raise HTTPException(400)
        reply = bodies.parse(REPLY, form.get("reply").strip(), path=who._("Reply"))
        command = commands.Respond(msg_status=MsgStatus(status), reply=reply, sequence=sequence)
        await meetings.respond(self._services, who.caller, meeting_id, command)
        return who._("You accepted") if status == MsgStatus.ACCEPTED else who._("You declined")

    async def _remind(self, who: Visitor, meeting_id: int, form: Form) -> str:
        wanted = form.get("remind") == "1"
        await meetings.remind(self._services, who.caller, meeting_id, commands.Remind(remind=wanted))
        return who._("You will be reminded") if wanted else who._("You will not be reminded")

    async def _restore(self, who: Visitor, meeting_id: int, form: Form) -> str:
        await meetings.restore(self._services, who.caller, meeting_id)
        return who._("The card is back")

    async def _attempt(self, doing: Awaitable[None]) -> None:
        try:
            await doing
        except errors.NoSuchMeeting as error:
            raise HTTPException(404) from error

    async def _load(
        self, who: Visitor, meeting_id: int, *, open_it: bool = False
    ) -> tuple[Meeting, list[Attendee], Attendee]:
        try:
            if open_it:
                return await workbench.open_card(self._services, who.caller, meeting_id)
            meeting, attendees = await meetings.detail(self._services, who.caller, meeting_id)
        except errors.NoSuchMeeting as error:
            raise HTTPException(404) from error
        return meeting, attendees, next(one for one in attendees if one.uid == who.uid)

    async def _show(
        self,
        request: Request,
        who: Visitor,
        meeting_id: int,
        *,
        open_it: bool = False,
        problem: str = "",
        status: int = 200,
    ) -> Response:
        since = await self._services.storage.horizon()
        meeting, attendees, me = await self._load(who, meeting_id, open_it=open_it)
        (shown,) = await self._views([workbench.card_of(meeting, attendees, me)], who)
        listed = [one for one in attendees if one.listed]
        whole = request.query_params.get("all") == "1"
        values: dict[str, Any] = {
            "card": shown,
            "listed": listed if whole else listed[:NAMES_SHOWN],
            "hidden": 0 if whole else max(0, len(listed) - NAMES_SHOWN),
            "problem": problem,
            "tools": tools.of(shown, attendees, who, done=request.query_params.get("done", "")),
            "watched": [meeting_id],
        }
        if is_htmx(request) and request.method == "POST":
            return self._site.page(request, "meeting_body.html", who, **values)
        return await self._page(request, "meeting.html", who, status=status, since=since, **values)

    async def _card(self, request: Request, who: Visitor, card: Card) -> Response:
        (shown,) = await self._views([card], who)
        return self._site.page(request, "card.html", who, card=shown)

    async def _page(
        self,
        request: Request,
        template: str,
        who: Visitor,
        *,
        status: int = 200,
        since: int,
        **values: Any,
    ) -> Response:
        """A whole page, with what its live events begin at."""
        counts = await self._site.counts(who)
        return self._site.page(request, template, who, status=status, since=since, **counts, **values)

    async def _views(self, found: list[Card], who: Visitor) -> list[CardView]:
        """With the organizers' zones, and what else the reader does at the time of what they have not answered."""
        uids = sorted({one.meeting.organizer_uid for one in found})
        organizers: dict[str, Person] = {
            one.uid: one for one in await self._services.storage.people(who.org.id, uids)
        }
        views = []
        for one in found:
            shown = cards.view(one, who, organizer=organizers.get(one.meeting.organizer_uid))
            if shown.to_answer:
                others = await workbench.overlaps(self._services, who.caller, one.meeting)
                if others:
                    shown = cards.view(
                        one, who, organizer=organizers.get(one.meeting.organizer_uid), overlaps=others
                    )
            views.append(shown)
        return views


def explain(error: errors.ApiError, who: Visitor) -> str:
    """What a person reads where a rule refused them."""
    if isinstance(error, errors.SequenceChanged):
        return who._("The meeting has changed meanwhile. Please look at it once more.")
    if isinstance(error, errors.MeetingOver):
        return who._("The meeting is over.")
    if isinstance(error, errors.MeetingCancelled):
        return who._("The meeting has been cancelled.")
    return error.message(english=who.locale == "en")


def _shelf(name: str) -> Shelf:
    try:
        return Shelf(name)
    except ValueError as error:
        raise HTTPException(404) from error


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else 0


def _place(text: str) -> Place | None:
    begin, _, meeting = text.partition(".")
    if not (begin.isascii() and begin.isdigit() and meeting.isascii() and meeting.isdigit()):
        return None
    return Place(int(begin[:16]), int(meeting[:16]))
