"""Where things stand in a calendar: days of views, wall clocks that change, spans side by side."""

from datetime import date, datetime, timedelta
from itertools import combinations, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huiyao.pages import grid
from huiyao.pages.grid import Span, View

BERLIN = ZoneInfo("Europe/Berlin")
HOUR_MS = 3_600_000
DAYS = st.dates(grid.FIRST_DAY, grid.LAST_DAY)
# In half hours, so that many begin when others end.
SPANS = st.lists(
    st.tuples(st.integers(0, 47), st.integers(1, 10)).map(
        lambda one: Span(one[0] * 30, min(one[0] + one[1], 48) * 30)
    ),
    max_size=40,
)


def overlap(one: Span, other: Span) -> bool:
    return one.begin < other.end and other.begin < one.end


def most_at_once(spans: list[Span]) -> int:
    return max((sum(one.begin <= at.begin < one.end for one in spans) for at in spans), default=0)


@given(SPANS)
def test_no_two_spans_of_a_column_overlap(spans: list[Span]) -> None:
    placed = grid.columns(spans)
    for (one, at), (other, there) in combinations(zip(spans, placed, strict=True), 2):
        if overlap(one, other):
            assert at.column != there.column


@given(SPANS)
def test_what_overlaps_is_in_one_cluster_and_clusters_do_not_meet(spans: list[Span]) -> None:
    placed = grid.columns(spans)
    for (one, at), (other, there) in combinations(zip(spans, placed, strict=True), 2):
        if overlap(one, other):
            assert at.cluster == there.cluster
    clusters = {
        number: [span for span, at in zip(spans, placed, strict=True) if at.cluster == number]
        for number in {at.cluster for at in placed}
    }
    for some in clusters.values():  # what only touches is not one
        ordered = sorted(some)
        assert all(
            max(one.end for one in ordered[:number]) > ordered[number].begin
            for number in range(1, len(ordered))
        )
    wholes = [Span(min(some)[0], max(one.end for one in some)) for some in clusters.values()]
    assert not any(overlap(one, other) for one, other in combinations(wholes, 2))


@given(SPANS)
def test_a_cluster_has_as_many_columns_as_spans_at_once(spans: list[Span]) -> None:
    placed = grid.columns(spans)
    for number in {at.cluster for at in placed}:
        some = [(span, at) for span, at in zip(spans, placed, strict=True) if at.cluster == number]
        assert {at.of for _, at in some} == {most_at_once([span for span, _ in some])}
        assert {at.column for _, at in some} == set(range(some[0][1].of))


@given(SPANS, st.integers(2, 5))
def test_where_there_is_no_room_the_last_column_stands_for_the_rest(spans: list[Span], most: int) -> None:
    placed, rest = grid.fitted(spans, most)
    kept = [(span, at) for span, at in zip(spans, placed, strict=True) if at]
    assert len(kept) + sum(one.number for one in rest) == len(spans)
    shown = [*kept, *((one.span, one.placed) for one in rest)]
    assert all(at.column < at.of <= most for _, at in shown)
    for (one, here), (other, there) in combinations(shown, 2):
        if overlap(one, other):
            assert here.column != there.column
            assert here.of == there.of
    hidden = [span for span, at in zip(spans, placed, strict=True) if not at]
    assert all(
        any(one.span.begin <= span.begin and span.end <= one.span.end for one in rest) for span in hidden
    )


@given(SPANS)
def test_the_hours_shown_hold_everything_and_are_those_of_an_office_at_the_least(spans: list[Span]) -> None:
    first, last = grid.hours(spans)
    assert 0 <= first <= 8
    assert 19 <= last <= 24
    assert all(first * 60 <= one.begin and one.end <= last * 60 for one in spans)


@given(DAYS)
def test_a_month_is_shown_in_whole_weeks_from_monday(chosen: date) -> None:
    days = grid.days(View.MONTH, chosen)
    assert days[0].weekday() == 0
    assert len(days) in (28, 35, 42)
    assert all(later - earlier == grid.DAY for earlier, later in pairwise(days))
    whole = {one for one in days if (one.year, one.month) == (chosen.year, chosen.month)}
    assert chosen.replace(day=1) in whole
    assert max(whole) + grid.DAY == (chosen.replace(day=28) + timedelta(days=4)).replace(day=1)
    assert {(one.year, one.month) for one in days[7:-7]} == {(chosen.year, chosen.month)}


