"""What the form for a meeting holds: as it is sent, as a meeting fills it, and how it is carried from step to step."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from starlette.exceptions import HTTPException

from huiyao.model import Attendee, Meeting
from huiyao.pages import moments
from huiyao.pages.forms import Form
from huiyao.pages.visitor import Visitor
from huiyao.service.picker import Pick

PRESETS: Final = (0, 5, 10, 15, 30, 60, 120, 1440)  # minutes before the beginning
OTHER: Final = "other"

_decode = msgspec.json.Decoder(tuple[str, str]).decode
_encode = msgspec.json.Encoder().encode


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """Each field as text, however wrong it may be."""

    content: str = ""
    address: str = ""
    begin: str = ""
    end: str = ""
    remind: str = "15"  # one of PRESETS, or OTHER
    minutes: str = ""  # for OTHER
    texting: bool = False
    myself: bool = False
    place: int = 0  # of the organizer on the list
    people: tuple[Pick, ...] = ()  # the others
    paste: str = ""
    q: str = ""
    key: str = ""  # by which a second sending of the form is recognised
    sequence: int | None = None  # of the meeting as it was when it was opened
    warned: str = ""  # the times whose warnings the organizer has seen

    @property
    def carried(self) -> list[tuple[str, str]]:
        """All of it as hidden fields."""
        fields = [
            ("content", self.content),
            ("address", self.address),
            ("begin", self.begin),
            ("end", self.end),
            ("remind", self.remind),
            ("minutes", self.minutes),
            ("texting", "1" if self.texting else "0"),
            ("place", str(self.place)),
            ("warned", self.warned),
            ("sequence", "" if self.sequence is None else str(self.sequence)),
            *(("person", person(one)) for one in self.people),
        ]
        return [*fields, ("myself", "1")] if self.myself else fields

    def fingerprint(self) -> bytes:
        """Of what would be created."""
        whole = (self.content, self.address, self.begin, self.end, self.remind, self.minutes, self.texting)
        people = (self.myself, self.place, [one.uid for one in self.people])
        return hashlib.sha256(_encode((whole, people))).digest()


def blank(who: Visitor, *, begin_at: int | None, end_at: int | None) -> Draft:
    """For a new meeting: the next full half hour, one hour long, unless the calendar names a time."""
    begin = moments.next_half_hour(who.now) if begin_at is None else begin_at
    end = begin + moments.HOUR_MS if end_at is None or end_at < begin else end_at
    return Draft(begin=moments.text(begin, who.clock), end=moments.text(end, who.clock), key=new_key())


def of_meeting(meeting: Meeting, attendees: Sequence[Attendee], who: Visitor) -> Draft:
    listed = sorted((one for one in attendees if one.listed), key=lambda one: one.position)
    preset = meeting.remind_min in PRESETS
    return Draft(
        content=meeting.content,
        address=meeting.address,
        begin=moments.text(meeting.begin_at, who.clock),
        end=moments.text(meeting.end_at, who.clock),
        remind=str(meeting.remind_min) if preset else OTHER,
        minutes="" if preset else str(meeting.remind_min),
        texting=meeting.remind_type == 1,
        myself=any(one.organizer for one in listed),
        place=next((place for place, one in enumerate(listed) if one.organizer), 0),
        people=tuple(Pick(one.uid, one.name) for one in listed if not one.organizer),
        sequence=meeting.sequence,
    )


def read(form: Form, who: Visitor) -> Draft:
    """Raises HTTPException(400) for what our own form does not send."""
    people = dict[str, str]()
    for value in form.all("person"):
        uid, name = _person(value)
        people.setdefault(uid, name)
    myself = form.get("myself") == "1" or who.uid in people
    people.pop(who.uid, None)
    return Draft(
        content=form.get("content"),
        address=form.get("address"),
        begin=form.get("begin"),
        end=form.get("end"),
        remind=form.get("remind", "15"),
        minutes=form.get("minutes"),
        texting=form.get("texting") == "1",
        myself=myself,
        place=form.number("place") or 0,
        people=tuple(Pick(uid, name) for uid, name in people.items()),
        paste=form.get("paste"),
        q=form.get("q"),
        key=form.get("key"),
        sequence=form.number("sequence"),
        warned=form.get("warned"),
    )


def joined(draft: Draft, picks: Iterable[Pick], who: Visitor) -> Draft:
    """With these people too, each once; picking oneself is what the box does."""
    people = {one.uid: one for one in draft.people}
    myself = draft.myself
    for one in picks:
        if one.uid == who.uid:
            myself = True
        else:
            people.setdefault(one.uid, one)
    return msgspec.structs.replace(draft, people=tuple(people.values()), myself=myself)


def without(draft: Draft, uid: str) -> Draft:
    return msgspec.structs.replace(draft, people=tuple(one for one in draft.people if one.uid != uid))


def person(pick: Pick) -> str:
    """Somebody as one field's value: JSON, for a uid may hold any character that might part it from the name."""
    return _encode((pick.uid, pick.name)).decode()


def new_key() -> str:
    return secrets.token_urlsafe(16)


def _person(value: str) -> tuple[str, str]:
    try:
        return _decode(value)
    except msgspec.DecodeError as error:
        raise HTTPException(400) from error
