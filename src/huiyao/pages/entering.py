"""Signing in and out: by a one-time ticket, or by choosing who to be in the sandbox.

A GET never uses a ticket: programs that fetch links for a preview must not sign anybody in.
"""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from huiyao.model import Org, Session
from huiyao.pages import forms, visitor
from huiyao.pages.site import Site
from huiyao.pages.visitor import Visitor
from huiyao.service import sessions

HOME = "/workbench/"


class Entering:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._services = site.services

    def routes(self) -> list[Route]:
        found = [
            Route("/workbench/enter", self.ask, methods=["GET"]),
            Route("/workbench/enter", self.enter, methods=["POST"]),
            Route("/workbench/sign-out", self._site.signed_in(self.sign_out), methods=["POST"]),
            Route(
                "/workbench/sign-out-everywhere",
                self._site.signed_in(self.sign_out_everywhere),
                methods=["POST"],
            ),
        ]
        if self._site.sandbox_app is not None:
            found += [
                Route("/workbench/choose", self.choose, methods=["GET"]),
                Route("/workbench/choose", self.chosen, methods=["POST"]),
            ]
        return found

    async def ask(self, request: Request) -> Response:
        """Shows as whom the ticket signs in; the button uses it, or our script does where nobody else is signed in."""
        text = request.query_params.get("ticket", "")
        ticket = await sessions.find_ticket(self._services, text)
        org = await self._services.storage.org(ticket.org_id) if ticket else None
        if ticket is None or org is None:
            return self._useless(request)
        person = await self._services.storage.person(org.id, ticket.uid)
        already = await visitor.find(request, self._services, self._site.access)
        other = already is not None and (already.org.id, already.uid) != (org.id, ticket.uid)
        return self._site.page(
            request,
            "enter.html",
            None,
            locale=visitor.locale(request, person),
            ticket=text,
            name=person.name if person else ticket.uid,
            org=org,
            other=already.name if already and other else "",
        )

    async def enter(self, request: Request) -> Response:
        form = await forms.read(request)
        begun = await sessions.redeem(self._services, form.get("ticket"))
        if begun is None:
            return self._useless(request)
        secret, session = begun
        if session.org_id == sessions.OPERATOR:  # an operator's ticket opens the operators' pages only
            await sessions.sign_out(self._services, secret)
            return self._useless(request)
        return await self._welcome(request, secret, session)

    async def sign_out(self, request: Request, who: Visitor) -> Response:
        await sessions.sign_out(self._services, who.secret)
        return self._farewell(request, who)

    async def sign_out_everywhere(self, request: Request, who: Visitor) -> Response:
        await sessions.sign_out_everywhere(self._services, who.session)
        self._site.live.sign_out(who.org.id, who.uid)
        return self._farewell(request, who)

    async def choose(self, request: Request) -> Response:
        org = await self._sandbox()
        people = await self._services.storage.search_people(org.id, (), mobile=None, after_uid="", size=50)
        return self._site.page(request, "choose.html", None, org=org, people=people)

    async def chosen(self, request: Request) -> Response:
        form = await forms.read(request)
        org = await self._sandbox()
        uid = form.get("uid")
        if await self._services.storage.person(org.id, uid) is None:
            raise HTTPException(404)
        secret, session = await sessions.begin(self._services, org.id, uid=uid, app_id=self._site.sandbox_app)
        return await self._welcome(request, secret, session)

    async def _sandbox(self) -> Org:
        org = await self._site.sandbox_org()
        if org is None:
            raise HTTPException(404)
        return org

    async def _welcome(self, request: Request, secret: str, session: Session) -> Response:
        """In, with a secret of this session's own; whatever session the browser had ends."""
        before = await visitor.find(request, self._services, self._site.access)
        if before is not None:
            await sessions.sign_out(self._services, before.secret)
        response = RedirectResponse(HOME, 303)
        seconds = (session.expires_at - session.created_at) // 1000
        visitor.keep(response, secret, seconds=seconds, secure=self._site.secure(request))
        return response

    def _farewell(self, request: Request, who: Visitor) -> Response:
        response = self._site.page(request, "signed_out.html", None, locale=who.locale, bye=True)
        visitor.forget(response, secure=self._site.secure(request))
        response.headers["clear-site-data"] = '"cache", "storage"'
        return response

    def _useless(self, request: Request) -> Response:
        return self._site.page(request, "useless_ticket.html", None, status=403)
