"""The sandbox's page of texts: what would have gone to people's phones, the newest first.

It shows numbers and texts to whoever asks, so only `huiyao demo` has it.
"""

import re
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from huiyao import link
from huiyao.pages import visitor, wording
from huiyao.pages.site import Site
from huiyao.storage.contract import Wanted
from huiyao.texts import dates
from huiyao.texts.sms import parts

PATH: Final = "/demo/sms"
SHOWN: Final = 100

_LINK: Final = re.compile(rf"(https?://[!-~]+{re.escape(link.PATH)}[A-Za-z0-9_-]+)")


class Outbox:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._storage = site.services.storage

    def routes(self) -> list[Route]:
        return [] if self._site.sandbox_app is None else [Route(PATH, self.show, methods=["GET"])]

    async def show(self, request: Request) -> Response:
        org = await self._site.sandbox_org()
        if org is None:
            raise HTTPException(404)
        found = await self._storage.deliveries(Wanted(org_id=org.id, limit=SHOWN))
        people = {
            one.uid: one.name
            for one in await self._storage.people(org.id, sorted({one.uid for one in found}))
        }
        locale = visitor.locale(request, None)
        _ = self._site.words(locale)
        clock = dates.clock(org.timezone, now=self._site.services.clock.now())
        texts = [
            {
                "delivery": one,
                "pieces": _LINK.split(one.text),  # every second one is a personal link
                "name": people.get(one.uid, one.uid),
                "kind": _(wording.KINDS[one.kind]),
                "state": _(wording.STATES[one.state]),
                "tone": wording.TONES[one.state],
                "reason": wording.reason(one.reason, _),
                "moment": f"{clock.show(one.sent_at or one.ended_at or one.created_at):%Y-%m-%d %H:%M:%S}",
                "parts": parts(one.text) if one.text else 0,
            }
            for one in found
        ]
        return self._site.page(request, "outbox.html", None, texts=texts)
