"""The texts that came in, and what became of each; neither words nor numbers are kept."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from huiyao.pages import wording
from huiyao.pages.admin import people
from huiyao.pages.admin.desk import Desk, Refusal

SHOWN: Final = 100


class Replies:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        return [self._desk.shows("/admin/replies", self.show_all)]

    async def show_all(self, request: Request, refusal: Refusal) -> Response:
        _ = self._desk.words(request)
        found = await self._desk.storage.inbounds(limit=SHOWN)
        replies = [
            (
                one,
                wording.outcome(one.outcome, _),
                people.address(one.org_id, one.uid) if one.org_id else "",
                one.outcome in ("accepted", "declined"),
            )
            for one in found
        ]
        return self._desk.page(request, "admin/replies.html", refusal, replies=replies)
