"""Changing a meeting, with a look at who will be told what before anything is sent; calling it off."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from huiyao import errors
from huiyao.model import Attendee, Meeting, PushStatus
from huiyao.pages import cards, checking, desk, editor, forms, telling
from huiyao.pages.desk import Desk, to
from huiyao.pages.invitations import explain
from huiyao.pages.picking import Picking, Step
from huiyao.pages.visitor import Visitor
from huiyao.rules import commands
from huiyao.service import meetings, planning
from huiyao.service.caller import Services

# The buttons of the preview, and what the meeting's page then says.
_DONE: Final = {"send": "updated", "quiet": "silent", "keep": "saved"}


class Changing:
    """The handlers; their routes are pages.organize's."""

    def __init__(self, services: Services, desk: Desk, picking: Picking) -> None:
        self._services = services
        self._desk = desk
        self._picking = picking

    async def edit(self, request: Request, who: Visitor) -> Response:
        meeting, attendees = await self._desk.load(request, who)
        if meeting.push_status == PushStatus.CANCELLED:
            return to(meeting.id, "gone")
        draft = editor.of_meeting(meeting, attendees, who)
        return await self._desk.form(request, who, Step(draft=draft), meeting=meeting)

    async def change(self, request: Request, who: Visitor) -> Response:
        """From the form to the preview, and from there (do=send, do=quiet) into the meeting."""
        form = await forms.read(request)
        meeting, attendees = await self._desk.load(request, who)
        if meeting.push_status == PushStatus.CANCELLED:
            return to(meeting.id, "gone")
        step = await self._picking.take(form, who)
        draft = step.draft
        if draft.sequence is None:
            raise HTTPException(400)
        if step.stays:
            return await self._desk.form(request, who, step, meeting=meeting)
        checked = await checking.check(
            self._services,
            who,
            draft,
            max_members=self._desk.most,
            before=meeting,
            attendees=attendees,
        )
        if checked.detail is None:
            return await self._desk.form(
                request, who, step, meeting=meeting, faults=checked.faults, status=422
            )
        do = form.get("do")
        command = commands.Update(detail=checked.detail, silent=do == "quiet", sequence=draft.sequence)
        try:
            if do in _DONE:
                await meetings.update(self._services, who.caller, meeting.id, command)
                return to(meeting.id, _DONE[do])
            return await self._preview(request, who, step, command, meeting, attendees)
        except errors.MeetingCancelled:
            return to(meeting.id, "gone")
        except errors.SequenceChanged:
            meeting, attendees = await self._desk.load(request, who)
            again = msgspec.structs.replace(draft, sequence=meeting.sequence)
            return await self._desk.form(
                request,
                who,
                msgspec.structs.replace(step, draft=again),
                meeting=meeting,
                newest=meeting,
                problem=who._(
                    "The meeting has been changed meanwhile. What you entered is still here; it replaces"
                    " what is there now."
                ),
                status=409,
            )

    async def cancelling(self, request: Request, who: Visitor) -> Response:
        meeting, attendees = await self._desk.load(request, who)
        return await self._confirm(request, who, meeting, attendees)

    async def cancel(self, request: Request, who: Visitor) -> Response:
        form = await forms.read(request)
        sequence = form.number("sequence")
        meeting, attendees = await self._desk.load(request, who)
        if sequence is None:
            raise HTTPException(400)
        try:
            await meetings.cancel(self._services, who.caller, meeting.id, commands.Cancel(sequence=sequence))
        except errors.SequenceChanged as error:
            meeting, attendees = await self._desk.load(request, who)
            return await self._confirm(
                request, who, meeting, attendees, problem=explain(error, who), status=409
            )
        return to(meeting.id, "cancelled")

    async def _preview(
        self,
        request: Request,
        who: Visitor,
        step: Step,
        command: commands.Update,
        meeting: Meeting,
        attendees: Sequence[Attendee],
    ) -> Response:
        """Raises MeetingCancelled, SequenceChanged."""
        since = await self._services.storage.horizon()
        found = planning.of_update(self._services, who.caller, meeting, attendees, command)
        if found is None:
            unchanged = who._("Nothing has changed, so nothing was saved and nobody is told.")
            return await self._desk.form(request, who, step, meeting=meeting, problem=unchanged)
        values: dict[str, Any] = {
            "draft": step.draft,
            "meeting": meeting,
            "title": cards.title(command.detail.content),
            "differences": telling.differences(meeting, command.detail, who),
            "lines": telling.lines(found, who),
            "again": telling.asked_again(found, who),
            "warnings": await self._desk.warnings(who, command.detail, without=meeting.id),
        }
        return await self._desk.whole(request, "preview.html", who, since=since, **values)

    async def _confirm(
        self,
        request: Request,
        who: Visitor,
        meeting: Meeting,
        attendees: Sequence[Attendee],
        *,
        problem: str = "",
        status: int = 200,
    ) -> Response:
        since = await self._services.storage.horizon()
        found = planning.of_cancel(self._services, who.caller, meeting, attendees)
        if found is None:
            return to(meeting.id, "gone")
        values: dict[str, Any] = {
            "meeting": meeting,
            "state": desk.state(meeting, who),
            "lines": telling.lines(found, who),
            "problem": problem,
        }
        return await self._desk.whole(request, "cancel.html", who, since=since, status=status, **values)
