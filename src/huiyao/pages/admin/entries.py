"""What a meeting's history says in words: each entry, and what it changed from what into what."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from markupsafe import Markup

from huiyao.model import Entry, MsgStatus, RemindType
from huiyao.pages.admin.desk import moment
from huiyao.pages.catalog import N_
from huiyao.service import history

KINDS: Final[dict[str, str]] = {
    "created": N_("Created"),
    "updated": N_("Changed"),
    "cancelled": N_("Cancelled"),
    "deleted": N_("Card removed or put back"),
    "read": N_("Read"),
    "responded": N_("Answered"),
    "remind": N_("Reminder turned on or off"),
    "nudged": N_("Those without an answer asked once more"),
    "missed": N_("Reminder missed: it would have come too late"),
}
FIELDS: Final[dict[str, str]] = {
    "content": N_("Title and description"),
    "address": N_("Place"),
    "begin_at": N_("Begin"),
    "end_at": N_("End"),
    "remind_min": N_("Minutes before the beginning"),
    "remind_type": N_("Notices"),
    "create_time": N_("Made at, as the app says"),
    "msg_status": N_("Answer"),
    "reply": N_("Reply"),
    "remind": N_("Reminder"),
    "card_removed_at": N_("Card removed at"),
    "added": N_("Invited"),
    "removed": N_("No longer invited"),
    "placed": N_("Moved in the list, or renamed"),
}
ANSWERS: Final[dict[int, str]] = {
    MsgStatus.UNREAD: N_("Unread"),
    MsgStatus.READ: N_("Read"),
    MsgStatus.ACCEPTED: N_("Accepted"),
    MsgStatus.DECLINED: N_("Declined"),
}
NOTICES: Final[dict[int, str]] = {
    RemindType.IN_APP: N_("In the app"),
    RemindType.SMS: N_("In the app and by SMS"),
}
MOST_UIDS: Final = 20  # shown of one list; the command line shows all

_ON: Final = N_("On")
_OFF: Final = N_("Off")
_NOTHING: Final = N_("None")


class Told(msgspec.Struct, frozen=True):
    """What one field was and became, in words; of lists of people only `new`."""

    field: str
    old: str
    new: str
    more: int = 0  # people that are not shown


def told(entry: Entry, _: Callable[[str], str]) -> list[Told]:
    return [_told(one, _) for one in history.differences(entry)]


def _told(one: history.Difference, _: Callable[[str], str]) -> Told:
    field = _(FIELDS[one.field])
    if one.field in history.UIDS:
        return Told(field, "", ", ".join(one.new[:MOST_UIDS]), max(0, len(one.new) - MOST_UIDS))
    return Told(field, _value(one.field, one.old, _), _value(one.field, one.new, _))


def _value(field: str, value: Any, _: Callable[[str], str]) -> str | Markup:
    if value is None or value == "":
        return _(_NOTHING)
    if field == "msg_status":
        return _(ANSWERS[value])
    if field == "remind_type":
        return _(NOTICES[value])
    if field == "remind":
        return _(_ON if value else _OFF)
    return moment(value) if field.endswith("_at") or field == "create_time" else str(value)
