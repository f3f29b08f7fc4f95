"""What a text message says: as an in-app message, on one line and in at most three parts, and the same as parameters.

Time and link are never cut. The meeting's text gives way first, then the values before an update, then the place.
"""

from bisect import bisect_left
from typing import Final

import msgspec

from huiyao import gsm
from huiyao.model import Kind, Meeting
from huiyao.rules.announce import EXCERPT_CHARACTERS
from huiyao.rules.deliver import ANSWERABLE
from huiyao.texts import dates, language
from huiyao.texts.facts import Facts, Old, one_line, read
from huiyao.texts.language import Language

PARAMS: Final = ("organizer", "content", "time", "place", "change", "left")
MOST_PARTS: Final = 3
ORGANIZER_WIDTH: Final = 20  # widths are in UTF-16 units: characters, of which emoji count two
PLACE_WIDTH: Final = 40
CONTENT_WIDTH: Final = 60  # as a parameter
LINK_WIDTH: Final = 70  # a longer link is left out; for one of this width there is always room

_GSM_PART: Final = (160, 153)  # septets of the only part, and of each of several
_UCS2_PART: Final = (70, 67)  # UTF-16 units of the same
_ENOUGH: Final = 20  # characters of the meeting's text, before something else gives way to it


def _plain(words: Language) -> Language:
    """With a dash that every network's alphabet has."""
    return msgspec.structs.replace(words, dates=msgspec.structs.replace(words.dates, dash="-"))


_CHINESE: Final = _plain(language.CHINESE)
_ENGLISH: Final = _plain(language.ENGLISH)


class Text(msgspec.Struct, frozen=True):
    """What goes to a gateway: the whole text, or each of PARAMS for a template registered there."""

    text: str
    params: dict[str, str]


class Room(msgspec.Struct, frozen=True):
    """What there is room for, beside the meeting's text."""

    place: int = PLACE_WIDTH
    old: bool = True  # what was true before an update
    hint: bool = True


_ROOMS: Final = (
    Room(),
    Room(old=False),
    Room(old=False, place=20),
    Room(old=False, place=20, hint=False),  # from here on only beside a link, behind which one may answer too
    Room(old=False, place=0, hint=False),
)


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """One text before it is cut to size."""

    kind: str
    facts: Facts
    words: Language
    hint: str
    link: str
    ellipsis: str = "…"

    def text(self) -> str:
        """With as much of everything as there is room for."""
        text = ""
        for room in _ROOMS if self.link else _ROOMS[:3]:
            facts = self._in(room)
            rest = (self.words.details(self.kind, facts), self.hint if room.hint else "", self.link)
            kept, text = self._filled(facts, self.words.sentences(*rest))
            if len(kept) >= min(len(facts.content), _ENOUGH) and parts(text) <= MOST_PARTS:
                break
        return text

    def params(self) -> dict[str, str]:
        facts = self._in(Room())
        left = self.words.dates.duration(max(0, facts.minutes_left)) if self.kind == Kind.REMINDER else ""
        values = (
            facts.organizer,
            cut(facts.content, CONTENT_WIDTH, self.ellipsis),
            self.words.span(facts),
            facts.place,
            self.words.changes(facts),
            left,
        )
        return dict(zip(PARAMS, values, strict=True))

    def _filled(self, facts: Facts, rest: str) -> tuple[str, str]:
        """As much of the meeting's text as there is room for, if there is any, and the text with it."""

        def text(content: str) -> str:
            opening = self.words.opening(self.kind, msgspec.structs.replace(facts, content=content))
            return self.words.sentences(opening, rest)

        def too_long(length: int) -> bool:
            return parts(text(self._beginning(length))) > MOST_PARTS

        content = facts.content
        most = MOST_PARTS * _GSM_PART[1]  # characters, were there nothing else
        if len(content) > most or parts(text(content)) > MOST_PARTS:
            content = self._beginning(bisect_left(range(1, min(len(content), most)), True, key=too_long))
        return content, text(content)

    def _beginning(self, length: int) -> str:
        return _trim(self.facts.content[:length]) + self.ellipsis if length else ""

    def _in(self, room: Room) -> Facts:
        facts = self.facts
        old = facts.old if room.old else Old()
        if old.address is not None:
            old = msgspec.structs.replace(old, address=cut(old.address, room.place, self.ellipsis))
        return msgspec.structs.replace(
            facts,
            organizer=cut(facts.organizer, ORGANIZER_WIDTH, self.ellipsis),
            place=cut(facts.place, room.place, self.ellipsis),
            old=old,
        )


