"""What every page of organizing works with: the visitor's own meeting, the form, and whole pages."""

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from huiyao import errors
from huiyao.model import Attendee, Meeting
from huiyao.pages import busy, cards, checking, editor, telling
from huiyao.pages.picking import Step
from huiyao.pages.site import Site
from huiyao.pages.visitor import Visitor
from huiyao.rules import commands
from huiyao.service import planning


class Desk:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._services = site.services
        self.most = site.settings.max_members

    async def load(self, request: Request, who: Visitor) -> tuple[Meeting, list[Attendee]]:
        """The visitor's own meeting; to others it is not there."""
        try:
            return await planning.organized(self._services, who.caller, request.path_params["meeting"])
        except (errors.NoSuchMeeting, errors.NotCreator) as error:
            raise HTTPException(404) from error

    async def warnings(self, who: Visitor, detail: commands.Detail, *, without: int | None) -> busy.Warnings:
        return await busy.warnings(self._services, who, detail.begin_at, detail.end_at, without=without)

    async def form(
        self,
        request: Request,
        who: Visitor,
        step: Step,
        *,
        meeting: Meeting | None = None,
        newest: Meeting | None = None,
        faults: Mapping[str, str] | None = None,
        problem: str = "",
        unseen: bool = False,
        status: int = 200,
    ) -> Response:
        """`newest` is shown where it has changed meanwhile; `unseen`: there are warnings to look at before sending."""
        since = await self._services.storage.horizon()
        draft, without = step.draft, meeting.id if meeting else None
        times = checking.times(draft, who, meeting)
        values: dict[str, Any] = {
            "step": step,
            "draft": draft,
            "person": editor.person,
            "presets": editor.PRESETS,
            "faults": {"paste": step.fault} if step.fault else faults or {},
            "problem": problem,
            "unseen": unseen,
            "meeting": meeting,
            "newest": state(newest, who) if newest else None,
            "busy": await busy.look(self._services, who, draft, times=times, without=without),
            "warnings": await busy.warnings(
                self._services, who, times.begin_at, times.end_at, without=without
            ),
        }
        status = 422 if step.fault else status
        return await self.whole(request, "edit.html", who, since=since, status=status, **values)

    async def whole(
        self, request: Request, template: str, who: Visitor, /, *, status: int = 200, **values: Any
    ) -> Response:
        """In a thread: ten thousand people take most of a second to write, and others are waiting."""
        counts = await self._site.counts(who)
        return await asyncio.to_thread(
            self._site.page, request, template, who, status=status, watched=[], **counts, **values
        )


def state(meeting: Meeting, who: Visitor) -> dict[str, str]:
    """A meeting in a few words."""
    return {
        "title": cards.title(meeting.content),
        "span": who.dates.span(meeting.begin_at, meeting.end_at, clock=who.clock),
        "address": meeting.address or who._("Not given"),
        "reminder": telling.reminder(meeting.remind_min, who),
    }


def to(meeting_id: int, done: str) -> RedirectResponse:
    """To the meeting's page, which says what has been done (pages.tools)."""
    return RedirectResponse(f"/workbench/meetings/{meeting_id}?done={done}", 303)
