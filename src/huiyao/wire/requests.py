"""What each call takes, in both generations, and the values its parameters become.

The first generation (workbench) has everything in the body; the later one (meeting) has the requester in
headers, the meeting in the query, and the detail as its whole body.
"""

from typing import Any, Final

import msgspec

from huiyao.model import MsgStatus
from huiyao.rules import commands
from huiyao.storage.contract import CardsWanted, Position
from huiyao.wire.cursor import BelowCursor, ChangesCursor, Cursor
from huiyao.wire.fields import (
    LARGEST_ID,
    Boolean,
    Choice,
    Fault,
    Field,
    Integer,
    Key,
    List,
    Moment,
    Object,
    Text,
    Visible,
)

LONGEST_REMIND_MIN: Final = 40_320  # four weeks
PAGE: Final = 50  # messages or cards in an answer unless `size` says otherwise
LONGEST_WINDOW_DAYS: Final = 31  # of freebusy
DAY_MS: Final = 86_400_000

NAME: Final = Text(128)
REQUESTER: Final = Text(64, late=True)  # a blank one is told last, as 4501
IDEMPOTENCY_KEY: Final = Visible(255)
_UID: Final = Text(64)
_ID: Final = Integer(1, LARGEST_ID)


class Creation(msgspec.Struct, frozen=True, gc=False):
    uid: str
    name: str
    detail: commands.Detail
    silent: bool
    client_token: str | None


class Replacement(msgspec.Struct, frozen=True, gc=False):
    uid: str
    meeting_id: int
    detail: commands.Detail
    silent: bool
    sequence: int | None


class OneMeeting(msgspec.Struct, frozen=True, gc=False):
    uid: str
    meeting_id: int


class Cancellation(msgspec.Struct, frozen=True, gc=False):
    uid: str
    meeting_id: int
    sequence: int | None


class Response(msgspec.Struct, frozen=True, gc=False):
    uid: str
    meeting_id: int
    command: commands.Respond


class Reminding(msgspec.Struct, frozen=True, gc=False):
    uid: str
    meeting_id: int
    command: commands.Remind


class InboxWanted(msgspec.Struct, frozen=True, gc=False):
    uid: str
    after: Position | None
    size: int


class ChangesWanted(msgspec.Struct, frozen=True, gc=False):
    uid: str
    after: Position | None
    size: int


class InboxRead(msgspec.Struct, frozen=True, gc=False):
    uid: str
    message_id: int


class Listing(msgspec.Struct, frozen=True, gc=False):
    uid: str
    wanted: CardsWanted


class TimesWanted(msgspec.Struct, frozen=True, gc=False):
    uid: str
    uids: list[str]  # each once
    begin_at: int
    end_at: int


class Requester(msgspec.Struct, frozen=True, gc=False):
    uid: str


class MeetingBody(msgspec.Struct, frozen=True, gc=False):
    """The body of the later generation's create and update."""

    detail: commands.Detail
    client_token: str | None


def _requester() -> Key:
    return Key("requesterUid", REQUESTER, default="", late=True, doc="Who is asking; 4501 where blank.")


def _meeting() -> Key:
    return Key("meetingInviteId", _ID, doc="The meeting invitation's id, as create answered it.")


def _sequence() -> Key:
    return Key(
        "sequence",
        Integer(0, LARGEST_ID),
        default=None,
        doc="As detail answered it: 4605 where it is no longer the meeting's.",
    )


def _notify() -> Key:
    return Key("notify", Choice("none"), default=None, doc='"none" sends nobody anything.')


def _client_token() -> Key:
    return Key(
        "clientToken", IDEMPOTENCY_KEY, default=None, doc="The same as header Idempotency-Key, which wins."
    )


def _check_order(begin_at: int, end_at: int) -> None:
    if end_at < begin_at:
        raise Fault("不能早于beginTime", "must not be before beginTime", path="endTime")