def render(
    kind: str,
    meeting: Meeting,
    *,
    old: str | None,
    now: int,
    timezone: str,
    locale: str,
    answerable: bool,
    link: str = "",
) -> Text:
    """The text for a reader, of any kind but `answered`, from the meeting as it is now.

    `old` is the JSON of the in-app message of the same notice (rules.announce.Params), from which an update knows what
    the reader was told before. `answerable`: the reader has not answered, and an answer by text comes back to us.
    """
    english = language.is_english(locale)
    words = _ENGLISH if english else _CHINESE
    facts = Facts(
        organizer=one_line(meeting.organizer_name) or "-",
        content=one_line(meeting.content),
        place=one_line(meeting.address),
        begin_at=meeting.begin_at,
        end_at=meeting.end_at,
        now=now,
        clock=dates.clock(timezone, now=now),
        old=_before(old, meeting) if kind == Kind.UPDATED and old is not None else Old(),
    )
    draft = Draft(
        kind=kind,
        facts=facts,
        words=words,
        hint=words.hint if answerable and kind in ANSWERABLE else "",
        link=words.link.format(link=link) if 0 < len(link) <= LINK_WIDTH else "",
    )
    if english:
        # In the GSM alphabet three parts hold more than twice as much, and the other ellipsis is not in it.
        plain = msgspec.structs.replace(draft, ellipsis="...")
        text = plain.text()
        if gsm.is_gsm(text):
            return Text(text, plain.params())
    return Text(draft.text(), draft.params())


def parts(text: str) -> int:
    """Into how many messages a network takes the text apart; no character is split between two."""
    width_of, (only, each) = (gsm.septets, _GSM_PART) if gsm.is_gsm(text) else (_width, _UCS2_PART)
    width = width_of(text)
    if width <= only:
        return 1
    if width == len(text):
        return -(-width // each)
    count, room = 1, each
    for character in text:
        width = width_of(character)
        if width > room:
            count, room = count + 1, each
        room -= width
    return count


def cut(text: str, width: int, ellipsis: str) -> str:
    """The text, or its beginning with the ellipsis behind it, of at most so many UTF-16 units."""
    if _width(text) <= width:
        return text
    kept = text[: max(0, width - len(ellipsis))]
    while kept and _width(kept) + len(ellipsis) > width:
        kept = kept[:-1]
    return _trim(kept) + ellipsis if kept else ""


def _trim(beginning: str) -> str:
    """Without a blank, or the joiner of two emoji, that would be left hanging."""
    return beginning.rstrip(" \u200d")


def _width(text: str) -> int:
    """In UTF-16 units."""
    return len(text) + sum(character > "\uffff" for character in text)


def _before(old: str, meeting: Meeting) -> Old:
    """What the reader was told before: of what the message says changed the old value, of the rest the message's own.

    The meeting may have changed once more since the message was written.
    """
    params = read(old)
    begin_at, end_at = params.old.begin_at, params.old.end_at
    if begin_at is None and (params.begin_at, params.end_at) != (meeting.begin_at, meeting.end_at):
        begin_at, end_at = params.begin_at, params.end_at
    address = params.address if params.old.address is None else params.old.address
    return Old(
        begin_at=begin_at,
        end_at=end_at,
        address=one_line(address),
        content=params.old.content or params.content != meeting.content[:EXCERPT_CHARACTERS],
    )
