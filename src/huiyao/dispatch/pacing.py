"""How fast a channel may be used: its own rate, and a circuit that opens while the gateway is down."""

import math
import random
from typing import Final

OPENS_AFTER: Final = 5  # failures of the gateway in a row
FIRST_OPEN_SECONDS: Final = 1.0  # doubled each time the trial fails
LONGEST_OPEN_SECONDS: Final = 60.0


class Rate:
    """About `per_second` begun in any second, evenly: no more than a tenth of a second's worth is saved up."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._most = max(1.0, per_second / 10)
        self._tokens = self._most
        self._at: float | None = None

    def room(self, at: float) -> int:
        """How many may begin at this moment of the event loop's clock."""
        if self._at is not None:
            self._tokens = min(self._most, self._tokens + (at - self._at) * self._per_second)
        self._at = at
        return int(self._tokens)

    def take(self, count: int) -> None:
        self._tokens -= count

    def wait_seconds(self) -> float:
        """Until the next may begin."""
        return max(0.0, (1 - self._tokens) / self._per_second)


class Circuit:
    """Opens when the gateway fails OPENS_AFTER times in a row; then one at a time tries whether it is back.

    While it is open nothing is begun, so that an outage uses up nobody's attempts.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._openings = 0
        self._open_until = 0.0
        self._trying = False

    @property
    def open(self) -> bool:
        return self._openings > 0

    def room(self, at: float, wanted: int) -> int:
        """How many may begin: all, none, or the one that tries."""
        if not self._openings:
            return wanted
        return 0 if self._trying or at < self._open_until else min(1, wanted)

    def begin(self) -> bool:
        """Something has begun; True: the circuit is open, and this is the trial."""
        self._trying = self.open
        return self._trying

    def wait_seconds(self, at: float) -> float:
        """Until the next trial may begin; the end of one that is under way is told otherwise."""
        return math.inf if self._trying else max(0.0, self._open_until - at)

    def worked(self) -> bool:
        """The gateway did its work; True where this closed the circuit."""
        closed = self.open
        self._failures = self._openings = 0
        self._trying = False
        return closed

    def failed(self, at: float, *, trial: bool) -> bool:
        """The gateway as a whole was of no use; True where this opened the circuit."""
        self._failures += 1
        if self.open and not trial:
            return False  # what was under way when it opened changes nothing
        if not self.open and self._failures < OPENS_AFTER:
            return False
        opened = not self.open
        self._trying = False
        self._openings += 1
        longest = min(LONGEST_OPEN_SECONDS, FIRST_OPEN_SECONDS * 2 ** (self._openings - 1))
        self._open_until = at + longest * random.uniform(0.5, 1)  # noqa: S311
        return opened