def _detail(
    create_time: int | None,
    content: str,
    address: str,
    begin_at: int,
    end_at: int,
    remind_min: int,
    remind_type: int,
    members: list[commands.Invitee],
) -> commands.Detail:
    _check_order(begin_at, end_at)
    # A uid listed twice stands at its first place with its last name, which is how a dict keeps them.
    once = {one.uid: one for one in members}
    return commands.Detail(
        content=content,
        address=address,
        begin_at=begin_at,
        end_at=end_at,
        remind_min=remind_min,
        remind_type=remind_type,
        create_time=create_time,
        invitees=tuple(members if len(once) == len(members) else once.values()),
    )


def _unset_is_now(create_time: int | None, *others: Any) -> commands.Detail:
    return _detail(create_time or None, *others)


def _members(member: Field[commands.Invitee], max_members: int) -> Key:
    return Key(
        "members", List(member, limit=max_members), doc="Whom to invite; a uid listed twice counts once."
    )


_CONTENT: Final = Key("content", Text(5000), doc="What the meeting is about.")
_ADDRESS: Final = Key("address", Text(512, blank=True), doc="Where; may be blank.")
_REMIND_MIN_DOC: Final = "Minutes before the beginning to remind at."
_REMIND_TYPE_DOC: Final = "0: in the app, 1: by SMS too."
_MEMBER_UID: Final = Key("uid", _UID, doc="The person's uid.")
_MEMBER_NAME: Final = Key("name", NAME, doc="The person's name.")


def workbench_detail(max_members: int) -> Object[commands.Detail]:
    """The first generation's detail: everything is required."""
    return Object(
        _detail,
        Key("createTime", Moment(), doc="When the meeting was made, by the caller's reckoning."),
        _CONTENT,
        _ADDRESS,
        Key("beginTime", Moment(), doc="When it begins."),
        Key("endTime", Moment(), doc="When it ends; not before beginTime."),
        Key("remindMin", Integer(0, LONGEST_REMIND_MIN), doc=_REMIND_MIN_DOC),
        Key("remindType", Integer(0, 1), doc=_REMIND_TYPE_DOC),
        _members(Object(commands.Invitee, _MEMBER_UID, _MEMBER_NAME), max_members),
    )


def meeting_body(max_members: int) -> Object[MeetingBody]:
    """The later generation's detail, which is the whole body: a number that is not set arrives as 0."""

    def make(*values: Any) -> MeetingBody:
        return MeetingBody(_unset_is_now(*values[:-1]), values[-1])

    return Object(
        make,
        Key("createTime", Moment(), default=None, doc="Absent or 0: now on create, unchanged on update."),
        _CONTENT,
        _ADDRESS,
        Key("beginTime", Moment(zero_is_unset=True), doc="When it begins."),
        Key("endTime", Moment(zero_is_unset=True), doc="When it ends; not before beginTime."),
        Key("remindMin", Integer(0, LONGEST_REMIND_MIN), default=0, doc=_REMIND_MIN_DOC),
        Key("remindType", Integer(0, 1), default=0, doc=_REMIND_TYPE_DOC),
        _members(
            Object(
                commands.Invitee,
                _MEMBER_UID,
                _MEMBER_NAME,
                Key("isRemind", Boolean(), default=True, doc="false: reminders off for this person."),
            ),
            max_members,
        ),
        _client_token(),
    )


def create(max_members: int) -> Object[Creation]:
    def make(
        uid: str, name: str, detail: commands.Detail, notify: str | None, client_token: str | None
    ) -> Creation:
        return Creation(uid, name, detail, notify is not None, client_token)

    return Object(
        make,
        _requester(),
        Key("requesterName", NAME, doc="The creator's name."),
        Key("detail", workbench_detail(max_members)),
        _notify(),
        _client_token(),
    )


def update(max_members: int) -> Object[Replacement]:
    def make(
        uid: str, meeting_id: int, detail: commands.Detail, notify: str | None, sequence: int | None
    ) -> Replacement:
        return Replacement(uid, meeting_id, detail, notify is not None, sequence)

    return Object(
        make,
        _requester(),
        _meeting(),
        Key("detail", workbench_detail(max_members)),
        _notify(),
        _sequence(),
    )


def _response(uid: str, meeting_id: int, msg_status: int, reply: str, sequence: int | None) -> Response:
    command = commands.Respond(msg_status=MsgStatus(msg_status), reply=reply, sequence=sequence)
    return Response(uid, meeting_id, command)


