"""The data Huiyao is about, as frozen values without behaviour; everything above reads these names.

Moments (`*_at`, and `create_time`) are integers: milliseconds since 1970-01-01 UTC, as on the wire and in the
database (docs/decisions/0002-moments-are-milliseconds.md).
"""

from enum import IntEnum, StrEnum
from typing import Final

import msgspec


class PushStatus(IntEnum):
    """The wire's pushStatus."""

    PENDING = 0  # the invitation is not yet in every inbox it is meant for
    PUSHED = 1
    CANCELLED = 2


class DeliveryState(StrEnum):
    """How far a delivery has come (docs/sms.md). The last four are ends, unless a receipt says better."""

    PENDING = "pending"  # waits until due_at
    SENDING = "sending"  # a request may have been written; leased until lease_until
    SENT = "sent"  # the gateway took it; no receipt yet
    DELIVERED = "delivered"
    FAILED = "failed"
    SKIPPED = "skipped"  # no longer true, not wanted or not possible when the sender looked


class EventType(IntEnum):
    """What an app is told of by callback (contract section 7)."""

    TEST = 100  # of `huiyao callback test`: never stored
    PUSHED = 101
    READ = 102
    ACCEPTED = 103
    DECLINED = 104
    REMINDED = 105
    UPDATED = 106
    CANCELLED = 107
    FAILED = 108  # a delivery to a person, for good


class EventState(StrEnum):
    """How far an event has come (docs/callbacks.md). The last three are ends, unless it is replayed."""

    PENDING = "pending"
    SENDING = "sending"  # a request may have been written; its meeting's turn is leased
    DELIVERED = "delivered"
    FAILED = "failed"
    SKIPPED = "skipped"  # there was nobody to send it to any more


class CallbackStyle(StrEnum):
    PLATFORM = "platform"  # the open platform's own: signed with a token, encrypted with the appSecret
    STANDARD = "standard"  # Standard Webhooks


class MsgStatus(IntEnum):
    """The wire's msgStatus: how far a member has come with the invitation."""

    UNREAD = 0
    READ = 1
    ACCEPTED = 2
    DECLINED = 3


UNANSWERED = (MsgStatus.UNREAD, MsgStatus.READ)


class RemindType(IntEnum):
    IN_APP = 0
    SMS = 1


class Kind(StrEnum):
    """What a notice tells (design section 4; the wire's inbox kinds)."""

    INVITED = "invited"
    UPDATED = "updated"
    CANCELLED = "cancelled"
    REMOVED = "removed"
    REMINDER = "reminder"
    NUDGED = "nudged"
    ANSWERED = "answered"


class TaskKind(StrEnum):
    ANNOUNCE = "announce"  # tell what one Change of the organizer did
    REMIND = "remind"
    NUDGE = "nudge"
    ANSWERED = "answered"


class Topic(StrEnum):
    """What an announce task announces; with it, the audience is decided (rules.audience)."""

    CREATED = "created"
    MOVED = "moved"  # begin or end changed
    EDITED = "edited"  # only place or content changed
    LISTED = "listed"  # only the list of attendees changed
    CANCELLED = "cancelled"
    SILENT = "silent"  # nobody is told; pushStatus still moves


