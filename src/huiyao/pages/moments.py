"""Times as a form's datetime-local field has them, on the reader's clock; where the clocks change, what is meant."""

import re
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from huiyao.texts.dates import Clock
from huiyao.wire.fields import LATEST_MOMENT

HALF_HOUR_MS: Final = 1_800_000
HOUR_MS: Final = 2 * HALF_HOUR_MS
EARLIEST_YEAR: Final = 1974  # a moment before that would be taken for seconds (contract section 1)
LATEST_YEAR: Final = 2099

_NONE: Final = "no time that a form can hold"
_FORM: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{3})?)?")


class NoSuchTime(ValueError):
    """The clocks are put forward over it: it is on no clock. `after` is the first moment behind the gap."""

    def __init__(self, after: int) -> None:
        super().__init__("there is no such time")
        self.after = after


def text(moment: int, clock: Clock) -> str:
    """A moment as the field's value, to the minute."""
    shown = clock.show(moment)
    return f"{shown.year:04}-{shown.month:02}-{shown.day:02}T{shown.hour:02}:{shown.minute:02}"


def read(value: str, clock: Clock) -> int:
    """The moment of a field's value; of a time that comes twice the first. Raises NoSuchTime, else ValueError."""
    if not _FORM.fullmatch(value.strip()):
        raise ValueError(_NONE)
    local = datetime.fromisoformat(value.strip())  # raises it too, for month 13
    if not EARLIEST_YEAR <= local.year <= LATEST_YEAR:
        raise ValueError(_NONE)
    moment = _moment(local, clock.zone)
    if clock.show(moment).replace(tzinfo=None) != local:
        # Of a time in the gap the zone answers one as far behind it.
        raise NoSuchTime(_gap_end(moment, clock))
    if moment > LATEST_MOMENT:
        raise ValueError(_NONE)
    return moment


def at(day: date, hour: int, clock: Clock) -> int:
    """The moment at which a day's hour begins on the reader's clock; hour 24 is the next midnight."""
    whole = datetime.combine(day, time(), clock.zone) + timedelta(hours=hour)  # by the clock on the wall
    return _moment(whole, clock.zone)


def next_half_hour(now: int) -> int:
    """Strictly after now. Every zone of today is whole quarters of an hour from UTC."""
    return (now // HALF_HOUR_MS + 1) * HALF_HOUR_MS


def _moment(local: datetime, zone: ZoneInfo) -> int:
    return round(local.replace(tzinfo=zone, fold=0).timestamp() * 1000)


def _gap_end(behind: int, clock: Clock) -> int:
    """The moment at which the clocks were put forward, in the day before `behind`."""
    offset = clock.show(behind).utcoffset()
    low, high = behind // 1000 - 86_400, behind // 1000  # seconds: before it, not before it
    while high - low > 1:
        middle = (low + high) // 2
        if clock.show(middle * 1000).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return high * 1000
