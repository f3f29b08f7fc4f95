"""The answers to a meeting as a CSV file that a spreadsheet opens as it stands."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

from huiyao.model import Attendee, Meeting, MsgStatus
from huiyao.pages import cards
from huiyao.pages.catalog import N_
from huiyao.pages.visitor import Visitor

BOM: Final = "\ufeff"  # without it Excel takes the file for the system's code page
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\u202a-\u202e\u2066-\u2069]+')
_ANSWERS: Final[dict[int, str]] = {
    MsgStatus.UNREAD: N_("Unread"),
    MsgStatus.READ: N_("Read"),
    MsgStatus.ACCEPTED: N_("Accepted"),
    MsgStatus.DECLINED: N_("Declined"),
}


def content(attendees: Iterable[Attendee], who: Visitor) -> bytes:
    """Those listed, in order; times on the reader's clock. UTF-8 with a byte order mark (RFC 4180 otherwise)."""
    _ = who._
    written = io.StringIO(newline="")
    table = csv.writer(written)
    table.writerow(
        [
            _("Number"),
            _("Name"),
            _("Answer"),
            _("Reply"),
            _("Answered at (%(zone)s)") % {"zone": who.timezone},
            _("Reminders on"),
        ]
    )
    for one in sorted((one for one in attendees if one.listed), key=lambda one: one.position):
        at = "" if one.answered_at is None else f"{who.clock.show(one.answered_at):%Y-%m-%d %H:%M:%S}"
        answer = _(_ANSWERS[one.msg_status])
        table.writerow(
            _harmless([one.uid, one.name, answer, one.reply, at, _("Yes") if one.remind else _("No")])
        )
    return (BOM + written.getvalue()).encode()


def disposition(meeting: Meeting, who: Visitor) -> str:
    """The header by which the browser saves it under the meeting's title (RFC 6266, RFC 8187)."""
    title = " ".join(_UNSAFE.sub(" ", cards.title(meeting.content)).split()).strip(" .") or str(meeting.id)
    name = quote(f"{title} - {who._('Answers')}.csv", safe="")
    return f"attachment; filename=\"answers-{meeting.id}.csv\"; filename*=UTF-8''{name}"


def _harmless(cells: Sequence[str]) -> list[str]:
    """What a spreadsheet would take for a formula gets an apostrophe before it."""
    return [f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells]
