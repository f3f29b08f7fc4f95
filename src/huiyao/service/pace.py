"""How often something may happen: so many at once, won back evenly as time passes. No timer, no I/O, O(1)."""

import math
from collections import OrderedDict
from collections.abc import Hashable

import msgspec

_NEARLY = 1 - 1e-9  # what floating point makes of one


class Standing(msgspec.Struct, frozen=True, gc=False):
    """How a caller stands with a limit, for the X-RateLimit headers."""

    limit: int
    remaining: int
    reset_seconds: int  # until all of the limit is there again


class Pace:
    """A token bucket. Moments are milliseconds of a clock that may be set: back, it wins nothing; forward, all."""

    __slots__ = ("_at", "_left", "burst", "per_second")

    def __init__(self, per_second: float, *, burst: int, now: int) -> None:
        self.per_second = per_second
        self.burst = burst
        self._left = float(burst)
        self._at = now

    def take(self, now: int) -> int:
        """Take one: 0, or where none is left the seconds (rounded up) until one will be."""
        self._win(now)
        if self._left >= _NEARLY:
            self._left -= 1
            return 0
        return math.ceil((1 - self._left) / self.per_second)

    def wait_seconds(self, now: int) -> int:
        """What `take` would answer, without taking."""
        self._win(now)
        return 0 if self._left >= _NEARLY else math.ceil((1 - self._left) / self.per_second)

    def standing(self, now: int) -> Standing:
        self._win(now)
        missing = (self.burst - self._left) / self.per_second
        return Standing(self.burst, int(self._left + 1e-9), math.ceil(missing - 1e-9))

    def _win(self, now: int) -> None:
        passed = now - self._at
        if passed:
            self._at = now
            if passed > 0:
                self._left = min(self.burst, self._left + passed * self.per_second / 1000)


class Paces:
    """A pace for each key; at most `at_most` of them, the one asked for longest ago gives way."""

    def __init__(self, *, at_most: int = 10_000) -> None:
        self._paces: OrderedDict[Hashable, Pace] = OrderedDict()
        self._at_most = at_most

    def __len__(self) -> int:
        return len(self._paces)

    def known(self, key: Hashable) -> Pace | None:
        return self._paces.get(key)

    def get(self, key: Hashable, per_second: float, *, burst: int, now: int) -> Pace:
        """The key's pace; begun anew where it is another than before."""
        pace = self._paces.get(key)
        if pace is None or pace.per_second != per_second or pace.burst != burst:
            pace = self._paces[key] = Pace(per_second, burst=burst, now=now)
            if len(self._paces) > self._at_most:
                self._paces.popitem(last=False)
        self._paces.move_to_end(key)
        return pace
