"""Days, spans and durations in Chinese and English. Moments are milliseconds, shown on a reader's clock."""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

_QUARTER_MS: Final = 900_000
_WEEKDAYS_ZH: Final = "一二三四五六日"
_WEEKDAYS_EN: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS_EN: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Clock(msgspec.Struct, frozen=True):
    """Where the reader is, and when."""

    zone: ZoneInfo
    year: int  # the reader's own; a day of another year names it

    def show(self, moment: int) -> datetime:
        return datetime.fromtimestamp(moment / 1000, self.zone)


def clock(timezone: str, *, now: int) -> Clock:
    """The clock of a reader in a zone of the tz database; the text is for the year of `now`."""
    return _clock(timezone, now // _QUARTER_MS)


@lru_cache(maxsize=10_000)
def _clock(timezone: str, quarter: int) -> Clock:
    """One for each quarter of an hour: no zone begins its year within one, and an inbox has many messages of each."""
    zone = ZoneInfo(timezone)
    return Clock(zone, datetime.fromtimestamp(quarter * _QUARTER_MS / 1000, zone).year)


class Dates(msgspec.Struct, frozen=True, kw_only=True):
    """How one language writes them."""

    day: Callable[[datetime, int], str]  # of a moment, for readers in that year
    units: tuple[str, str, str, str]  # a day, days, hours, minutes
    gap: str  # between two of these
    dash: str = "–"

    def span(self, begin_at: int, end_at: int, *, clock: Clock) -> str:
        """From begin to end; of an end on the same day only the time, of an end that is the beginning nothing."""
        begin, end = clock.show(begin_at), clock.show(end_at)
        # Where the clocks change in between, 01:30 may come twice: the zone's own letters tell which.
        told = _time if begin.utcoffset() == end.utcoffset() else _time_and_zone
        start = f"{self.day(begin, clock.year)} {told(begin)}"
        if begin.date() != end.date():
            return f"{start} {self.dash} {self.day(end, clock.year)} {told(end)}"
        return start if begin_at == end_at else f"{start}{self.dash}{told(end)}"

    def duration(self, minutes: int) -> str:
        """Days, hours and minutes, without those that are none; of no time at all the minutes."""
        one_day, *units = self.units
        hours, rest = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        if days == 1:
            units[0] = one_day
        amounts = zip((days, hours, rest), units, strict=True)
        return self.gap.join(f"{amount}{unit}" for amount, unit in amounts if amount) or f"0{units[-1]}"


def _time(when: datetime) -> str:
    return f"{when.hour:02}:{when.minute:02}"  # strftime takes four times as long


def _time_and_zone(when: datetime) -> str:
    return f"{_time(when)} {when.tzname()}"


def _day_zh(when: datetime, year: int) -> str:
    day = f"{when.month}月{when.day}日 周{_WEEKDAYS_ZH[when.weekday()]}"
    return day if when.year == year else f"{when.year}年{day}"


def _day_en(when: datetime, year: int) -> str:
    day = f"{_WEEKDAYS_EN[when.weekday()]} {when.day} {_MONTHS_EN[when.month - 1]}"
    return day if when.year == year else f"{day} {when.year}"


CHINESE: Final = Dates(day=_day_zh, units=("天", "天", "小时", "分钟"), gap="")
ENGLISH: Final = Dates(day=_day_en, units=(" day", " days", " h", " min"), gap=" ")
