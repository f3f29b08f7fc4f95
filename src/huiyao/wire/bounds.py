"""What the values in answers may be, as types: the OpenAPI document has it from here, and promises no more.

Every bound is one that storage or the forms of requests hold; nothing checks them when an answer is written.
"""

from typing import Annotated, Any, Final

from msgspec import Meta

from huiyao.model import Kind, MsgStatus, PushStatus, RemindType
from huiyao.wire.cursor import BelowCursor, ChangesCursor, Cursor
from huiyao.wire.fields import LARGEST_ID, LATEST_MOMENT
from huiyao.wire.requests import LONGEST_REMIND_MIN

LARGEST_NEW_ID: Final = 2**53 - 1  # the largest that every client's numbers hold exactly (contract section 4)
CHANGES: Final = ("created", "updated", "cancelled", "nudged", "read", "responded", "remind", "deleted")

_INT64: Final[dict[str, Any]] = {"format": "int64"}
_TIME: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"

Id = Annotated[int, Meta(ge=1, le=LARGEST_NEW_ID, extra_json_schema=_INT64)]
OrgId = Annotated[int, Meta(ge=1, le=LARGEST_ID, extra_json_schema=_INT64)]
Moment = Annotated[int, Meta(ge=0, le=LATEST_MOMENT, extra_json_schema=_INT64)]
Count = Annotated[int, Meta(ge=0)]
Zero = Annotated[int, Meta(extra_json_schema={"const": 0})]
MinusOne = Annotated[int, Meta(extra_json_schema={"const": -1})]
Never = Annotated[bool, Meta(extra_json_schema={"const": False})]

PushState = Annotated[int, Meta(extra_json_schema={"enum": list(PushStatus)})]
MsgState = Annotated[int, Meta(extra_json_schema={"enum": list(MsgStatus)})]
RemindMin = Annotated[int, Meta(ge=0, le=LONGEST_REMIND_MIN)]
RemindBy = Annotated[int, Meta(extra_json_schema={"enum": list(RemindType)})]
MessageKind = Annotated[str, Meta(extra_json_schema={"enum": list(Kind)})]
ChangeKind = Annotated[str, Meta(extra_json_schema={"enum": list(CHANGES)})]

Uid = Annotated[str, Meta(min_length=1, max_length=64)]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
Content = Annotated[str, Meta(min_length=1, max_length=5000)]
Place = Annotated[str, Meta(max_length=512)]
Reply = Annotated[str, Meta(max_length=500)]
Written = Annotated[str, Meta(min_length=1)]
LocalTime = Annotated[str, Meta(pattern=f"^({_TIME})?$")]

AccessToken = Annotated[str, Meta(pattern="^[A-Za-z0-9_=-]+$", max_length=512)]
JsapiTicket = Annotated[str, Meta(pattern="^[A-Za-z0-9]{32}$")]
Ticket = Annotated[str, Meta(pattern="^[1-9][0-9]{0,18}-[A-Za-z0-9_-]{43}$")]
Url = Annotated[str, Meta(min_length=1, extra_json_schema={"format": "uri"})]

InboxPlace = Annotated[str, Meta(pattern=Cursor.pattern)]
ChangesPlace = Annotated[str, Meta(pattern=ChangesCursor.pattern)]
ListPlace = Annotated[str, Meta(pattern=BelowCursor.pattern)]