class Meeting(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One meeting invitation: a row of table `meeting`."""

    org_id: int
    id: int
    app_id: int
    organizer_uid: str
    organizer_name: str
    content: str
    address: str
    begin_at: int
    end_at: int
    remind_min: int  # minutes before begin_at, 0 to 40,320
    remind_type: int
    push_status: int
    sequence: int  # RFC 5545 SEQUENCE: rises with every update that changes anything, and with cancel
    moved_sequence: int  # the sequence at which begin or end last changed
    ical_uid: str
    create_time: int  # the caller's own
    created_at: int
    updated_at: int
    cancelled_at: int | None
    nudged_at: int | None
    size: int  # attendee rows, the organizer's and removed ones included


class Attendee(msgspec.Struct, frozen=True, gc=False):
    """One person's part in a meeting: a row of table `attendee` (the wire's member).

    The organizer has a row too, with position -1 unless they invited themselves. A removed attendee's row stays,
    so that the removal can be told.
    """

    uid: str
    name: str
    position: int  # place in the caller's list, from 0; -1: the organizer, not on the list
    organizer: bool
    msg_status: int
    remind: bool
    reply: str
    read_at: int | None
    answered_at: int | None
    card_removed_at: int | None
    removed_at: int | None
    membership: int  # 1 at first, one more each time the person is invited again
    invited_sequence: int  # the meeting's sequence at which this membership began
    removed_sequence: int | None
    quiet: bool  # no invitation was meant for this membership (notify none, or added to an ended meeting)

    @property
    def listed(self) -> bool:
        """On the attendee list now."""
        return self.position >= 0 and self.removed_at is None


class Card(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A meeting on one person's workbench, with how many of its listed attendees have answered what."""

    meeting: Meeting
    me: Attendee
    accepted: int
    declined: int
    waiting: int  # unread or read


class Engagement(msgspec.Struct, frozen=True, gc=False, order=True):
    """A meeting in one person's calendar that has not been cancelled and that they are part of."""

    uid: str
    begin_at: int
    end_at: int
    meeting_id: int
    organizer: bool
    msg_status: int


