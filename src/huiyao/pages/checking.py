"""What is wrong with the form for a meeting, field by field, in the reader's words; the detail where nothing is."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from huiyao import errors
from huiyao.model import Attendee, Meeting
from huiyao.pages import moments
from huiyao.pages.editor import OTHER, PRESETS, Draft
from huiyao.pages.visitor import Visitor
from huiyao.rules import commands
from huiyao.service import picker
from huiyao.service.caller import Services
from huiyao.service.picker import Pick
from huiyao.wire import body as bodies
from huiyao.wire.fields import Field, Integer, Text
from huiyao.wire.requests import LONGEST_REMIND_MIN, NAME

CONTENT: Final = Text(5000)  # contract section 4
ADDRESS: Final = Text(512, blank=True)
UID: Final = Text(picker.LONGEST_UID)
REMIND_MIN: Final = Integer(0, LONGEST_REMIND_MIN)
NAMES_TOLD: Final = 5  # of those who are at fault


class Checked(msgspec.Struct, frozen=True):
    """`detail` is None where there are faults, by the name of their field."""

    detail: commands.Detail | None
    faults: dict[str, str]


class Times(msgspec.Struct, frozen=True):
    begin_at: int | None
    end_at: int | None
    faults: dict[str, str]


def times(draft: Draft, who: Visitor, before: Meeting | None = None) -> Times:
    """Of both fields; one that still shows the meeting's own time means just that, to the millisecond."""
    faults: dict[str, str] = {}
    found: dict[str, int | None] = {}
    for field, value, label, kept in (
        ("begin", draft.begin, who._("Begin"), before.begin_at if before else None),
        ("end", draft.end, who._("End"), before.end_at if before else None),
    ):
        found[field] = None
        if kept is not None and value == moments.text(kept, who.clock):
            found[field] = kept
            continue
        try:
            found[field] = moments.read(value, who.clock)
        except moments.NoSuchTime as error:
            faults[field] = who._(
                "%(label)s: this time does not exist, for the clocks are put forward. The next one is %(time)s."
            ) % {"label": label, "time": f"{who.clock.show(error.after):%H:%M}"}
        except ValueError:
            faults[field] = who._("%(label)s: please give a day and a time, from 1974 to 2099.") % {
                "label": label
            }
    begin_at, end_at = found["begin"], found["end"]
    if begin_at is not None and end_at is not None and end_at < begin_at:
        faults["end"] = who._("The end must not be before the beginning.")
    return Times(begin_at, end_at, faults)


async def check(
    services: Services,
    who: Visitor,
    draft: Draft,
    *,
    max_members: int,
    before: Meeting | None = None,
    attendees: Sequence[Attendee] = (),
) -> Checked:
    """`before` and `attendees` are of the meeting that is edited: what a browser made of its line breaks is undone."""
    faults: dict[str, str] = {}

    def field(name: str, label: str, form: Field[object], value: object) -> None:
        try:
            bodies.parse(form, value, path=name)
        except errors.BadParameter as error:
            fault = error.facts["fault_en" if who.locale == "en" else "fault_zh"]
            faults[name] = f"{label}{' ' if who.locale == 'en' else ''}{fault}"

    content = _kept(draft.content, before.content if before else None, _lines)
    address = _kept(draft.address.strip(), before.address if before else None, _line)
    field("content", who._("Title and description"), CONTENT, content)
    field("address", who._("Place"), ADDRESS, address)
    found = times(draft, who, before)
    faults |= found.faults
    remind = draft.minutes if draft.remind == OTHER else draft.remind
    if draft.remind != OTHER and draft.remind not in map(str, PRESETS):
        remind = ""
    field("minutes" if draft.remind == OTHER else "remind", who._("Reminder"), REMIND_MIN, remind)
    invitees = await _invitees(services, who, draft, attendees)
    people_fault = await _people_fault(services, who, invitees, attendees, max_members)
    if people_fault:
        faults["people"] = people_fault
    if faults or found.begin_at is None or found.end_at is None:
        return Checked(None, faults)
    return Checked(
        commands.Detail(
            content=content,
            address=address,
            begin_at=found.begin_at,
            end_at=found.end_at,
            remind_min=bodies.parse(REMIND_MIN, remind),
            remind_type=int(draft.texting),
            create_time=None,
            invitees=invitees,
        ),
        faults,
    )


async def _invitees(
    services: Services, who: Visitor, draft: Draft, attendees: Sequence[Attendee]
) -> tuple[commands.Invitee, ...]:
    """In the form's order. Who is on the list keeps the name there; others have the directory's, or the one given."""
    rows = {one.uid: one.name for one in attendees if one.listed}
    new = [one.uid for one in draft.people if one.uid not in rows]
    people = await picker.known(services, who.org, new)
    names = rows | {uid: one.name for uid, one in people.items()}
    picks = list(draft.people)
    if draft.myself:
        picks.insert(draft.place, Pick(who.uid, who.name))
    return tuple(commands.Invitee(one.uid, names.get(one.uid) or one.name or one.uid) for one in picks)


async def _people_fault(
    services: Services,
    who: Visitor,
    invitees: Sequence[commands.Invitee],
    attendees: Sequence[Attendee],
    max_members: int,
) -> str:
    if not invitees:
        return who._("Please invite at least one person.")
    if len(invitees) > max_members:
        return who._("At most %(num)s people can be invited.") % {"num": max_members}
    for one in invitees:
        try:
            bodies.parse(UID, one.uid)
            bodies.parse(NAME, one.name)
        except errors.BadParameter:
            return who._("This cannot be a person: %(name)s") % {"name": (one.name or one.uid)[: NAME.limit]}
    if not who.org.closed:
        return ""
    unknown = set(await services.storage.unknown_people(who.org.id, [one.uid for one in invitees]))
    if not unknown:
        return ""
    names = [f"{one.name} ({one.uid})" for one in invitees if one.uid in unknown]
    return who._("Not in the directory: %(names)s") % {"names": _some(names, who)}


def _some(names: Sequence[str], who: Visitor) -> str:
    told = (", " if who.locale == "en" else "、").join(names[:NAMES_TOLD])
    return told if len(names) <= NAMES_TOLD else f"{told} …"


def _kept(entered: str, before: str | None, seen: Callable[[str], str]) -> str:
    """What stands in the meeting, where a browser would show and send just this for it."""
    return before if before is not None and seen(entered) == seen(before) else entered


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _line(text: str) -> str:
    return text.replace("\r", "").replace("\n", "").strip()
