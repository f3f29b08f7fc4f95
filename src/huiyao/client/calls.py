"""The table of calls: what each is named, what it takes, what it answers, and whether it may be repeated.

Contract sections 4 and 6. Parameters have the wire's names; the surface (asynchronous.py) has this library's.
"""

from datetime import datetime
from types import NoneType
from typing import Final, Generic, Literal, TypeVar

import msgspec

from huiyao.client import answers
from huiyao.client.answers import Invitee, MsgStatus, RemindType, Role
from huiyao.client.reading import milliseconds

PREFIX: Final = "workbench/meetinginvite/"

P = TypeVar("P", bound="Parameters")
T = TypeVar("T")


class Parameters(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The body of a call; what is None is left out."""

    requester_uid: str


class Call(msgspec.Struct, Generic[P, T], frozen=True):
    name: str
    parameters: type[P]
    answer: type[T]
    safe: bool = True  # to repeat where nobody knows whether it was done

    @property
    def path(self) -> str:
        return PREFIX + self.name


class Detail(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    create_time: int
    content: str
    address: str
    begin_time: int
    end_time: int
    remind_min: int
    remind_type: RemindType
    members: list[Invitee]


class Create(Parameters, frozen=True):
    requester_name: str
    detail: Detail
    notify: Literal["none"] | None = None


class OneMeeting(Parameters, frozen=True):
    meeting_invite_id: int


class Update(OneMeeting, frozen=True):
    detail: Detail
    notify: Literal["none"] | None = None
    sequence: int | None = None


class Cancel(OneMeeting, frozen=True):
    sequence: int | None = None


class Respond(OneMeeting, frozen=True):
    msg_status: MsgStatus
    reply: str = ""
    sequence: int | None = None


class Remind(OneMeeting, frozen=True):
    remind: bool


class List(Parameters, frozen=True):
    begin_time: int | None = None
    end_time: int | None = None
    msg_status: MsgStatus | None = None
    role: Role | None = None
    size: int | None = None
    cursor: str | None = None


class Inbox(Parameters, frozen=True):
    cursor: str | None = None
    size: int | None = None


class Changes(Parameters, frozen=True):
    cursor: str | None = None
    size: int | None = None


class InboxRead(Parameters, frozen=True):
    message_id: int


class FreeBusy(Parameters, frozen=True):
    uids: list[str]
    begin_time: int
    end_time: int


# Safe because it always carries an Idempotency-Key.
CREATE: Final = Call("create", Create, answers.Created)
UPDATE: Final = Call("update", Update, NoneType)
CANCEL: Final = Call("cancel", Cancel, NoneType)
DELETE: Final = Call("delete", OneMeeting, NoneType)
DETAIL: Final = Call("detail", OneMeeting, answers.MeetingInvite)
READ: Final = Call("read", OneMeeting, NoneType)
RESPOND: Final = Call("respond", Respond, NoneType)
REMIND: Final = Call("remind", Remind, NoneType)
# A repetition nudges nobody twice, but is refused for having come too soon, which the caller could not tell from a
# refusal of the first.
NUDGE: Final = Call("remindagain", OneMeeting, NoneType, safe=False)
LIST: Final = Call("list", List, answers.Cards)
INBOX: Final = Call("inbox", Inbox, answers.Inbox)
INBOX_READ: Final = Call("inboxread", InboxRead, NoneType)
FREEBUSY: Final = Call("freebusy", FreeBusy, answers.FreeBusy)
CHANGES: Final = Call("changes", Changes, answers.Changes)
TICKET: Final = Call("ticket", Parameters, answers.Ticket)


def detail(
    *,
    created: datetime,
    content: str,
    address: str,
    begin: datetime,
    end: datetime,
    remind_minutes: int,
    remind_type: RemindType,
    members: list[Invitee],
) -> Detail:
    return Detail(
        create_time=milliseconds(created),
        content=content,
        address=address,
        begin_time=milliseconds(begin),
        end_time=milliseconds(end),
        remind_min=remind_minutes,
        remind_type=remind_type,
        members=[Invitee(one.uid, one.name) for one in members],  # a Member has more to it
    )
