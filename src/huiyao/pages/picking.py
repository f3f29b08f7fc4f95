"""Choosing people and a time in the form for a meeting: the steps that keep the form open, and their fragments."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from huiyao.pages import busy, checking, editor, forms
from huiyao.pages.editor import Draft
from huiyao.pages.forms import Form
from huiyao.pages.site import Page, Site
from huiyao.pages.visitor import Visitor
from huiyao.service import picker
from huiyao.service.picker import Pasted, Pick


def query(request: Request) -> Form:
    """What the address asks for, as a form."""
    return Form(request.query_params.multi_items())


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Where a sending of the form has led."""

    draft: Draft
    stays: bool = False  # the form is shown again: it was for choosing only
    found: list[Pick] | None = None  # of a search
    pasted: Pasted | None = None
    fault: str = ""  # of the pasted list, where the form was meant to be sent


class Picking:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._services = site.services

    def routes(self) -> list[Route]:
        return [
            Route("/workbench/people", self.only(self.people), methods=["GET"]),
            Route("/workbench/people/paste", self.only(self.paste), methods=["POST"]),
            Route("/workbench/busy", self.only(self.busy), methods=["GET", "POST"]),
        ]

    def only(self, page: Callable[[Request, Visitor], Awaitable[Response]]) -> Page:
        """For those who may organize; to others there is no such page."""

        async def organizing(request: Request, who: Visitor) -> Response:
            if not who.may_organize:
                raise HTTPException(404)
            return await page(request, who)

        return self._site.signed_in(organizing)

    async def people(self, request: Request, who: Visitor) -> Response:
        """Who fits ?q=, at most 20; a fragment."""
        found = await picker.search(self._services, who.org, request.query_params.get("q", "")[:200])
        return self._site.page(request, "people_found.html", who, found=found)

    async def paste(self, request: Request, who: Visitor) -> Response:
        """Who is meant by a pasted list; a fragment."""
        form = await forms.read(request)
        pasted = await picker.paste(self._services, who.org, form.get("paste"))
        return await asyncio.to_thread(  # there may be ten thousand of them
            self._site.page, request, "people_pasted.html", who, pasted=pasted
        )

    async def busy(self, request: Request, who: Visitor) -> Response:
        """When those on the form are busy, and what to know before sending; a fragment."""
        form = await forms.read(request) if request.method == "POST" else query(request)
        draft = editor.read(form, who)
        uids = [uid for text in form.all("uids") for uid in text.split(",") if uid]
        names = await picker.known(self._services, who.org, uids)
        picks = [Pick(uid, names[uid].name if uid in names else uid) for uid in uids]
        draft = editor.joined(draft, picks, who)
        if not draft.begin and form.get("day"):
            draft = msgspec.structs.replace(draft, begin=f"{form.get('day')}T00:00")
        without = form.number("meeting")
        times = checking.times(draft, who)
        view = await busy.look(self._services, who, draft, times=times, without=without)
        warnings = await busy.warnings(self._services, who, times.begin_at, times.end_at, without=without)
        return self._site.page(request, "busy.html", who, busy=view, warnings=warnings)

    async def take(self, form: Form, who: Visitor) -> Step:
        """The form as it is after what its pressed button did, and the pasted list read whatever was pressed."""
        draft = editor.read(form, who)
        replace = msgspec.structs.replace
        do = form.get("do", "enter")
        if form.has("add"):
            picked = await picker.known(self._services, who.org, [form.get("add")])
            picks = [Pick(one.uid, one.name) for one in picked.values()]
            return Step(draft=replace(editor.joined(draft, picks, who), q=""), stays=True)
        if form.has("drop"):
            return Step(draft=editor.without(draft, form.get("drop")), stays=True)
        if form.has("take"):
            begin, _, end = form.get("take").partition("/")
            return Step(draft=replace(draft, begin=begin, end=end), stays=True)
        if do == "find" or (do == "enter" and draft.q.strip()):
            found = await picker.search(self._services, who.org, draft.q[:200])
            return Step(draft=draft, stays=True, found=found)
        choosing = do in ("paste", "look", "back")
        if not draft.paste.strip():
            return Step(draft=draft, stays=choosing)
        pasted = await picker.paste(self._services, who.org, draft.paste)
        draft = replace(editor.joined(draft, pasted.found, who), paste=pasted.rest)
        unclear = who._("Of the pasted list, some are still unclear.") if pasted.rest and not choosing else ""
        return Step(draft=draft, stays=choosing or bool(unclear), fault=unclear, pasted=pasted)
