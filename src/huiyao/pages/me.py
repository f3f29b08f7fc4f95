"""Me: who I am signed in as, my language and time zone, signing out here and everywhere."""

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from huiyao.pages import catalog, forms
from huiyao.pages.site import Site
from huiyao.pages.visitor import Visitor
from huiyao.service import people


class Me:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._services = site.services

    def routes(self) -> list[Route]:
        return [
            Route("/workbench/me", self._site.signed_in(self.show), methods=["GET"]),
            Route("/workbench/me", self._site.signed_in(self.change), methods=["POST"]),
        ]

    async def show(self, request: Request, who: Visitor) -> Response:
        counts = await self._site.counts(who)
        since = await self._services.storage.horizon()
        return self._site.page(
            request, "me.html", who, since=since, watched=[], zones=people.timezones(), **counts
        )

    async def change(self, request: Request, who: Visitor) -> Response:
        """Language and time zone; "" is the organisation's zone, or the browser's language."""
        form = await forms.read(request)
        locale, timezone = form.get("locale"), form.get("timezone")
        if who.person is None or locale not in ("", catalog.CHINESE, catalog.ENGLISH):
            raise HTTPException(400)
        if timezone and timezone not in people.timezones():
            raise HTTPException(400)
        changed = msgspec.structs.replace(who.person, locale=locale, timezone=timezone)
        await self._services.storage.import_people([changed])
        return RedirectResponse("/workbench/me", 303)
