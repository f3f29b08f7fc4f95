"""The use cases of a person's workbench that the Open API has no call for: shelves, calendar, opening a card."""

from collections.abc import Sequence
from typing import Final

from huiyao import errors
from huiyao.model import Attendee, Card, Meeting, MsgStatus, Person, PushStatus
from huiyao.service import meetings
from huiyao.service.caller import Caller, Services
from huiyao.storage.contract import Place, Shelf

WAITING_SHOWN: Final = 100  # beyond that many nobody counts
MOST_IN_CALENDAR: Final = 500
MOST_OVERLAPS: Final = 20


async def shelf(
    services: Services, caller: Caller, shelf: Shelf, *, after: Place | None, size: int
) -> list[Card]:
    return await services.storage.shelf(
        caller.org.id, caller.uid, shelf, now=services.clock.now(), after=after, size=size
    )


async def waiting(services: Services, caller: Caller) -> int:
    """How many invitations wait for the caller's answer, counted up to WAITING_SHOWN."""
    return await services.storage.waiting(
        caller.org.id, caller.uid, now=services.clock.now(), at_most=WAITING_SHOWN
    )


async def calendar(services: Services, caller: Caller, *, begin_at: int, end_at: int) -> list[Card]:
    """The caller's cards in a window, MOST_IN_CALENDAR at the most."""
    return await services.storage.calendar(
        caller.org.id, caller.uid, begin_at=begin_at, end_at=end_at, size=MOST_IN_CALENDAR
    )


async def overlaps(services: Services, caller: Caller, meeting: Meeting) -> list[Card]:
    """Other meetings at the same time where the caller will be."""
    if meeting.end_at <= meeting.begin_at:
        return []
    found = await services.storage.calendar(
        caller.org.id, caller.uid, begin_at=meeting.begin_at, end_at=meeting.end_at, size=MOST_OVERLAPS
    )
    return [one for one in found if one.meeting.id != meeting.id and engaged(one)]


def engaged(card: Card) -> bool:
    """Whether its reader will be there: they accepted, or called it and have not declined; and it is not cancelled."""
    if card.meeting.push_status == PushStatus.CANCELLED:
        return False
    return card.me.msg_status == MsgStatus.ACCEPTED or (
        card.me.organizer and card.me.msg_status != MsgStatus.DECLINED
    )


async def open_card(
    services: Services, caller: Caller, meeting_id: int
) -> tuple[Meeting, list[Attendee], Attendee]:
    """The meeting with all its rows and the caller's own, marked as read, its messages too. Raises NoSuchMeeting."""
    meeting, attendees = await meetings.detail(services, caller, meeting_id)
    me = next(one for one in attendees if one.uid == caller.uid)
    if me.listed and me.msg_status == MsgStatus.UNREAD:
        await meetings.read(services, caller, meeting_id)
        meeting, attendees = await meetings.detail(services, caller, meeting_id)
        me = next(one for one in attendees if one.uid == caller.uid)
    await services.storage.mark_meeting_read(caller.org.id, caller.uid, meeting_id, now=services.clock.now())
    return meeting, attendees, me


def card_of(meeting: Meeting, attendees: Sequence[Attendee], me: Attendee) -> Card:
    """The card of a meeting whose rows are at hand."""
    listed = [one.msg_status for one in attendees if one.listed]
    accepted, declined = listed.count(MsgStatus.ACCEPTED), listed.count(MsgStatus.DECLINED)
    return Card(
        meeting=meeting,
        me=me,
        accepted=accepted,
        declined=declined,
        waiting=len(listed) - accepted - declined,
    )


async def linked(
    services: Services, org_id: int, meeting_id: int, link_id: int
) -> tuple[Caller, Person | None, Meeting, list[Attendee], Attendee]:
    """Whose row it is, and the meeting. Changes nothing.

    Raises NoSuchMeeting where there is no such row, or the person is no longer part of it.
    """
    found = await services.storage.linked(org_id, meeting_id, link_id)
    org = await services.storage.org(org_id) if found else None
    if found is None or org is None:
        raise errors.NoSuchMeeting
    caller = Caller(app_id=None, org=org, uid=found[1].uid)
    person = await services.storage.person(org_id, caller.uid)
    meeting, attendees = await meetings.detail(services, caller, meeting_id)
    me = next(one for one in attendees if one.uid == caller.uid)
    return caller, person, meeting, attendees, me
