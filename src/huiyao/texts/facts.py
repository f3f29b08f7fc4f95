"""What one notice shows, whichever way it goes: a meeting's facts on one line each, and what they were before."""

import re
from typing import Final

import msgspec

from huiyao.rules.announce import Params
from huiyao.texts.dates import Clock

# Blanks of every kind, control characters and line separators; marks that turn the direction of what follows them.
_BREAKS: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")


class Old(msgspec.Struct, frozen=True):
    """What was true before an update, of what changed only."""

    begin_at: int | None = None
    end_at: int | None = None
    address: str | None = None
    content: bool = False


class Shown(Params, frozen=True, kw_only=True):
    """A message's parameters with what `rules.announce` passes on as it is, read."""

    old: Old = Old()  # type: ignore[assignment]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """One notice as the sentences see it."""

    organizer: str
    content: str
    place: str  # "" for none
    begin_at: int
    end_at: int
    now: int  # when the reader is told
    clock: Clock
    old: Old = Old()

    @property
    def moved(self) -> tuple[int, int] | None:
        """Begin and end as they were, where they are others now: they may have moved there and back."""
        before = (self.old.begin_at, self.old.end_at)
        if before[0] is None or before[1] is None or before == (self.begin_at, self.end_at):
            return None
        return before[0], before[1]

    @property
    def place_before(self) -> str | None:
        """The place as it was, "" for none, where it is another now."""
        before = None if self.old.address is None else one_line(self.old.address)
        return None if before == self.place else before

    @property
    def minutes_left(self) -> int:
        """Until the beginning, rounded up; 0 or less once it has begun."""
        return -((self.now - self.begin_at) // 60_000)


read: Final = msgspec.json.Decoder(Shown).decode


def one_line(text: str) -> str:
    """The text with each run of blanks, line breaks and control characters as one blank, and none around it."""
    # Of the blanks, only the usual one is printable; nearly every text ends here.
    if text.isprintable() and "  " not in text:
        return text.strip()
    return _BREAKS.sub(" ", text).strip()
