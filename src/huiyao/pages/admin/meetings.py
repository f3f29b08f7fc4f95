"""Meetings: one found by its id, with its facts, who is invited, who changed what when, and its texts."""

from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from huiyao.model import Attendee, Entry, Meeting, MsgStatus, Org, PushStatus
from huiyao.pages import cards
from huiyao.pages.admin import entries, people
from huiyao.pages.admin.deliveries import line
from huiyao.pages.admin.desk import Desk, Refusal, identifier, path_id, sought
from huiyao.pages.catalog import N_
from huiyao.storage.contract import HistoryPage, Position, Wanted

ATTENDEES_SHOWN: Final = 200
ENTRIES_SHOWN: Final = 100
TEXTS_SHOWN: Final = 20

_STATES: Final[dict[int, tuple[str, str]]] = {  # with how the badge looks
    PushStatus.PENDING: (N_("Being told"), "warn"),
    PushStatus.PUSHED: (N_("Everybody is told"), "good"),
    PushStatus.CANCELLED: (N_("Cancelled"), "bad"),
}


_TONES: Final[dict[int, str]] = {MsgStatus.ACCEPTED: "good", MsgStatus.DECLINED: "bad"}
_REMOVED: Final = N_("Removed")
_NOT_LISTED: Final = N_("Not on the list")


class Seen(msgspec.Struct, frozen=True):
    """Somebody's row as the page shows it."""

    attendee: Attendee
    state: str
    tone: str
    address: str  # of the person's page


class Row(msgspec.Struct, frozen=True):
    """An entry as the page shows it."""

    entry: Entry
    kind: str
    person: str  # of the actor's page; "" where it was nobody
    told: list[entries.Told]


class Meetings:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._storage = desk.storage

    def routes(self) -> list[Route]:
        return [
            self._desk.shows("/admin/meetings/{org}", self.find),
            self._desk.shows("/admin/meetings/{org}/{meeting}", self.show),
        ]

    async def find(self, request: Request, refusal: Refusal) -> Response:
        """The meeting whose id was typed, or the form once more."""
        org = await self._org(request)
        typed = sought(request.query_params.get("meeting", ""))
        meeting_id = identifier(typed)
        if meeting_id and (await self._storage.history(org.id, meeting_id, after=None, size=1)).entries:
            return RedirectResponse(address(org.id, meeting_id), 303)
        missing = "meeting" in request.query_params
        response = self._desk.page(
            request, "admin/meetings.html", refusal, org=org, typed=typed, missing=missing
        )
        response.status_code = 404 if missing else 200
        return response

    async def show(self, request: Request, refusal: Refusal) -> Response:
        org = await self._org(request)
        whole = await self._storage.whole_meeting(org.id, path_id(request, "meeting"))
        if whole is None:
            raise HTTPException(404)
        meeting, attendees = whole
        _ = self._desk.words(request)
        page = await self._history(meeting, after=_position(request.query_params.get("after", "")))
        more = len(page.entries) == ENTRIES_SHOWN and (await self._history(meeting, after=page.end)).entries
        wanted = Wanted(org_id=org.id, meeting_id=meeting.id, limit=TEXTS_SHOWN + 1)
        texts = await self._storage.deliveries(wanted)
        answers = Counter(one.msg_status for one in attendees if one.listed)
        state, tone = _STATES[meeting.push_status]
        return self._desk.page(
            request,
            "admin/meeting.html",
            refusal,
            org=org,
            meeting=meeting,
            title=cards.title(meeting.content),
            state=_(state),
            tone=tone,
            notices=_(entries.NOTICES[meeting.remind_type]),
            organizer=people.address(org.id, meeting.organizer_uid),
            tally=[(_(entries.ANSWERS[status]), answers[status]) for status in sorted(answers)],
            listed=answers.total(),
            attendees=[_seen(org, one, _) for one in sorted(attendees, key=_place)[:ATTENDEES_SHOWN]],
            unseen=max(0, len(attendees) - ATTENDEES_SHOWN),
            lines=[_row(org, one, _) for one in page.entries],
            behind="after" in request.query_params,
            later=f"?after={page.end.xid}.{page.end.id}" if more else "",
            texts=[line(self._desk, one, request) for one in texts[:TEXTS_SHOWN]],
            all_texts=f"/admin/deliveries?org={org.id}&meeting={meeting.id}" if texts else "",
        )

    async def _history(self, meeting: Meeting, *, after: Position | None) -> HistoryPage:
        return await self._storage.history(meeting.org_id, meeting.id, after=after, size=ENTRIES_SHOWN)

    async def _org(self, request: Request) -> Org:
        org = await self._storage.org(path_id(request, "org"))
        if org is None:
            raise HTTPException(404)
        return org


def address(org_id: int, meeting_id: int) -> str:
    """Of a meeting's page."""
    return f"/admin/meetings/{org_id}/{meeting_id}"


def _place(one: Attendee) -> tuple[bool, bool, int, str]:
    """Those on the list in its order, then an organizer who is not, then who was removed."""
    return not one.listed, one.removed_at is not None, one.position, one.uid


def _seen(org: Org, one: Attendee, _: Callable[[str], str]) -> Seen:
    if one.removed_at is not None:
        state, tone = _(_REMOVED), ""
    elif one.listed:
        state, tone = _(entries.ANSWERS[one.msg_status]), _TONES.get(one.msg_status, "")
    else:
        state, tone = _(_NOT_LISTED), ""
    return Seen(one, state, tone, people.address(org.id, one.uid))


def _row(org: Org, one: Entry, _: Callable[[str], str]) -> Row:
    person = people.address(org.id, one.actor_uid) if one.actor_uid else ""
    return Row(one, _(entries.KINDS[one.kind]), person, entries.told(one, _))


def _position(text: str) -> Position | None:
    """Behind which entry a page begins. Raises HTTPException 404 for what no page of ours asks for."""
    if not text:
        return None
    xid, entry_id = map(identifier, text.partition(".")[::2])
    if xid is None or entry_id is None:
        raise HTTPException(404)
    return Position(xid, entry_id)
