"""What each call gives back, as JSON. The structs are the shapes on the wire, one per object.

Contract sections 1, 4, 5 and 6: ids, states and moments are numbers, names and texts strings, flags booleans.
The annotations are for the OpenAPI document, which must describe exactly what is answered.
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
from huiyao.wire import bounds, cursor

_encode: Final = msgspec.json.Encoder().encode


class _Answer(msgspec.Struct, frozen=True, gc=False, rename="camel", forbid_unknown_fields=True):
    """That unknown fields are forbidden stands in the document, too: an answer has no other key."""


class Token(_Answer, frozen=True):
    access_token: bounds.AccessToken
    expires_in: bounds.Count  # seconds from now
    expire_time: bounds.Moment  # the same moment, milliseconds
    jsapi_ticket: bounds.JsapiTicket


class Created(_Answer, frozen=True):
    meeting_invite_id: bounds.Id


class CreatedMeeting(_Answer, frozen=True):
    meeting_invite_id: bounds.Id
    meeting_id: bounds.Id


class Member(_Answer, frozen=True):
    uid: bounds.Uid
    name: bounds.Name
    msg_status: bounds.MsgState
    remind: bool
    is_remind: bool  # the same: the Java client's name for it


class Detail(_Answer, frozen=True):
    create_time: bounds.Moment
    content: bounds.Content
    address: bounds.Place
    begin_time: bounds.Moment
    end_time: bounds.Moment
    remind_min: bounds.RemindMin
    remind_type: bounds.RemindBy
    members: list[Member]


class MeetingInvite(_Answer, frozen=True):
    """The first generation's detail."""

    meeting_invite_id: bounds.Id
    org_id: bounds.OrgId
    creater_id: bounds.Uid
    creater_name: bounds.Name
    push_status: bounds.PushState
    sequence: bounds.Count
    detail: Detail


class LaterMember(_Answer, frozen=True):
    uid: bounds.Uid
    name: bounds.Name
    status: bounds.MsgState
    is_remind: bool
    gmt_reply: bounds.LocalTime  # yyyy-MM-dd HH:mm:ss in the organisation's zone, or ""
    is_delete: bool
    is_binding_mail: bounds.Never
    reply: bounds.Reply | msgspec.UnsetType = msgspec.UNSET


class LaterCreator(_Answer, frozen=True):
    uid: bounds.Uid
    name: bounds.Name
    is_remind: bool
    is_delete: bool
    is_binding_mail: bounds.Never


class LaterDetail(_Answer, frozen=True):
    """What follows `members` is the platform's; Huiyao does not act on it, but its clients read it."""

    create_time: bounds.Moment
    content: bounds.Content
    address: bounds.Place
    begin_time: bounds.Moment
    end_time: bounds.Moment
    remind_min: bounds.RemindMin
    remind_type: bounds.RemindBy
    members: list[LaterMember]
    org_id: bounds.OrgId
    voice_length: bounds.Zero = 0
    comments: bounds.Zero = 0
    signs: bounds.Zero = 0
    meeting_room_id: bounds.Zero = 0
    room_org_id: bounds.Zero = 0
    room_addr_id: bounds.Zero = 0
    meet_room_approve_status: bounds.MinusOne = -1
    is_permit_other_sign: bounds.Zero = 0


class LaterMeeting(_Answer, frozen=True):
    """The later generation's detail."""

    creator: LaterCreator
    status: bounds.PushState
    detail: LaterDetail
    remind_again_time: bounds.Moment  # when members were last nudged, or 0
    sign_model: bounds.Zero = 0
    is_sign: bounds.Never = False


class Item(_Answer, frozen=True):
    message_id: bounds.Id
    kind: bounds.MessageKind
    meeting_invite_id: bounds.Id
    text: bounds.Written
    create_time: bounds.Moment
    read: bool


class Inbox(_Answer, frozen=True):
    items: list[Item]
    unread: bounds.Count
    next_cursor: bounds.InboxPlace


class Card(_Answer, frozen=True):
    """A meeting on the requester's workbench, with their own part in it."""

    meeting_invite_id: bounds.Id
    org_id: bounds.OrgId
    creater_id: bounds.Uid
    creater_name: bounds.Name
    push_status: bounds.PushState
    sequence: bounds.Count
    content: bounds.Content
    address: bounds.Place
    begin_time: bounds.Moment
    end_time: bounds.Moment
    remind_min: bounds.RemindMin
    remind_type: bounds.RemindBy
    remind: bool
    is_remind: bool  # the same: the Java client's name for it
    reply: bounds.Reply
    msg_status: bounds.MsgState | msgspec.UnsetType = msgspec.UNSET  # a creator who is no member has none


class Cards(_Answer, frozen=True):
    items: list[Card]  # the newest meeting first
    next_cursor: bounds.ListPlace | msgspec.UnsetType = msgspec.UNSET  # absent at the end


class Span(_Answer, frozen=True):
    begin_time: bounds.Moment
    end_time: bounds.Moment


class PersonTimes(_Answer, frozen=True):
    uid: bounds.Uid
    busy: list[Span]
    tentative: list[Span]


class FreeBusy(_Answer, frozen=True):
    items: list[PersonTimes]  # in the order asked


class MeetingNow(_Answer, frozen=True):
    creater_id: bounds.Uid
    push_status: bounds.PushState
    sequence: bounds.Count
    begin_time: bounds.Moment
    end_time: bounds.Moment


class MemberNow(_Answer, frozen=True):
    remind: bool
    is_delete: bool  # whether the card has been removed
    msg_status: bounds.MsgState | msgspec.UnsetType = msgspec.UNSET  # a creator who is no member has none


class Change(_Answer, frozen=True):
    """A change as it was made, and how its meeting and who made it stand when the answer is given."""

    change_id: bounds.Id
    meeting_invite_id: bounds.Id
    kind: bounds.ChangeKind
    uid: bounds.Uid  # who made it
    time: bounds.Moment
    meeting: MeetingNow
    member: MemberNow | msgspec.UnsetType = msgspec.UNSET  # absent where uid has been removed


class Changes(_Answer, frozen=True):
    items: list[Change]
    next_cursor: bounds.ChangesPlace


class Ticket(_Answer, frozen=True):
    ticket: bounds.Ticket
    url: bounds.Url
    expires_in: bounds.Count  # seconds from now


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
