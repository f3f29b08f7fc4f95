"""A typed Python client of the Open API (docs/client.md). It shares nothing with the server but the package it is in.

`AsyncHuiyao` for asyncio, `Huiyao` for threads: the same calls, the same rules. Callbacks: huiyao.client.callbacks.
"""

from huiyao.client.answers import (
    Card,
    Change,
    Changes,
    Inbox,
    Invitee,
    Meeting,
    MeetingNow,
    Member,
    MemberNow,
    Message,
    MsgStatus,
    PushStatus,
    RemindType,
    Role,
    Span,
    Ticket,
    Times,
)
from huiyao.client.asynchronous import AsyncHuiyao, AsyncPerson
from huiyao.client.errors import ApiError, HuiyaoError, TransportError, Unanswered, Unreachable
from huiyao.client.reading import Moment
from huiyao.client.session import Patience
from huiyao.client.synchronous import Huiyao, Person

__all__ = [
    "ApiError",
    "AsyncHuiyao",
    "AsyncPerson",
    "Card",
    "Change",
    "Changes",
    "Huiyao",
    "HuiyaoError",
    "Inbox",
    "Invitee",
    "Meeting",
    "MeetingNow",
    "Member",
    "MemberNow",
    "Message",
    "Moment",
    "MsgStatus",
    "Patience",
    "Person",
    "PushStatus",
    "RemindType",
    "Role",
    "Span",
    "Ticket",
    "Times",
    "TransportError",
    "Unanswered",
    "Unreachable",
]
