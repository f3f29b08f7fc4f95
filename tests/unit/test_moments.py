"""Local times of forms: there and back, and where the clocks change."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huiyao.pages import moments
from huiyao.texts import dates

NOW = 1_800_000_000_000
MINUTE = 60_000
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")


def clock(zone: str) -> dates.Clock:
    return dates.clock(zone, now=NOW)


@given(
    st.sampled_from(ZONES),
    st.integers(150_000_000_000 // MINUTE, 4_100_000_000_000 // MINUTE).map(lambda minute: minute * MINUTE),
)
def test_what_a_field_shows_is_read_as_that_moment_or_the_first_that_looks_the_same(
    zone: str, moment: int
) -> None:
    shown = moments.text(moment, clock(zone))
    read = moments.read(shown, clock(zone))
    assert moments.text(read, clock(zone)) == shown
    assert read <= moment
    assert moment - read in (0, 30 * MINUTE, 60 * MINUTE)


@pytest.mark.parametrize(
    ("zone", "value", "behind"),
    [
        ("Europe/Berlin", "2027-03-28T02:00", "2027-03-28T03:00"),
        ("Europe/Berlin", "2027-03-28T02:59", "2027-03-28T03:00"),
        ("America/New_York", "2027-03-14T02:30", "2027-03-14T03:00"),
        ("Australia/Lord_Howe", "2027-10-03T02:15", "2027-10-03T02:30"),
    ],
)
def test_a_time_that_the_clocks_skip_is_none_and_the_one_behind_it_is_named(
    zone: str, value: str, behind: str
) -> None:
    with pytest.raises(moments.NoSuchTime) as refused:
        moments.read(value, clock(zone))
    assert moments.text(refused.value.after, clock(zone)) == behind
    before = moments.read(behind, clock(zone)) - MINUTE
    assert moments.text(before, clock(zone)) < value


def test_of_a_time_that_comes_twice_the_first_is_read() -> None:
    berlin = clock("Europe/Berlin")
    first = moments.read("2027-10-31T02:30", berlin)
    assert berlin.show(first).utcoffset() == timedelta(hours=2)
    assert moments.text(first + 60 * MINUTE, berlin) == "2027-10-31T02:30"


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            "x",
            "2027-01-15",
            "2027-13-01T10:00",
            "2027-01-15T25:00",
            "2027-01-15T10:00Z",
            "20270115T1000",
        ),
        *("2027-01-15T10:00+01:00", "1973-12-31T23:59", "2100-01-01T00:00", "9999-12-31T23:59", "1" * 100),
        "２０２７-01-15T10:00",
    ],
)
def test_anything_else_is_no_time(value: str) -> None:
    with pytest.raises(ValueError, match=r"no time|must be in") as refused:
        moments.read(value, clock("Asia/Shanghai"))
    assert not isinstance(refused.value, moments.NoSuchTime)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2027, 3, 28), 23),
        ("Europe/Berlin", date(2027, 10, 31), 25),
        ("Asia/Shanghai", date(2027, 3, 28), 24),
    ],
)
def test_a_day_reaches_from_midnight_to_midnight(zone: str, day: date, hours: int) -> None:
    begin, end = (moments.at(day, hour, clock(zone)) for hour in (0, 24))
    assert end - begin == hours * 60 * MINUTE


def test_the_next_half_hour_lies_ahead() -> None:
    assert moments.next_half_hour(NOW) == NOW + 30 * MINUTE
    assert moments.next_half_hour(NOW + 1) == NOW + 30 * MINUTE
