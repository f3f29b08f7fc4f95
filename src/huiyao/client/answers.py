"""What calls answer, as frozen values with aware datetimes.

Names are this library's; what the wire calls them stands beside (contract sections 4 and 6). A field that a newer
server adds is ignored.
"""

from enum import IntEnum
from typing import Literal

import msgspec

from huiyao.client.reading import Moment


class PushStatus(IntEnum):
    PENDING = 0  # the invitation is not yet in every inbox it is meant for
    PUSHED = 1
    CANCELLED = 2


class MsgStatus(IntEnum):
    """How far a member has come with the invitation."""

    UNREAD = 0
    READ = 1
    ACCEPTED = 2
    DECLINED = 3


class RemindType(IntEnum):
    IN_APP = 0
    SMS = 1  # by SMS as well as in the app


Role = Literal["created", "invited"]


class Invitee(msgspec.Struct, frozen=True):
    """Whom to invite."""

    uid: str
    name: str


class Member(Invitee, frozen=True, rename="camel"):
    """A member of a meeting, who can be invited again as they are."""

    msg_status: MsgStatus
    remind: bool  # whether they want to be reminded


class _Detail(msgspec.Struct, frozen=True, rename="camel"):
    create_time: Moment
    content: str
    address: str
    begin_time: Moment
    end_time: Moment
    remind_min: int
    remind_type: RemindType
    members: tuple[Member, ...]


class MeetingInvite(msgspec.Struct, frozen=True, rename="camel"):
    """A Meeting in the shape it has on the wire."""

    meeting_invite_id: int
    org_id: int
    creater_id: str
    creater_name: str
    push_status: PushStatus
    sequence: int
    detail: _Detail

    def flat(self) -> "Meeting":
        detail = self.detail
        return Meeting(
            id=self.meeting_invite_id,
            org_id=self.org_id,
            creator_uid=self.creater_id,
            creator_name=self.creater_name,
            push_status=self.push_status,
            sequence=self.sequence,
            created=detail.create_time,
            content=detail.content,
            address=detail.address,
            begin=detail.begin_time,
            end=detail.end_time,
            remind_minutes=detail.remind_min,
            remind_type=detail.remind_type,
            members=detail.members,
        )


class Meeting(msgspec.Struct, frozen=True, kw_only=True):
    """A meeting invitation with its members, in the order they were given."""

    id: int
    org_id: int
    creator_uid: str
    creator_name: str
    push_status: PushStatus
    sequence: int  # rises with every change; what `update` guards with
    created: Moment  # by the creating app's reckoning
    content: str
    address: str
    begin: Moment
    end: Moment
    remind_minutes: int  # before the beginning
    remind_type: RemindType
    members: tuple[Member, ...]


class Card(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "id": "meetingInviteId",
        "org_id": "orgId",
        "creator_uid": "createrId",
        "creator_name": "createrName",
        "push_status": "pushStatus",
        "begin": "beginTime",
        "end": "endTime",
        "remind_minutes": "remindMin",
        "remind_type": "remindType",
        "msg_status": "msgStatus",
    },
):
    """A meeting on a person's workbench, with their own part in it."""

    id: int
    org_id: int
    creator_uid: str
    creator_name: str
    push_status: PushStatus
    sequence: int
    content: str
    address: str
    begin: Moment
    end: Moment
    remind_minutes: int
    remind_type: RemindType
    remind: bool
    reply: str
    msg_status: MsgStatus | None = None  # a creator who is no member has none


class Cards(msgspec.Struct, frozen=True, rename="camel"):
    """One page of `list`."""

    items: tuple[Card, ...]
    next_cursor: str | None = None


class Message(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"id": "messageId", "meeting_id": "meetingInviteId", "created": "createTime"},
):
    """One entry of a person's in-app inbox."""

    id: int
    kind: str  # invited, updated, cancelled, removed, reminder, nudged, answered
    meeting_id: int
    text: str
    created: Moment
    read: bool


class Inbox(msgspec.Struct, frozen=True, rename={"messages": "items", "cursor": "nextCursor"}):
    messages: tuple[Message, ...]  # newest last
    unread: int  # of the whole inbox
    cursor: str  # ask again with it for what comes after


class Span(msgspec.Struct, frozen=True, rename={"begin": "beginTime", "end": "endTime"}):
    begin: Moment
    end: Moment


class Times(msgspec.Struct, frozen=True):
    """When one person is not free."""

    uid: str
    busy: tuple[Span, ...]  # accepted, or the creator
    tentative: tuple[Span, ...]  # not answered


class FreeBusy(msgspec.Struct, frozen=True):
    items: tuple[Times, ...]


class MeetingNow(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "creator_uid": "createrId",
        "push_status": "pushStatus",
        "begin": "beginTime",
        "end": "endTime",
    },
):
    """A changed meeting as it stood when `changes` answered."""

    creator_uid: str
    push_status: PushStatus
    sequence: int
    begin: Moment
    end: Moment


class MemberNow(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"card_removed": "isDelete", "msg_status": "msgStatus"},
):
    """The part in it of whoever changed it, as it stood when `changes` answered."""

    remind: bool
    card_removed: bool
    msg_status: MsgStatus | None = None  # a creator who is no member has none


class Change(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"id": "changeId", "meeting_id": "meetingInviteId", "at": "time"},
):
    """One thing that was done to one meeting."""

    id: int
    meeting_id: int
    kind: str  # created, updated, cancelled, nudged; by a member: read, responded, remind, deleted
    uid: str  # who did it
    at: Moment
    meeting: MeetingNow
    member: MemberNow | None = None  # None where uid has been removed from the meeting


class Changes(msgspec.Struct, frozen=True, rename={"changes": "items", "cursor": "nextCursor"}):
    changes: tuple[Change, ...]
    cursor: str  # keep it, and ask again with it for what comes after


class Ticket(msgspec.Struct, frozen=True, rename={"expires_in_seconds": "expiresIn"}):
    ticket: str
    url: str  # for that person's browser only: whoever opens it is signed in as them
    expires_in_seconds: int


class Created(msgspec.Struct, frozen=True, rename="camel"):
    meeting_invite_id: int


class Token(msgspec.Struct, frozen=True, rename="camel"):
    access_token: str
    expires_in: int  # seconds from now