def _reminding(uid: str, meeting_id: int, remind: bool) -> Reminding:
    return Reminding(uid, meeting_id, commands.Remind(remind=remind))


def _listing(
    uid: str,
    begin_at: int | None,
    end_at: int | None,
    msg_status: int | None,
    role: str | None,
    size: int,
    below: int | None,
) -> Listing:
    if begin_at is not None and end_at is not None:
        _check_order(begin_at, end_at)
    wanted = CardsWanted(
        begin_at=begin_at,
        end_at=end_at,
        msg_status=msg_status,
        organizer=None if role is None else role == "created",
        below=below,
        size=size,
    )
    return Listing(uid, wanted)


def _times(uid: str, uids: list[str], begin_at: int, end_at: int) -> TimesWanted:
    _check_order(begin_at, end_at)
    if end_at - begin_at > LONGEST_WINDOW_DAYS * DAY_MS:
        raise Fault(
            f"不能晚于beginTime之后{LONGEST_WINDOW_DAYS}天",
            f"must not be more than {LONGEST_WINDOW_DAYS} days after beginTime",
            path="endTime",
        )
    return TimesWanted(uid, list(dict.fromkeys(uids)), begin_at, end_at)


ONE_MEETING: Final = Object(OneMeeting, _requester(), _meeting())
CANCEL: Final = Object(Cancellation, _requester(), _meeting(), _sequence())
RESPOND: Final = Object(
    _response,
    _requester(),
    _meeting(),
    Key("msgStatus", Integer(MsgStatus.ACCEPTED, MsgStatus.DECLINED), doc="2: accept, 3: decline."),
    Key("reply", Text(500, blank=True), default="", doc="A word to the creator."),
    _sequence(),
)
REMIND: Final = Object(
    _reminding, _requester(), _meeting(), Key("remind", Boolean(), doc="Whether to be reminded.")
)
INBOX: Final = Object(
    InboxWanted,
    _requester(),
    Key("cursor", Cursor(), default=None, doc="nextCursor of an earlier answer; without it, the newest."),
    Key("size", Integer(1, 200), default=PAGE, doc="How many messages at the most."),
)
INBOX_READ: Final = Object(
    InboxRead, _requester(), Key("messageId", _ID, doc="The last message to mark, with all before it.")
)
CHANGES: Final = Object(
    ChangesWanted,
    _requester(),
    Key(
        "cursor",
        ChangesCursor(),
        default=None,
        doc="nextCursor of an earlier answer; without it, from the very beginning.",
    ),
    Key("size", Integer(1, 200), default=PAGE, doc="How many changes at the most."),
)
LIST: Final = Object(
    _listing,
    _requester(),
    Key("beginTime", Moment(), default=None, doc="Only meetings that end after this."),
    Key("endTime", Moment(), default=None, doc="Only meetings that begin before this."),
    Key(
        "msgStatus",
        Integer(MsgStatus.UNREAD, MsgStatus.DECLINED),
        default=None,
        doc="Only where the requester is a member with this answer.",
    ),
    Key(
        "role",
        Choice("created", "invited"),
        default=None,
        doc="Only the requester's own meetings, or only others'.",
    ),
    Key("size", Integer(1, 200), default=PAGE, doc="How many meetings at the most."),
    Key(
        "cursor", BelowCursor(), default=None, doc="nextCursor of an earlier answer; without it, the newest."
    ),
)
FREEBUSY: Final = Object(
    _times,
    _requester(),
    Key("uids", List(_UID, limit=200), doc="Whose times; a uid listed twice counts once."),
    Key("beginTime", Moment(), doc="Where the window begins."),
    Key(
        "endTime",
        Moment(),
        doc=f"Where it ends; not before beginTime, and {LONGEST_WINDOW_DAYS} days after it at the latest.",
    ),
)
TICKET: Final = Object(Requester, _requester())
APP_ID: Final = _ID
FLAGS: Final = Integer(0, 1)
QUERY: Final = Object(int, Key("meetingId", _ID, doc="The meeting invitation's id, as create answered it."))
