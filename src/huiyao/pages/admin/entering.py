"""Operators signing in by the link that `huiyao admin link` prints, and out.

A GET never uses a ticket up, and a person's ticket is left as it is: it opens the workbench only.
"""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from huiyao.model import Session
from huiyao.pages import forms, visitor
from huiyao.pages.admin.desk import HOME, mark
from huiyao.pages.site import Site
from huiyao.service import sessions


class Entering:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._services = site.services

    def routes(self) -> list[Route]:
        return [
            Route("/admin/enter", self.ask, methods=["GET"]),
            Route("/admin/enter", self.enter, methods=["POST"]),
            Route("/admin/sign-out", self._site.operators(self.sign_out), methods=["POST"]),
        ]

    async def ask(self, request: Request) -> Response:
        text = request.query_params.get("ticket", "")
        if not await self._is_ours(text):
            return self._useless(request)
        return self._site.page(request, "admin/enter.html", None, ticket=text)

    async def enter(self, request: Request) -> Response:
        """In, with a secret of this session's own; whatever operator's session the browser had ends."""
        text = (await forms.read(request)).get("ticket")
        begun = await sessions.redeem(self._services, text) if await self._is_ours(text) else None
        if begun is None:
            return self._useless(request)
        secret, session = begun
        if await visitor.find_operator(request, self._services) is not None:
            await sessions.sign_out(self._services, visitor.operator_secret(request))
        mark("operator signed in", session)
        response = RedirectResponse(HOME, 303)
        seconds = (session.expires_at - session.created_at) // 1000
        visitor.keep(response, secret, seconds=seconds, secure=self._site.secure(request), operator=True)
        return response

    async def sign_out(self, request: Request, session: Session) -> Response:
        await sessions.sign_out(self._services, visitor.operator_secret(request))
        mark("operator signed out", session)
        response = self._site.page(request, "admin/signed_out.html", None, bye=True)
        visitor.forget(response, secure=self._site.secure(request), operator=True)
        response.headers["clear-site-data"] = '"cache", "storage"'
        return response

    async def _is_ours(self, text: str) -> bool:
        ticket = await sessions.find_ticket(self._services, text)
        return ticket is not None and ticket.org_id == sessions.OPERATOR

    def _useless(self, request: Request) -> Response:
        return self._site.page(request, "admin/useless_ticket.html", None, status=403)
