"""When a person is busy: their meetings as intervals, without saying which meetings (contract section 6, freebusy)."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from huiyao.model import UNANSWERED, Engagement, MsgStatus


class Interval(NamedTuple):
    """From `begin_at` until just before `end_at`; never empty."""

    begin_at: int
    end_at: int


class Times(NamedTuple):
    """Each part is sorted, and its intervals neither overlap nor touch; the two parts do not overlap either."""

    busy: list[Interval]
    tentative: list[Interval]


def freebusy(engagements: Iterable[Engagement], *, begin_at: int, end_at: int) -> Times:
    """One person's times in [begin_at, end_at).

    Accepted, or one's own and not declined: busy. Not answered: tentative, where not busy anyway. Declined: free.
    """
    busy: list[Interval] = []
    tentative: list[Interval] = []
    for one in engagements:
        cut = Interval(max(one.begin_at, begin_at), min(one.end_at, end_at))
        if cut.begin_at >= cut.end_at:
            continue
        if one.msg_status == MsgStatus.ACCEPTED or (one.organizer and one.msg_status in UNANSWERED):
            busy.append(cut)
        elif one.msg_status in UNANSWERED:
            tentative.append(cut)
    merged = _merged(busy)
    return Times(merged, list(_without(_merged(tentative), merged)))


def _merged(intervals: list[Interval]) -> list[Interval]:
    found: list[Interval] = []
    for one in sorted(intervals):
        if found and one.begin_at <= found[-1].end_at:
            found[-1] = Interval(found[-1].begin_at, max(found[-1].end_at, one.end_at))
        else:
            found.append(one)
    return found


def _without(intervals: list[Interval], taken: list[Interval]) -> Iterator[Interval]:
    """What is left of `intervals` outside `taken`; both merged."""
    place = 0  # in `taken`, which is gone through once
    for begin_at, end_at in intervals:
        left = begin_at
        while place < len(taken) and taken[place].begin_at < end_at:
            if left < taken[place].begin_at:
                yield Interval(left, taken[place].begin_at)
            left = max(left, taken[place].end_at)
            if left >= end_at:
                break  # it may reach into the next interval too
            place += 1
        if left < end_at:
            yield Interval(left, end_at)
