"""The page behind a personal link: one invitation, shown and answered without signing in.

A GET changes nothing and no answer sets a cookie, for the programs that fetch links for a preview come here too.
"""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from huiyao import errors, link
from huiyao.model import Attendee, Meeting, MsgStatus, PushStatus, Session
from huiyao.pages import cards, forms, visitor
from huiyao.pages.invitations import REPLY, explain
from huiyao.pages.site import Site
from huiyao.pages.visitor import Visitor
from huiyao.rules import commands
from huiyao.service import meetings, workbench
from huiyao.service.caller import Caller
from huiyao.wire import body as bodies


class Links:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._services = site.services

    def routes(self) -> list[Route]:
        path = f"{link.PATH}{{text}}"
        return [Route(path, self.show, methods=["GET"]), Route(path, self.answer, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        found = await self._follow(request)
        if found is None:
            return self._useless(request)
        _, who, meeting, me = found
        return self._page(request, who, meeting, me)

    async def answer(self, request: Request) -> Response:
        found = await self._follow(request)
        if found is None:
            return self._useless(request)
        caller, who, meeting, me = found
        form = await forms.read(request)
        status, sequence = form.number("status"), form.number("sequence")
        if status not in (MsgStatus.ACCEPTED, MsgStatus.DECLINED) or sequence is None:
            raise HTTPException(400)
        try:
            reply = bodies.parse(REPLY, form.get("reply").strip(), path=who._("Reply"))
            command = commands.Respond(msg_status=MsgStatus(status), reply=reply, sequence=sequence)
            await meetings.respond(self._services, caller, meeting.id, command)
        except errors.NoSuchMeeting:
            return self._useless(request)
        except errors.SystemFailure:
            raise
        except errors.ApiError as error:
            now = await self._follow(request)
            if now is None:
                return self._useless(request)
            _, who, meeting, me = now
            return self._page(request, who, meeting, me, problem=explain(error, who), status=409)
        return RedirectResponse(request.url.path, 303)

    async def _follow(self, request: Request) -> tuple[Caller, Visitor, Meeting, Attendee] | None:
        """Whose link it is and of which meeting; None where it is none of ours, or has become useless.

        The person is still part of the meeting, in the same membership (its row's id), and it is not over.
        """
        found = link.read(request.path_params["text"])
        if found is None:
            return None
        try:
            caller, person, meeting, _, me = await workbench.linked(
                self._services, found.org_id, found.meeting_id, found.link_id
            )
        except (errors.NoSuchMeeting, errors.UnknownPerson):
            return None
        now = self._services.clock.now()
        ours = await self._site.keyring.verify(
            lambda keys: found.belongs_to(caller.uid, key=keys.link_key), now=now
        )
        if not ours or meeting.end_at < now:
            return None
        session = Session(
            org_id=caller.org.id, hash=b"", uid=caller.uid, app_id=None, created_at=now, expires_at=now
        )
        locale = visitor.locale(request, person)
        return caller, Visitor(session, "", caller.org, person, locale=locale, now=now), meeting, me

    def _page(
        self,
        request: Request,
        who: Visitor,
        meeting: Meeting,
        me: Attendee,
        *,
        problem: str = "",
        status: int = 200,
    ) -> Response:
        shown = cards.view(workbench.card_of(meeting, [me], me), who)
        return self._site.page(
            request,
            "link.html",
            None,
            status=status,
            locale=who.locale,
            card=shown,
            name=who.name,
            problem=problem,
            cancelled=meeting.push_status == PushStatus.CANCELLED,
        )

    def _useless(self, request: Request) -> Response:
        """One answer for all: nobody learns what exists."""
        return self._site.page(request, "useless_link.html", None, status=404)
