"""How values of `model` lie in rows: the columns in the order of their fields, and `unnest` lists of them."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from huiyao.model import Attendee, Delivery, Meeting, Task

MEETING_FIELDS: Final = Meeting.__struct_fields__
ATTENDEE_FIELDS: Final = Attendee.__struct_fields__
TASK_FIELDS: Final = Task.__struct_fields__
DELIVERY_FIELDS: Final = Delivery.__struct_fields__

_FLAGS: Final = {"organizer", "remind", "quiet"}  # smallint in the database, bool in the model
_TEXTS: Final = {
    "organizer_uid",
    "organizer_name",
    "actor_uid",
    "content",
    "address",
    "ical_uid",
    "uid",
    "after_uid",
    "last_uid",
    "resume_uid",
    "name",
    "reply",
    "kind",
    "topic",
    "old",
    "old_reply",
    "dedup_key",
    "occasion",
    "params",
    "change",
    "key",
    "mobile",
    "email",
    "timezone",
    "locale",
    "state",
    "text",
    "provider_id",
    "reason",
    "search",
    "outcome",
    "log",
}
_SMALL: Final = {
    "remind_type",
    "push_status",
    "msg_status",
    "audience",
    "sms",
    "old_msg_status",
    "old_remind",
    "type",
} | _FLAGS

MEETING: Final = ", ".join(f"m.{field}" for field in MEETING_FIELDS)
ATTENDEE: Final = ", ".join(
    f"a.{field} = 1" if field in _FLAGS else f"a.{field}" for field in ATTENDEE_FIELDS
)
TASK: Final = ", ".join(f"t.{field}" for field in TASK_FIELDS)
DELIVERY: Final = ", ".join(f"d.{field}" for field in DELIVERY_FIELDS)


def unnest(fields: Sequence[str], *, first: int = 1, alias: str = "given") -> str:
    """`unnest($1::bigint[], …) AS given(org_id, …)`: rows handed over as one array for each column."""
    arrays = ", ".join(f"${number}::{_type(field)}[]" for number, field in enumerate(fields, first))
    return f"unnest({arrays}) AS {alias}({', '.join(fields)})"


def _type(field: str) -> str:
    if field in _TEXTS:
        return "text"
    if field == "fingerprint":
        return "bytea"
    return "smallint" if field in _SMALL else "bigint"


def meeting(values: Sequence[Any]) -> Meeting:
    """A meeting from the columns MEETING."""
    return Meeting(**dict(zip(MEETING_FIELDS, values, strict=True)))


def attendee(values: Sequence[Any]) -> Attendee:
    """An attendee from the columns ATTENDEE."""
    return Attendee(*values)


def task(values: Sequence[Any]) -> Task:
    """A task from the columns TASK."""
    return Task(**dict(zip(TASK_FIELDS, values, strict=True)))


def delivery(values: Sequence[Any]) -> Delivery:
    """A delivery from the columns DELIVERY."""
    return Delivery(**dict(zip(DELIVERY_FIELDS, values, strict=True)))


values = msgspec.structs.astuple
