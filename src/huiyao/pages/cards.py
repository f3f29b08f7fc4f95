"""How a card looks to its reader: days and times on their clock, states in words, what else they do at that time."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

import msgspec

from huiyao.model import UNANSWERED, Attendee, Card, Meeting, Person, PushStatus
from huiyao.pages.visitor import Visitor
from huiyao.texts import dates

TITLE_CHARACTERS: Final = 60


class Overlap(msgspec.Struct, frozen=True):
    """Another meeting the reader has accepted, or called, at the same time."""

    meeting_id: int
    title: str
    span: str


class CardView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a card or the page of one meeting shows of it to one reader."""

    meeting: Meeting
    me: Attendee
    title: str
    day: str  # of the beginning, with the weekday
    date: date
    span: str  # whole
    times: str  # without the day where it is one day
    their_span: str  # on the organizer's clock; "" where that shows the same
    accepted: int
    declined: int
    waiting: int
    cancelled: bool
    over: bool
    running: bool
    moved: bool  # begin or end changed since the reader was invited
    edited: bool  # anything else did
    to_answer: bool  # the reader has not answered and still can
    answerable: bool  # the reader can answer, or answer anew
    mine: bool  # the reader is the organizer
    overlaps: tuple[Overlap, ...] = ()

    @property
    def id(self) -> int:
        return self.meeting.id

    @property
    def details(self) -> str:
        """The content that the title does not say already."""
        content = self.meeting.content.strip()
        first, _, rest = content.partition("\n")
        return rest.strip("\r\n") if first.strip() == self.title else content

    @property
    def size(self) -> int:
        """How many are listed."""
        return self.accepted + self.declined + self.waiting


def title(content: str) -> str:
    """The first line of a meeting's content, shortened."""
    line = content.strip().partition("\n")[0].strip()
    return line if len(line) <= TITLE_CHARACTERS else f"{line[: TITLE_CHARACTERS - 1].rstrip()}…"


def view(
    card: Card, who: Visitor, *, organizer: Person | None = None, overlaps: Sequence[Card] = ()
) -> CardView:
    """`organizer` as the directory knows them, for their time zone."""
    meeting, me = card.meeting, card.me
    cancelled = meeting.push_status == PushStatus.CANCELLED
    over = meeting.end_at < who.now
    open_ = not cancelled and not over and me.listed
    begin, end = who.clock.show(meeting.begin_at), who.clock.show(meeting.end_at)
    span = who.dates.span(meeting.begin_at, meeting.end_at, clock=who.clock)
    day = who.dates.day(begin, who.clock.year)
    moved = meeting.moved_sequence > me.invited_sequence
    return CardView(
        meeting=meeting,
        me=me,
        title=title(meeting.content),
        day=day,
        date=begin.date(),
        span=span,
        times=span.removeprefix(day).strip() if begin.date() == end.date() else span,
        their_span=_their_span(meeting, who, organizer, span),
        accepted=card.accepted,
        declined=card.declined,
        waiting=card.waiting,
        cancelled=cancelled,
        over=over,
        running=not over and meeting.begin_at <= who.now,
        moved=moved,
        edited=not moved and not cancelled and meeting.sequence > me.invited_sequence,
        to_answer=open_ and not me.organizer and me.msg_status in UNANSWERED,
        answerable=open_,
        mine=me.organizer,
        overlaps=tuple(
            Overlap(
                one.meeting.id,
                title(one.meeting.content),
                _beside(one.meeting, who, day=day),
            )
            for one in overlaps
        ),
    )


def day_name(day: date, who: Visitor) -> str:
    """ "Today", "Tomorrow" or "": what a heading says beside the date."""
    distance = day - who.clock.show(who.now).date()
    if distance == timedelta(0):
        return who._("Today")
    if distance == timedelta(1):
        return who._("Tomorrow")
    return who._("Yesterday") if distance == timedelta(-1) else ""


def _beside(meeting: Meeting, who: Visitor, *, day: str) -> str:
    """The time of another meeting; of one on the same day without the day."""
    span = who.dates.span(meeting.begin_at, meeting.end_at, clock=who.clock)
    rest = span.removeprefix(day).strip()
    return rest if len(rest) <= len("00:00–00:00") else span


def _their_span(meeting: Meeting, who: Visitor, organizer: Person | None, span: str) -> str:
    zone = (organizer.timezone if organizer else "") or who.org.timezone
    if zone == who.timezone:
        return ""
    theirs = who.dates.span(meeting.begin_at, meeting.end_at, clock=dates.clock(zone, now=who.now))
    return theirs if theirs != span else ""
