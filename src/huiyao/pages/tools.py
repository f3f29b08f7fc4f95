"""What the organizer of a meeting may do with it now, beside answering like others."""

from collections.abc import Sequence
from typing import Final

import msgspec

from huiyao.model import UNANSWERED, Attendee
from huiyao.pages.cards import CardView
from huiyao.pages.catalog import N_
from huiyao.pages.visitor import Visitor
from huiyao.rules import timing

_NOTICES: Final = {
    "created": N_("The invitations are on their way."),
    "saved": N_("Saved."),
    "silent": N_("Saved. Nobody is told."),
    "updated": N_("Saved. Those concerned are being told."),
    "cancelled": N_("The meeting is cancelled."),
    "nudged": N_("Those who have not answered are being asked once more."),
    "early": N_("They have been asked only just now. Please wait a little."),
    "gone": N_("The meeting has been cancelled; it cannot be changed any more."),
    "over": N_("The meeting is over; nobody needs to answer any more."),
}


class Tools(msgspec.Struct, frozen=True):
    notice: str  # of what has just been done, "" for nothing
    edits: bool
    nudges: int  # how many have not answered, as long as they can
    wait_minutes: int  # until they may be asked again


def of(card: CardView, attendees: Sequence[Attendee], who: Visitor, *, done: str) -> Tools:
    """`done` is what the address says that has just happened."""
    meeting = card.meeting
    open_ = not card.cancelled and not card.over
    waiting = sum(1 for one in attendees if one.listed and not one.organizer and one.msg_status in UNANSWERED)
    wait_ms = 0 if meeting.nudged_at is None else meeting.nudged_at + timing.NUDGE_PAUSE_MS - who.now
    return Tools(
        notice=who._(_NOTICES[done]) if done in _NOTICES else "",
        edits=not card.cancelled,
        nudges=waiting if open_ else 0,
        wait_minutes=max(0, -(-wait_ms // timing.MINUTE)),
    )
