"""A person's cards as a calendar shows them, day by day: their state, the time they take there, and their place."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Final

import msgspec

from huiyao.model import MsgStatus
from huiyao.pages import grid
from huiyao.pages.cards import CardView
from huiyao.pages.grid import Placed, Rest, Span
from huiyao.pages.visitor import Visitor

DOTS: Final = 3
HOUR_MS: Final = 3_600_000
NINE: Final = 9  # when a meeting on another day begins if nobody says otherwise
_OFF: Final = ("declined", "cancelled")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What a meeting is on one of its days."""

    card: CardView
    state: str  # accepted, waiting, missed, declined, cancelled: a class of calendar.css
    word: str  # the state in words
    time: str  # of this day's part
    short: str  # when it begins, without words
    span: Span | None  # where it is drawn among the hours; None: it stands above them


class Day(msgspec.Struct, frozen=True, kw_only=True):
    date: date
    name: str
    today: bool
    past: bool
    entries: list[Entry]  # in the order in which they begin

    @property
    def dots(self) -> list[str]:
        return [one.state for one in self.entries if one.state not in _OFF][:DOTS]

    @property
    def waiting(self) -> int:
        return sum(one.state == "waiting" for one in self.entries)


class Slot(msgspec.Struct, frozen=True):
    """An hour in which a meeting can still be called."""

    hour: int
    begin_at: int

    @property
    def end_at(self) -> int:
        return self.begin_at + HOUR_MS


class Column(msgspec.Struct, frozen=True):
    """One day by hours: entries with the classes of their place, what found no room, and empty hours."""

    day: Day
    placed: list[tuple[Entry, str]]
    rest: list[tuple[Rest, str]]
    slots: list[Slot]


def by_days(views: Iterable[CardView], days: Sequence[date], who: Visitor) -> list[Day]:
    """Each meeting on each of its days."""
    found: dict[date, list[Entry]] = {day: [] for day in days}
    for card in sorted(views, key=lambda one: (one.meeting.begin_at, one.id)):
        begin, end = who.clock.show(card.meeting.begin_at), who.clock.show(card.meeting.end_at)
        first, last = grid.dates(begin, end)
        day = max(first, days[0])
        while day <= min(last, days[-1]):
            found[day].append(_entry(card, begin, end, day, who=who))
            day += grid.DAY
    today = who.clock.show(who.now).date()
    return [
        Day(
            date=day,
            name=who.dates.day(datetime(day.year, day.month, day.day, tzinfo=who.clock.zone), who.clock.year),
            today=day == today,
            past=day < today,
            entries=entries,
        )
        for day, entries in found.items()
    ]


def columns(days: Sequence[Day], who: Visitor, *, most: int) -> tuple[tuple[int, int], list[Column]]:
    """The hours to be shown, and the days in them; `most` meetings beside each other."""
    spans = [one.span for day in days for one in day.entries if one.span]
    if any(day.today for day in days):
        now = grid.minute(who.clock.show(who.now))
        spans.append(Span(now, now + 1))
    first, last = grid.hours(spans)
    return (first, last), [
        _column(day, most=most, slots=_slots(day, range(first, last), who)) for day in days
    ]


def band(days: Sequence[Day]) -> list[tuple[Entry, int, int]]:
    """What stands above the hours, once: from which of the days (1 is the first), and over how many."""
    found: dict[int, tuple[Entry, int, int]] = {}
    for number, day in enumerate(days, 1):
        for one in day.entries:
            if one.span is None:
                entry, first, _ = found.get(one.card.id, (one, number, 0))
                found[one.card.id] = (entry, first, number - first + 1)
    return list(found.values())


def next_free(day: Day, who: Visitor) -> Slot | None:
    """When a meeting called on that day begins: at nine, today at the next half hour. None for what is past."""
    if day.past:
        return None
    begin_at = grid.moment(day.date, NINE, who.clock.zone)
    if day.today:
        begin_at = who.now - who.now % (HOUR_MS // 2) + HOUR_MS // 2
    return Slot(NINE, begin_at)


def _column(day: Day, *, most: int, slots: list[Slot]) -> Column:
    drawn = [(one, one.span) for one in day.entries if one.span]
    placed, rest = grid.fitted([span for _, span in drawn], most)
    return Column(
        day,
        [(one, _place(span, at)) for (one, span), at in zip(drawn, placed, strict=True) if at],
        [(one, _place(one.span, one.placed)) for one in rest],
        slots,
    )


def _place(span: Span, placed: Placed) -> str:
    """Classes of calendar.css: the policy of the pages forbids style attributes."""
    hour, minute = divmod(span.begin, 60)
    until, until_minute = divmod(span.end, 60)
    return f"h{hour} m{minute} u{until} v{until_minute} c{placed.column} n{placed.of}"


def _slots(day: Day, hours: range, who: Visitor) -> list[Slot]:
    """Without what is past, and hours that the clocks skip."""
    if day.past:
        return []
    slots = [Slot(hour, grid.moment(day.date, hour, who.clock.zone)) for hour in hours]
    return [one for one in slots if one.begin_at > who.now and who.clock.show(one.begin_at).hour == one.hour]


def _entry(card: CardView, begin: datetime, end: datetime, day: date, *, who: Visitor) -> Entry:
    state, word = _state(card, who)
    first, last = grid.dates(begin, end)
    long = grid.is_long(begin, end)
    short = f"{begin.hour:02}:{begin.minute:02}"
    if not long:
        # One that ends at midnight names the next day in `times`.
        time = card.times if begin.date() == end.date() else f"{short}{who.dates.dash}24:00"
    elif day == first and begin.time() > datetime.min.time():
        time = who._("from %(time)s") % {"time": short}
    elif day == last and end.date() == day:
        time, short = who._("until %(time)s") % {"time": f"{end.hour:02}:{end.minute:02}"}, ""
    else:
        time, short = who._("all day"), ""
    return Entry(
        card=card,
        state=state,
        word=word,
        time=time,
        short=short,
        span=None if long else grid.drawn(begin, end),
    )


def _state(card: CardView, who: Visitor) -> tuple[str, str]:
    if card.cancelled:
        return "cancelled", who._("Cancelled")
    if card.me.msg_status == MsgStatus.DECLINED:
        return "declined", who._("Declined")
    if card.me.msg_status == MsgStatus.ACCEPTED:
        return "accepted", who._("Accepted")
    if card.mine:
        return "accepted", who._("Yours")
    return ("waiting", who._("Please answer")) if card.to_answer else ("missed", who._("Not answered"))
