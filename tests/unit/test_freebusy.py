"""When a person is busy (contract section 6, freebusy): by example, and against a grid of minutes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huiyao.model import Engagement, MsgStatus
from huiyao.rules.freebusy import Interval, Times, freebusy

MINUTES = 24  # of the window, which begins at 0
MEETINGS = st.builds(
    Engagement,
    uid=st.just("ann"),
    begin_at=st.integers(-6, MINUTES + 6),
    end_at=st.integers(-6, MINUTES + 6),
    meeting_id=st.just(1),
    organizer=st.booleans(),
    msg_status=st.sampled_from(MsgStatus),
)


def meeting(begin_at: int, end_at: int, status: MsgStatus, *, organizer: bool = False) -> Engagement:
    return Engagement("ann", begin_at, end_at, 1, organizer, status)


def times(*engagements: Engagement) -> Times:
    return freebusy(engagements, begin_at=0, end_at=MINUTES)


def accepted(begin_at: int, end_at: int) -> Engagement:
    return meeting(begin_at, end_at, MsgStatus.ACCEPTED)


def unread(begin_at: int, end_at: int) -> Engagement:
    return meeting(begin_at, end_at, MsgStatus.UNREAD)


@pytest.mark.parametrize(
    ("status", "organizer", "kind"),
    [
        (MsgStatus.UNREAD, False, "tentative"),
        (MsgStatus.READ, False, "tentative"),
        (MsgStatus.ACCEPTED, False, "busy"),
        (MsgStatus.DECLINED, False, "free"),
        (MsgStatus.UNREAD, True, "busy"),
        (MsgStatus.READ, True, "busy"),
        (MsgStatus.ACCEPTED, True, "busy"),
        (MsgStatus.DECLINED, True, "free"),
    ],
)
def test_the_answer_and_whose_meeting_it_is_decide(status: MsgStatus, organizer: bool, kind: str) -> None:
    found = times(meeting(9, 10, status, organizer=organizer))
    there = [Interval(9, 10)]
    assert found == Times(there if kind == "busy" else [], there if kind == "tentative" else [])


def test_who_has_no_meetings_is_free() -> None:
    assert times() == ([], [])


def test_meetings_that_overlap_or_touch_become_one_interval() -> None:
    found = times(accepted(9, 10), accepted(13, 14), accepted(10, 11), accepted(8, 12))
    assert found.busy == [(8, 12), (13, 14)]


def test_meetings_are_cut_to_the_window_and_those_outside_are_left_out() -> None:
    found = times(accepted(-5, 2), unread(23, 30), accepted(-3, 0), unread(24, 25))
    assert found == ([(0, 2)], [(23, 24)])


def test_a_meeting_of_no_length_takes_no_time() -> None:
    assert times(accepted(9, 9)) == ([], [])


def test_busy_cuts_a_hole_into_tentative() -> None:
    assert times(unread(9, 17), accepted(11, 12), accepted(14, 15)).tentative == [(9, 11), (12, 14), (15, 17)]


def test_one_busy_interval_can_cut_several_tentative_ones() -> None:
    assert times(unread(1, 4), unread(5, 6), unread(7, 9), accepted(3, 8)).tentative == [(1, 3), (8, 9)]


@given(st.lists(MEETINGS, max_size=12))
def test_the_intervals_are_those_of_a_grid_filled_minute_by_minute(engagements: list[Engagement]) -> None:
    found = times(*engagements)
    for minute in range(MINUTES):
        there = [one for one in engagements if one.begin_at <= minute < one.end_at]
        wanted = [one for one in there if one.msg_status != MsgStatus.DECLINED]
        busy = any(one.organizer or one.msg_status == MsgStatus.ACCEPTED for one in wanted)
        tentative = bool(wanted) and not busy
        assert busy == any(begin <= minute < end for begin, end in found.busy)
        assert tentative == any(begin <= minute < end for begin, end in found.tentative)


@given(st.lists(MEETINGS, max_size=12))
def test_the_intervals_are_in_order_inside_the_window_and_apart(engagements: list[Engagement]) -> None:
    found = times(*engagements)
    for intervals in found:
        assert all(0 <= begin < end <= MINUTES for begin, end in intervals)
        assert all(before.end_at < after.begin_at for before, after in pairwise(intervals))
    whole = sorted([*found.busy, *found.tentative])
    assert all(before.end_at <= after.begin_at for before, after in pairwise(whole))


@given(st.lists(MEETINGS, max_size=8).flatmap(lambda made: st.tuples(st.just(made), st.permutations(made))))
def test_the_order_of_meetings_does_not_matter(orders: tuple[list[Engagement], list[Engagement]]) -> None:
    assert times(*orders[0]) == times(*orders[1])
