"""When the invited are busy on the day of a meeting that is being planned: bars, words, and times when all are free."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import msgspec

from huiyao.pages import cards, checking, moments
from huiyao.pages.editor import Draft
from huiyao.pages.visitor import Visitor
from huiyao.rules.freebusy import Interval, Times
from huiyao.service import calendar, picker, planning
from huiyao.service.caller import Services
from huiyao.service.picker import Pick

MOST_PEOPLE: Final = 200  # at once (contract section 6)
WIDTH: Final = 1440  # of a day's bar
EARLY, LATE = 8, 20  # hours between which times are proposed
PROPOSALS: Final = 3
# Who cannot come stands first.
_ORDER: Final = {"busy": 0, "tentative": 1, "free": 2, "": 2}
_STEP_MS: Final = moments.HALF_HOUR_MS


class Bar(msgspec.Struct, frozen=True):
    left: int  # of WIDTH
    width: int
    kind: str  # busy or tentative


class Row(msgspec.Struct, frozen=True):
    name: str
    bars: tuple[Bar, ...]
    busy: str  # the times in words, "" for none
    tentative: str
    state: str  # at the time of the meeting: busy, tentative or free; "" where that is not known


class Slot(msgspec.Struct, frozen=True):
    """A time when everybody shown is free."""

    begin: str  # as the form's fields have it
    end: str
    times: str


class Busy(msgspec.Struct, frozen=True, kw_only=True):
    day: str
    rows: tuple[Row, ...]
    hours: tuple[tuple[int, int], ...]  # where on the bar which hour is
    meeting: Bar | None
    left_off: int  # people beyond MOST_PEOPLE
    slots: tuple[Slot, ...]

    def count(self, state: str) -> int:
        return sum(1 for one in self.rows if one.state == state)


class Warnings(msgspec.Struct, frozen=True):
    """What the organizer should know before sending; not what is wrong."""

    past: str = ""  # "", begun or over
    overlaps: tuple[cards.Overlap, ...] = ()
    token: str = ""  # of the times they are about; "" where there are none


async def warnings(
    services: Services, who: Visitor, begin_at: int | None, end_at: int | None, *, without: int | None
) -> Warnings:
    if begin_at is None or end_at is None or end_at < begin_at:
        return Warnings()
    others = await planning.clashes(services, who.caller, begin_at=begin_at, end_at=end_at, without=without)
    past = "over" if end_at < who.now else "begun" if begin_at < who.now else ""
    overlaps = tuple(
        cards.Overlap(
            one.meeting.id,
            cards.title(one.meeting.content),
            who.dates.span(one.meeting.begin_at, one.meeting.end_at, clock=who.clock),
        )
        for one in others
    )
    return Warnings(past, overlaps, f"{begin_at}-{end_at}" if past or overlaps else "")


async def look(
    services: Services, who: Visitor, draft: Draft, *, times: checking.Times, without: int | None
) -> Busy | None:
    """None where no beginning is given. The organizer is one of them."""
    if times.begin_at is None:
        return None
    everybody = [Pick(who.uid, who.name), *draft.people]
    shown = everybody[:MOST_PEOPLE]
    if who.org.closed:  # it would refuse the whole question for one unknown uid
        known = await picker.known(services, who.org, [one.uid for one in shown])
        shown = [one for one in shown if one.uid in known]
    day = who.clock.show(times.begin_at).date()
    begin_at, end_at = moments.at(day, 0, who.clock), moments.at(day, 24, who.clock)
    found = await calendar.freebusy(
        services, who.org, [one.uid for one in shown], begin_at=begin_at, end_at=end_at, without=without
    )
    window = Interval(begin_at, end_at)
    meeting = None
    if times.end_at is not None and times.end_at > times.begin_at:
        meeting = Interval(times.begin_at, min(times.end_at, end_at))
    return Busy(
        day=who.dates.day(who.clock.show(begin_at), who.clock.year),
        rows=tuple(
            sorted(
                (_row(one, found[one.uid], window, meeting, who) for one in shown),
                key=lambda row: _ORDER[row.state],
            )
        ),
        hours=tuple((_place(moments.at(day, hour, who.clock), window), hour) for hour in (0, 6, 12, 18, 24)),
        meeting=_bar(meeting, window, "meeting") if meeting else None,
        left_off=len(everybody) - len(everybody[:MOST_PEOPLE]),
        slots=_slots(found, day, times, who),
    )


def free(times: Mapping[str, Times], begin_at: int, end_at: int) -> bool:
    """Whether nobody is busy then, or may be."""
    return not any(
        one.begin_at < end_at and one.end_at > begin_at
        for theirs in times.values()
        for one in (*theirs.busy, *theirs.tentative)
    )


def _slots(found: Mapping[str, Times], day: date, times: checking.Times, who: Visitor) -> tuple[Slot, ...]:
    """The first PROPOSALS of the day's working hours as long as the meeting, none in the past."""
    if times.begin_at is None or times.end_at is None:
        return ()
    length = times.end_at - times.begin_at
    begin_at, latest = moments.at(day, EARLY, who.clock), moments.at(day, LATE, who.clock)
    slots: list[Slot] = []
    while length > 0 and begin_at + length <= latest and len(slots) < PROPOSALS:
        end_at = begin_at + length
        if begin_at >= who.now and free(found, begin_at, end_at):
            shown = f"{who.clock.show(begin_at):%H:%M}–{who.clock.show(end_at):%H:%M}"
            slots.append(Slot(moments.text(begin_at, who.clock), moments.text(end_at, who.clock), shown))
        begin_at += _STEP_MS
    return tuple(slots)


def _row(pick: Pick, times: Times, window: Interval, meeting: Interval | None, who: Visitor) -> Row:
    state = ""
    if meeting:
        state = "busy" if _meets(times.busy, meeting) else ""
        state = state or ("tentative" if _meets(times.tentative, meeting) else "free")
    bars = [
        *(_bar(one, window, "busy") for one in times.busy),
        *(_bar(one, window, "tentative") for one in times.tentative),
    ]
    name = who._("You") if pick.uid == who.uid else pick.name
    return Row(name, tuple(bars), _words(times.busy, who), _words(times.tentative, who), state)


def _meets(intervals: Sequence[Interval], meeting: Interval) -> bool:
    return any(one.begin_at < meeting.end_at and one.end_at > meeting.begin_at for one in intervals)


def _words(intervals: Sequence[Interval], who: Visitor) -> str:
    show = who.clock.show
    return (", " if who.locale == "en" else "、").join(
        f"{show(one.begin_at):%H:%M}–{show(one.end_at):%H:%M}" for one in intervals
    )


def _bar(one: Interval, window: Interval, kind: str) -> Bar:
    left = _place(one.begin_at, window)
    return Bar(left, max(_place(one.end_at, window) - left, 4), kind)


def _place(moment: int, window: Interval) -> int:
    return (moment - window.begin_at) * WIDTH // (window.end_at - window.begin_at)
