"""Organizing: a new meeting, nudging, the answers' file; and the routes to changing and cancelling."""

from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from huiyao import errors
from huiyao.openapi.repeating import KEY_LIVES_MS
from huiyao.pages import answers_file, checking, editor, forms
from huiyao.pages.changing import Changing
from huiyao.pages.desk import Desk, to
from huiyao.pages.picking import Picking, Step, query
from huiyao.pages.site import Site
from huiyao.pages.visitor import Visitor
from huiyao.rules import commands
from huiyao.service import meetings, planning

LONGEST_KEY: Final = 64
NEW: Final = "/workbench/new"


class Organize:
    def __init__(self, site: Site) -> None:
        self._services = site.services
        self._desk = Desk(site)
        self._picking = Picking(site)

    def routes(self) -> list[Route]:
        changing = Changing(self._services, self._desk, self._picking)
        only, one = self._picking.only, "/workbench/meetings/{meeting:id}"
        return [
            *self._picking.routes(),
            Route(NEW, only(self.new), methods=["GET"]),
            Route(NEW, only(self.create), methods=["POST"]),
            Route(f"{one}/edit", only(changing.edit), methods=["GET"]),
            Route(f"{one}/edit", only(changing.change), methods=["POST"]),
            Route(f"{one}/cancel", only(changing.cancelling), methods=["GET"]),
            Route(f"{one}/cancel", only(changing.cancel), methods=["POST"]),
            Route(f"{one}/nudge", only(self.nudge), methods=["POST"]),
            Route(f"{one}/answers.csv", only(self.answers), methods=["GET"]),
        ]

    async def new(self, request: Request, who: Visitor) -> Response:
        """An empty form; the calendar names ?begin= and ?end=."""
        asked = query(request)
        try:
            draft = editor.blank(who, begin_at=asked.number("begin"), end_at=asked.number("end"))
        except (ValueError, OverflowError, OSError):  # no moment of any calendar
            draft = editor.blank(who, begin_at=None, end_at=None)
        return await self._desk.form(request, who, Step(draft=draft))

    async def create(self, request: Request, who: Visitor) -> Response:
        """Make the meeting, and go to its page; the form again where anything is wrong or worth a second look."""
        form = await forms.read(request)
        step = await self._picking.take(form, who)
        draft = step.draft
        if step.stays:
            return await self._desk.form(request, who, step)
        if len(draft.key) > LONGEST_KEY:
            raise HTTPException(400)
        checked = await checking.check(self._services, who, draft, max_members=self._desk.most)
        if checked.detail is None:
            return await self._desk.form(request, who, step, faults=checked.faults, status=422)
        command = commands.Create(
            requester_name=who.name,
            detail=checked.detail,
            # No key of an app's begins like this.
            repeat_key=f"#{draft.key}" if draft.key else None,
            repeat_for=KEY_LIVES_MS,
            fingerprint=draft.fingerprint(),
        )
        warnings = await self._desk.warnings(who, checked.detail, without=None)
        # What was sent twice overlaps with itself.
        if warnings.token not in ("", draft.warned) and not await planning.is_repetition(
            self._services, who.caller, command.repeat_key
        ):
            return await self._desk.form(request, who, step, unseen=True)
        try:
            meeting_id = await meetings.create(self._services, who.caller, command)
        except errors.KeyReused:
            problem = who._(
                "A meeting has been made from this form already. Send it once more to make another one."
            )
            fresh = msgspec.structs.replace(step, draft=msgspec.structs.replace(draft, key=editor.new_key()))
            return await self._desk.form(request, who, fresh, problem=problem, status=409)
        return to(meeting_id, "created")

    async def nudge(self, request: Request, who: Visitor) -> Response:
        meeting, _ = await self._desk.load(request, who)
        try:
            await meetings.nudge(self._services, who.caller, meeting.id)
        except errors.NudgedLately:
            return to(meeting.id, "early")
        except errors.MeetingOver:
            return to(meeting.id, "over")
        except errors.MeetingCancelled:
            return to(meeting.id, "gone")
        return to(meeting.id, "nudged")

    async def answers(self, request: Request, who: Visitor) -> Response:
        """The list of answers as CSV."""
        meeting, attendees = await self._desk.load(request, who)
        return Response(
            answers_file.content(attendees, who),
            headers={"content-disposition": answers_file.disposition(meeting, who)},
            media_type="text/csv; charset=utf-8",
        )
