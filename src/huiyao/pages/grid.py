"""Where things stand in a calendar: the days of a view, moments on a wall clock, overlapping spans side by side.

Pure. Weeks begin on Monday (ISO 8601); minutes are those a clock on the wall shows, counted from midnight.
"""

import calendar
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

FIRST_DAY: Final = date(1970, 1, 1)  # meetings lie between these two (wire.fields.LATEST_MOMENT)
LAST_DAY: Final = date(2099, 12, 31)
DAY: Final = timedelta(days=1)
MINUTES: Final = (
    1440  # of a day on the wall; the clock shows each of them, whenever it is put forward or back
)
SHORTEST: Final = 30  # minutes that are drawn at the least, so that there is room for a title
OFFICE_HOURS: Final = (8, 19)  # shown on every day


class View(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Span(NamedTuple):
    """From `begin` until just before `end`; never empty."""

    begin: int
    end: int


class Placed(NamedTuple):
    """`column` of `of`, which all spans of a cluster share: those that overlap, directly or by way of others."""

    column: int
    of: int
    cluster: int


class Rest(NamedTuple):
    """What found no room in a cluster: how many, and from when to when."""

    span: Span
    number: int
    placed: Placed


def days(view: View, chosen: date) -> list[date]:
    """What a view shows: a day's week too, a month's in whole weeks, the days before and after included."""
    if view is View.MONTH:
        first = monday(chosen.replace(day=1))
        last = monday(chosen.replace(day=calendar.monthrange(chosen.year, chosen.month)[1])) + 6 * DAY
    else:
        first = monday(chosen)
        last = first + 6 * DAY
    return [first + number * DAY for number in range((last - first).days + 1)]


def monday(day: date) -> date:
    return day - day.weekday() * DAY


def moved(view: View, chosen: date, *, by: int) -> date | None:
    """The day as many days, weeks or months on; of a shorter month its last. None where the calendar ends."""
    if view is View.MONTH:
        year, month = divmod(chosen.year * 12 + chosen.month - 1 + by, 12)
        found = date(year, month + 1, min(chosen.day, calendar.monthrange(year, month + 1)[1]))
    else:
        found = chosen + by * (DAY if view is View.DAY else 7 * DAY)
    return found if FIRST_DAY <= found <= LAST_DAY else None


def moment(day: date, hour: int, zone: ZoneInfo) -> int:
    """When a clock there shows that hour, in milliseconds: the first time, or, where it is skipped, what comes for it.

    Midnight is the moment at which the day begins, in zones that skip it too.
    """
    return int(datetime.combine(day, time(hour), zone).timestamp()) * 1000


def dates(begin: datetime, end: datetime) -> tuple[date, date]:
    """The first and the last day of a meeting; one that ends at midnight does not touch the day that begins then."""
    last = end.date() if end.time() != time(0) else end.date() - DAY
    return begin.date(), max(begin.date(), last)


def is_long(begin: datetime, end: datetime) -> bool:
    """Whether it is on several days, or all day, and stands above the hours; one that goes on past midnight too."""
    first, last = dates(begin, end)
    return first != last or end.replace(tzinfo=None) - begin.replace(tzinfo=None) >= DAY


def drawn(begin: datetime, end: datetime) -> Span:
    """Where a meeting on one day is drawn: for SHORTEST at the least, and within the day.

    By the wall clock: where the clocks are put back meanwhile, it may end before it has begun.
    """
    first = min(minute(begin), MINUTES - SHORTEST)
    last = MINUTES if end.date() > begin.date() else minute(end)
    return Span(first, max(last, first + SHORTEST))


def minute(when: datetime) -> int:
    return when.hour * 60 + when.minute


def hours(spans: Iterable[Span]) -> tuple[int, int]:
    """The hours to be shown: OFFICE_HOURS, and all that `spans` need."""
    first, last = OFFICE_HOURS
    for one in spans:
        first, last = min(first, one.begin // 60), max(last, -(-one.end // 60))
    return first, last


def columns(spans: Sequence[Span]) -> list[Placed]:
    """Side by side what overlaps, in as few columns as can be; in the order given.

    Each takes the first column that is free when it begins. By their beginnings, that needs no more columns than there
    are spans at once at some moment.
    """
    column = [0] * len(spans)
    cluster = [0] * len(spans)
    ends: list[int] = []  # of the last span in each column of this cluster
    widths: list[int] = []
    for index in sorted(range(len(spans)), key=lambda index: (spans[index].begin, -spans[index].end)):
        begin, end = spans[index]
        if not ends or begin >= max(ends):
            ends = []
            widths.append(0)
        free = next((number for number, until in enumerate(ends) if until <= begin), len(ends))
        ends[free : free + 1] = [end]
        column[index], cluster[index] = free, len(widths) - 1
        widths[-1] = len(ends)
    return [Placed(one, widths[which], which) for one, which in zip(column, cluster, strict=True)]


def fitted(spans: Sequence[Span], most: int) -> tuple[list[Placed | None], list[Rest]]:
    """`columns`, `most` of them at the most: of a wider cluster the last one is for what found no room (None)."""
    placed: list[Placed | None] = []
    left_over: dict[int, list[Span]] = {}
    for span, one in zip(spans, columns(spans), strict=True):
        if one.of <= most:
            placed.append(one)
        elif one.column < most - 1:
            placed.append(Placed(one.column, most, one.cluster))
        else:
            placed.append(None)
            left_over.setdefault(one.cluster, []).append(span)
    return placed, [
        Rest(
            Span(min(one.begin for one in some), max(one.end for one in some)),
            len(some),
            Placed(most - 1, most, cluster),
        )
        for cluster, some in left_over.items()
    ]