class Task(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Work due at a moment, committed with the Change that caused it. `dedup_key` is unique in the organisation."""

    org_id: int
    id: int
    due_at: int
    kind: str
    meeting_id: int
    sequence: int
    dedup_key: str
    topic: str = ""
    since_at: int = 0  # answered: the first answer to report
    old: str = ""  # announce: JSON of the values before the change (rules.Old)
    resume_uid: str = ""  # attendees up to this uid are done
    attempt: int = 0  # times it failed; it is put off a little longer each time


class Entry(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One line of a meeting's history: who changed what through which app. `change` is JSON, field → [old, new]."""

    id: int
    at: int
    app_id: int | None
    actor_uid: str
    kind: str
    change: str


class Part(msgspec.Struct, frozen=True, gc=False):
    """One person's part in a meeting, without words."""

    msg_status: int | None  # None: an organizer who is not on the list
    remind: bool
    card_removed: bool


class Changed(msgspec.Struct, frozen=True, gc=False):
    """An entry of history in the organisation's feed, and how things stand now, which may be later than the entry."""

    id: int
    meeting_id: int
    kind: str
    actor_uid: str
    at: int
    # The meeting now:
    organizer_uid: str
    push_status: int
    sequence: int
    begin_at: int
    end_at: int
    part: Part | None  # the actor's own now; None: they have been removed


class Message(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One in-app message. `params` is the JSON from which `texts` renders it."""

    id: int
    meeting_id: int
    kind: str
    params: str
    created_at: int
    read_at: int | None


class Delivery(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One notice for one person by one channel that leaves the house: a row of table `delivery`."""

    org_id: int
    id: int
    channel: str
    uid: str
    meeting_id: int
    kind: str
    occasion: str  # with org, meeting, uid, kind and channel what makes it unique
    sequence: int  # the meeting's when it was caused
    created_at: int
    due_at: int  # pending: not before this
    give_up_at: int  # what has not been sent by then fails
    state: str = DeliveryState.PENDING
    attempt: int = 0  # requests begun; fences what comes back late
    failures: int = 0  # in a row since it was queued; spaces the next
    uncertain: int = 0  # requests begun of which nobody knows what became
    lease_until: int | None = (
        None  # sending: in the clock of the database (PostgreSQL) or of the process (SQLite)
    )
    sent_at: int | None = None  # when the last request was begun
    as_of: int = -1  # the meeting's sequence that `text` shows
    address: str = ""  # where it went: a number in E.164
    text: str = ""  # what was sent
    provider_id: str = ""  # the gateway's own reference
    reason: str = ""  # why it failed, was skipped, or is tried again
    ended_at: int | None = None  # of sent, delivered, failed and skipped


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one text that came in; neither its words nor its number are kept."""

    org_id: int  # 0: nobody, or more than one person, has the number
    id: int
    at: int
    uid: str  # "" where org_id is 0
    meeting_id: int  # 0: none was found
    outcome: str  # accepted, declined, or why it was ignored


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Something the app that made a meeting is told of by callback: a row of table `event`."""

    org_id: int
    id: int  # the wire's eventId; of one meeting in the order in which they happened
    app_id: int
    meeting_id: int
    type: int
    sequence: int  # the meeting's when it happened
    uid: str  # "" where it is about the whole meeting
    msg_status: int | None
    reason: str  # of a delivery that failed
    at: int
    due_at: int  # pending: not before this, nor before its turn
    give_up_at: int  # what has not been delivered by then fails
    state: str = EventState.PENDING
    attempt: int = 0  # requests begun; fences what comes back late
    failures: int = 0  # in a row since it was queued; spaces the next
    sent_at: int | None = None  # when the last request was begun
    outcome: str = ""  # what the last request or look came to; "" before the first
    log: str = "[]"  # JSON: the last requests (rules.callbacks.Attempt)
    ended_at: int | None = None  # of delivered, failed and skipped


class Person(msgspec.Struct, frozen=True, kw_only=True):
    org_id: int
    uid: str
    name: str
    mobile: str = ""
    email: str = ""
    timezone: str = ""  # "" means the organisation's
    locale: str = ""  # zh-CN, en or "" for the default


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One browser signed in as one person, or as the operator (org_id 0, uid ""); known by its secret's hash."""

    org_id: int
    hash: bytes  # SHA-256 of the cookie's secret, which is not stored
    uid: str
    app_id: int | None  # the app whose ticket it began with; meetings made in it are that app's
    created_at: int
    expires_at: int


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """A one-time right to begin a session (contract section 6); known by its text's hash."""

    org_id: int  # 0: the operator's
    hash: bytes  # SHA-256 of the text, which is not stored
    uid: str
    app_id: int | None
    created_at: int
    expires_at: int


class Org(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    name: str
    timezone: str = "Asia/Shanghai"
    closed: bool = False  # a closed directory answers 4500 to uids it does not know


class Grant(StrEnum):
    """An API permission that an app does not have unless it is granted (contract section 2)."""

    CHANGES = "changes"
    FREEBUSY = "freebusy"
    TICKET = "ticket"


# The calls that need no Grant, by the last part of their path: both generations' together.
USUAL_CALLS: Final = (
    "cancel",
    "create",
    "delete",
    "detail",
    "inbox",
    "inboxread",
    "list",
    "read",
    "remind",
    "remindagain",
    "respond",
    "update",
)


class Callback(msgspec.Struct, frozen=True, kw_only=True):
    """How an app's events are signed; where they go is App.callback_url."""

    style: str
    secret: bytes  # sealed: the token (platform) or whsec_… (standard)
    old_secret: bytes | None = None  # the one before, good beside it until old_until
    old_until: int | None = None
    gone_at: int | None = None  # the receiver answered 410: nothing is sent until the URL is set again


class App(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    name: str
    secret: bytes  # sealed under the server's key
    generation: int = 0  # of the newest token
    revoked_generation: int = 0  # tokens up to this generation are void
    disabled: bool = False
    callback_url: str = ""
    callback: Callback | None = None  # None: it is told of nothing
    orgs: tuple[int, ...] = ()  # granted organisations
    default_org: int | None = None
    grants: frozenset[str] = frozenset()  # API permissions beyond the usual ones
    ip_list: tuple[str, ...] = ()  # networks it may call from; empty: any
    api_list: frozenset[str] = frozenset()  # of USUAL_CALLS those it may make; empty: all
    rate: int = 0  # calls of one kind a second, of one process; 0: setting rate_per_second
    quota: int = 0  # calls a day (UTC), of all processes together; 0: any number


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """One issued access token; the token itself is derived again when asked for, never stored."""

    app_id: int
    number: int
    issued_at: int
    expires_at: int