@given(DAYS)
def test_a_week_begins_on_monday_and_holds_the_day(chosen: date) -> None:
    days = grid.days(View.WEEK, chosen)
    assert [one.weekday() for one in days] == [0, 1, 2, 3, 4, 5, 6]
    assert chosen in days


@pytest.mark.parametrize(
    ("view", "day", "by", "there"),
    [
        (View.MONTH, date(2027, 1, 31), 1, date(2027, 2, 28)),
        (View.MONTH, date(2028, 3, 31), -1, date(2028, 2, 29)),
        (View.MONTH, date(2026, 12, 5), 1, date(2027, 1, 5)),
        (View.MONTH, date(2027, 1, 5), -1, date(2026, 12, 5)),
        (View.WEEK, date(2026, 12, 30), 1, date(2027, 1, 6)),
        (View.DAY, date(2026, 12, 31), 1, date(2027, 1, 1)),
        (View.DAY, grid.LAST_DAY, 1, None),
        (View.MONTH, grid.FIRST_DAY, -1, None),
    ],
)
def test_going_on_keeps_to_the_months_and_ends_with_the_calendar(
    view: View, day: date, by: int, there: date | None
) -> None:
    assert grid.moved(view, day, by=by) == there


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2027, 3, 28), 23),
        ("Europe/Berlin", date(2027, 10, 31), 25),
        ("America/New_York", date(2027, 3, 14), 23),
        ("America/New_York", date(2027, 11, 7), 25),
        ("Asia/Shanghai", date(2027, 3, 28), 24),
        ("America/Havana", date(2027, 3, 14), 23),  # skips midnight itself
        ("America/Havana", date(2027, 11, 7), 25),  # has it twice
    ],
)
def test_a_day_is_from_midnight_to_midnight_on_its_clock(zone: str, day: date, hours: int) -> None:
    where = ZoneInfo(zone)
    begin, end = grid.moment(day, 0, where), grid.moment(day + grid.DAY, 0, where)
    assert end - begin == hours * HOUR_MS
    assert datetime.fromtimestamp(begin / 1000, where).date() == day
    assert datetime.fromtimestamp(begin / 1000 - 1, where).date() == day - grid.DAY


def at(day: int, hour: int, minute: int = 0, *, fold: int = 0) -> datetime:
    return datetime(2027, 10, day, hour, minute, tzinfo=BERLIN, fold=fold)


@pytest.mark.parametrize(
    ("begin", "end", "days", "long"),
    [
        (at(5, 9), at(5, 10), (5, 5), False),
        (at(5, 9), at(5, 9), (5, 5), False),
        (at(5, 22), at(6, 0), (5, 5), False),
        (at(5, 0), at(5, 0), (5, 5), False),
        (at(5, 0), at(6, 0), (5, 5), True),
        (at(31, 0), at(31, 23, 59), (31, 31), False),  # 25 hours but for a minute
        (at(5, 22), at(6, 0, 1), (5, 6), True),
        (at(5, 22), at(7, 0), (5, 6), True),
    ],
)
def test_a_meeting_is_on_the_days_it_touches_and_long_on_several_or_all_day(
    begin: datetime, end: datetime, days: tuple[int, int], long: bool
) -> None:
    first, last = grid.dates(begin, end)
    assert (first.day, last.day) == days
    assert grid.is_long(begin, end) == long


@pytest.mark.parametrize(
    ("begin", "end", "span"),
    [
        (at(5, 9, 10), at(5, 10, 5), Span(550, 605)),
        (at(5, 9), at(5, 9), Span(540, 570)),
        (at(5, 23), at(6, 0), Span(1380, 1440)),
        (at(5, 23, 50), at(6, 0), Span(1410, 1440)),
        (at(31, 2, 45), at(31, 2, 15, fold=1), Span(165, 195)),  # ends before it has begun, on the wall
    ],
)
def test_a_meeting_is_drawn_within_its_day_with_room_for_a_title(
    begin: datetime, end: datetime, span: Span
) -> None:
    assert grid.drawn(begin, end) == span
