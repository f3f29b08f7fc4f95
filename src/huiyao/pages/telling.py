"""Who will be told what, as lines for the organizer to read before anything is sent."""

from collections.abc import Sequence
from typing import Final

import msgspec

from huiyao.model import Attendee, Kind, Meeting
from huiyao.pages.catalog import N_
from huiyao.pages.visitor import Visitor
from huiyao.rules import commands
from huiyao.rules.preview import Preview

NAMES: Final = 10
_PHRASES: Final[dict[str, str]] = {
    Kind.INVITED: N_("Get the invitation"),
    Kind.UPDATED: N_("Are told of the change"),
    Kind.REMOVED: N_("Are told that they are no longer invited"),
    Kind.CANCELLED: N_("Are told that the meeting is cancelled"),
}


class Line(msgspec.Struct, frozen=True):
    phrase: str
    count: int
    names: str  # of the first
    more: int
    texted: int  # how many of them by SMS too


class Difference(msgspec.Struct, frozen=True):
    """One fact of the meeting before and after; `old` and `new` are empty where they are too long to show."""

    label: str
    old: str
    new: str


def lines(preview: Preview, who: Visitor) -> list[Line]:
    return [_line(who._(_PHRASES[one.kind]), one.people, len(one.texted), who) for one in preview.told]


def asked_again(preview: Preview, who: Visitor) -> Line | None:
    """Whose answers go back; None where nobody's do."""
    if not preview.asked_again:
        return None
    return _line(who._("Answers that go back to “not answered”"), preview.asked_again, 0, who)


def differences(before: Meeting, detail: commands.Detail, who: Visitor) -> list[Difference]:
    """What of the meeting itself would change; the list of people is another matter."""

    def span(begin_at: int, end_at: int) -> str:
        return who.dates.span(begin_at, end_at, clock=who.clock)

    _ = who._
    pairs = [
        (_("Time"), span(before.begin_at, before.end_at), span(detail.begin_at, detail.end_at)),
        (_("Place"), before.address or _("Not given"), detail.address or _("Not given")),
        (_("Reminder"), reminder(before.remind_min, who), reminder(detail.remind_min, who)),
        (_("Notices"), ways(before.remind_type, who), ways(detail.remind_type, who)),
    ]
    found = [Difference(label, old, new) for label, old, new in pairs if old != new]
    if before.content != detail.content:
        found.insert(0, Difference(_("Title and description"), "", ""))
    return found


def reminder(minutes: int, who: Visitor) -> str:
    if not minutes:
        return who._("At the beginning")
    return who._("%(time)s before") % {"time": who.dates.duration(minutes)}


def ways(remind_type: int, who: Visitor) -> str:
    return who._("In the app and by SMS") if remind_type else who._("In the app")


def _line(phrase: str, people: Sequence[Attendee], texted: int, who: Visitor) -> Line:
    names = (", " if who.locale == "en" else "、").join(one.name for one in people[:NAMES])
    return Line(phrase, len(people), names, max(0, len(people) - NAMES), texted)
