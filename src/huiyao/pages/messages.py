"""My messages: the in-app inbox, the newest first; looking at it marks what is shown as read."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from huiyao.pages.site import Site, is_htmx
from huiyao.pages.visitor import Visitor
from huiyao.service import inbox
from huiyao.texts import inbox as texts

SHOWN: Final = 50


class Messages:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._services = site.services

    def routes(self) -> list[Route]:
        return [Route("/workbench/messages", self._site.signed_in(self.messages), methods=["GET"])]

    async def messages(self, request: Request, who: Visitor) -> Response:
        since = await self._services.storage.horizon()
        page, _ = await inbox.inbox(self._services, who.caller, after=None, size=SHOWN)
        shown = [
            (
                one,
                texts.render(one, timezone=who.timezone, locale=who.locale),
                who.dates.span(one.created_at, one.created_at, clock=who.clock),
            )
            for one in reversed(page.messages)
        ]
        if page.messages and page.unread:
            await inbox.mark_read(self._services, who.caller, page.messages[-1].id)
        counts = await self._site.counts(who)
        template = "messages_list.html" if is_htmx(request) else "messages.html"
        return self._site.page(request, template, who, since=since, messages=shown, watched=[], **counts)
