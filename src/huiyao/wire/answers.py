"""What each call gives back, as JSON. The structs are the shapes on the wire, one per object.

Contract sections 1, 4, 5 and 6: ids, states and moments are numbers, names and texts strings, flags booleans.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from huiyao.model import Attendee, Meeting, Message, Part
from huiyao.rules.freebusy import Interval, Times
from huiyao.storage.contract import ChangesPage
from huiyao.wire import cursor

_encode: Final = msgspec.json.Encoder().encode


class Token(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    access_token: str
    expires_in: int  # seconds from now
    expire_time: int  # the same moment, milliseconds
    jsapi_ticket: str


class Created(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    meeting_invite_id: int


class CreatedMeeting(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    meeting_invite_id: int
    meeting_id: int


class Member(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    uid: str
    name: str
    msg_status: int
    remind: bool
    is_remind: bool  # the same: the Java client's name for it


class Detail(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    create_time: int
    content: str
    address: str
    begin_time: int
    end_time: int
    remind_min: int
    remind_type: int
    members: list[Member]


class MeetingInvite(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The first generation's detail."""

    meeting_invite_id: int
    org_id: int
    creater_id: str
    creater_name: str
    push_status: int
    sequence: int
    detail: Detail


class LaterMember(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    uid: str
    name: str
    status: int
    is_remind: bool
    gmt_reply: str  # yyyy-MM-dd HH:mm:ss in the organisation's zone, or ""
    is_delete: bool
    is_binding_mail: bool
    reply: str | msgspec.UnsetType = msgspec.UNSET


class LaterCreator(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    uid: str
    name: str
    is_remind: bool
    is_delete: bool
    is_binding_mail: bool


class LaterDetail(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What follows `members` is the platform's; Huiyao does not act on it, but its clients read it."""

    create_time: int
    content: str
    address: str
    begin_time: int
    end_time: int
    remind_min: int
    remind_type: int
    members: list[LaterMember]
    org_id: int
    voice_length: int = 0
    comments: int = 0
    signs: int = 0
    meeting_room_id: int = 0
    room_org_id: int = 0
    room_addr_id: int = 0
    meet_room_approve_status: int = -1
    is_permit_other_sign: int = 0


class LaterMeeting(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The later generation's detail."""

    creator: LaterCreator
    status: int
    detail: LaterDetail
    remind_again_time: int  # when members were last nudged, or 0
    sign_model: int = 0
    is_sign: bool = False


class Item(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    message_id: int
    kind: str
    meeting_invite_id: int
    text: str
    create_time: int
    read: bool


class Inbox(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    items: list[Item]
    unread: int
    next_cursor: str


class Card(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A meeting on the requester's workbench, with their own part in it."""

    meeting_invite_id: int
    org_id: int
    creater_id: str
    creater_name: str
    push_status: int
    sequence: int
    content: str
    address: str
    begin_time: int
    end_time: int
    remind_min: int
    remind_type: int
    remind: bool
    is_remind: bool  # the same: the Java client's name for it
    reply: str
    msg_status: int | msgspec.UnsetType = msgspec.UNSET  # a creator who is no member has none


class Cards(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    items: list[Card]  # the newest meeting first
    next_cursor: str | msgspec.UnsetType = msgspec.UNSET  # absent at the end


class Span(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    begin_time: int
    end_time: int


class PersonTimes(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    uid: str
    busy: list[Span]
    tentative: list[Span]


class FreeBusy(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    items: list[PersonTimes]  # in the order asked


class MeetingNow(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    creater_id: str
    push_status: int
    sequence: int
    begin_time: int
    end_time: int


class MemberNow(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    remind: bool
    is_delete: bool  # whether the card has been removed
    msg_status: int | msgspec.UnsetType = msgspec.UNSET  # a creator who is no member has none


class Change(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A change as it was made, and how its meeting and who made it stand when the answer is given."""

    change_id: int
    meeting_invite_id: int
    kind: str
    uid: str  # who made it
    time: int
    meeting: MeetingNow
    member: MemberNow | msgspec.UnsetType = msgspec.UNSET  # absent where uid has been removed


class Changes(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    items: list[Change]
    next_cursor: str


class Ticket(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    ticket: str
    url: str
    expires_in: int  # seconds from now


def token(access_token: str, *, expires_at: int, now: int, ticket: str) -> bytes:
    return _encode(Token(access_token, round((expires_at - now) / 1000), expires_at, ticket))


def created(meeting_id: int) -> bytes:
    return b'{"meetingInviteId":%d}' % meeting_id


def created_meeting(meeting_id: int) -> bytes:
    return b'{"meetingInviteId":%d,"meetingId":%d}' % (meeting_id, meeting_id)


def meeting_invite(meeting: Meeting, attendees: Iterable[Attendee]) -> bytes:
    """The first generation's detail; `attendees` are all rows, in the order of their places."""
    members = [
        Member(one.uid, one.name, one.msg_status, one.remind, one.remind)
        for one in attendees
        if one.position >= 0 and one.removed_at is None
    ]
    return _encode(
        MeetingInvite(
            meeting.id,
            meeting.org_id,
            meeting.organizer_uid,
            meeting.organizer_name,
            meeting.push_status,
            meeting.sequence,
            Detail(
                meeting.create_time,
                meeting.content,
                meeting.address,
                meeting.begin_at,
                meeting.end_at,
                meeting.remind_min,
                meeting.remind_type,
                members,
            ),
        )
    )


def later_meeting(meeting: Meeting, attendees: Iterable[Attendee], *, timezone: str) -> bytes:
    """The later generation's detail; `timezone` is the organisation's."""
    zone = _zone(timezone)
    creator = None
    members = []
    for one in attendees:
        if one.organizer:
            creator = LaterCreator(
                one.uid,
                meeting.organizer_name,
                is_remind=one.remind,
                is_delete=one.card_removed_at is not None,
                is_binding_mail=False,
            )
        if one.listed:
            members.append(_later_member(one, zone))
    assert creator is not None  # the organizer's row is written with the meeting and never removed
    return _encode(
        LaterMeeting(
            creator,
            meeting.push_status,
            LaterDetail(
                meeting.create_time,
                meeting.content,
                meeting.address,
                meeting.begin_at,
                meeting.end_at,
                meeting.remind_min,
                meeting.remind_type,
                members,
                meeting.org_id,
            ),
            meeting.nudged_at or 0,
        )
    )


def inbox(messages: Iterable[tuple[Message, str]], *, unread: int, next_cursor: str) -> bytes:
    """Messages, each with its text; oldest first."""
    items = [
        Item(one.id, one.kind, one.meeting_id, text, one.created_at, one.read_at is not None)
        for one, text in messages
    ]
    return _encode(Inbox(items, unread, next_cursor))


def cards(found: Iterable[tuple[Meeting, Attendee]], *, below: int | None) -> bytes:
    """Meetings with the requester's row in each; `below` is the id below which there are more."""
    items = [
        Card(
            meeting.id,
            meeting.org_id,
            meeting.organizer_uid,
            meeting.organizer_name,
            meeting.push_status,
            meeting.sequence,
            meeting.content,
            meeting.address,
            meeting.begin_at,
            meeting.end_at,
            meeting.remind_min,
            meeting.remind_type,
            me.remind,
            me.remind,
            me.reply,
            me.msg_status if me.listed else msgspec.UNSET,
        )
        for meeting, me in found
    ]
    return _encode(Cards(items, msgspec.UNSET if below is None else cursor.write_below(below)))


def changes(page: ChangesPage) -> bytes:
    items = [
        Change(
            one.id,
            one.meeting_id,
            one.kind,
            one.actor_uid,
            one.at,
            MeetingNow(one.organizer_uid, one.push_status, one.sequence, one.begin_at, one.end_at),
            msgspec.UNSET if one.part is None else _member_now(one.part),
        )
        for one in page.changes
    ]
    return _encode(Changes(items, cursor.write_changes(page.end)))


def freebusy(times: Mapping[str, Times]) -> bytes:
    return _encode(
        FreeBusy([PersonTimes(uid, _spans(one.busy), _spans(one.tentative)) for uid, one in times.items()])
    )


def ticket(text: str, *, url: str, expires_in: int) -> bytes:
    return _encode(Ticket(text, url, expires_in))


def _member_now(part: Part) -> MemberNow:
    status = msgspec.UNSET if part.msg_status is None else part.msg_status
    return MemberNow(part.remind, part.card_removed, status)


def _spans(intervals: Iterable[Interval]) -> list[Span]:
    return [Span(one.begin_at, one.end_at) for one in intervals]


def _later_member(one: Attendee, zone: ZoneInfo) -> LaterMember:
    answered = ""
    if one.answered_at is not None:
        answered = f"{datetime.fromtimestamp(one.answered_at / 1000, zone):%Y-%m-%d %H:%M:%S}"
    return LaterMember(
        one.uid,
        one.name,
        one.msg_status,
        is_remind=one.remind,
        gmt_reply=answered,
        is_delete=one.card_removed_at is not None,
        is_binding_mail=False,
        reply=one.reply or msgspec.UNSET,
    )


@lru_cache(maxsize=1000)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
