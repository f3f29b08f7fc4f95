"""The address at which a page listens to its live events, and whose they are."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from huiyao import errors
from huiyao.pages.site import Site
from huiyao.pages.visitor import Visitor
from huiyao.service import sessions
from huiyao.storage.contract import Position
from huiyao.wire import body as bodies
from huiyao.wire import cursor, events

MOST_WATCHED: Final = 200  # meetings of one page


class Streams:
    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        return [Route("/workbench/live", self._site.signed_in(self.stream), methods=["GET"])]

    async def stream(self, request: Request, who: Visitor) -> Response:
        """Behind `after` (or what the browser saw last, as it says itself), and what changed from `since` on."""
        self._site.live.admit(who.org.id, who.uid)
        after = _position(request.headers.get("last-event-id") or request.query_params.get("after", ""))
        since = request.query_params.get("since", "")
        watched = request.query_params.get("watch", "").split(",")[:MOST_WATCHED]

        async def still() -> bool:
            session = await sessions.find(self._site.services, who.secret)
            if session is None or session.app_id is None:
                return session is not None
            return await self._site.access.granted(session.app_id, session.org_id) is not None

        found = self._site.live.stream(
            who.org.id,
            who.uid,
            locale=who.locale,
            timezone=who.timezone,
            after=after,
            meetings=frozenset(int(one) for one in watched if _is_number(one)),
            since=int(since) if _is_number(since) else await self._site.services.storage.horizon(),
            still=still,
        )
        return StreamingResponse(found, media_type=events.TYPE, headers={"x-accel-buffering": "no"})


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _position(text: str) -> Position:
    """Of what is no cursor the start: a page that has lost its place hears everything again."""
    try:
        return bodies.parse(cursor.Cursor(), text)
    except errors.BadParameter:
        return Position(0, 0)
