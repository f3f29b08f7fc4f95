"""Whom an organizer means: people of the directory by a few letters, by uid, and by a whole pasted list."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

import msgspec

from huiyao.model import Org, Person
from huiyao.pinyin import fold, search_text
from huiyao.service.caller import Services
from huiyao.telephone import normalise

MOST_FOUND: Final = 20
MOST_RANKED: Final = 200  # of those that fit; the best of them are shown
MOST_PASTED: Final = 20_000  # entries of one list
MOST_CHOICES: Final = 10  # people of one name offered
LONGEST_UID: Final = 64
LONGEST_NAME: Final = 128

_AT_ONCE: Final = 1000  # people of one read
_FEW: Final = 8  # names looked for one by one; for more the directory is read once
_ENTRIES: Final = re.compile(r"[\n\r,;，；、]+")  # a blank is part of a name
_NEW_UID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_NUMBER: Final = re.compile(r"[+0-9][0-9 ().-]{5,24}")


class Pick(msgspec.Struct, frozen=True):
    """Somebody who may be invited."""

    uid: str
    name: str


class Unclear(msgspec.Struct, frozen=True):
    """An entry that several people fit."""

    entry: str
    people: tuple[Pick, ...]


class Pasted(msgspec.Struct, frozen=True):
    """What became of a list, in its order, each person once."""

    found: tuple[Pick, ...] = ()
    unclear: tuple[Unclear, ...] = ()
    unknown: tuple[str, ...] = ()
    left_off: int = 0  # entries beyond MOST_PASTED

    @property
    def rest(self) -> str:
        """The entries nobody was found for, to be corrected."""
        return "\n".join([*(one.entry for one in self.unclear), *self.unknown])


async def search(services: Services, org: Org, text: str) -> list[Pick]:
    """The best MOST_FOUND by name, pinyin, initials or uid; a whole mobile number finds whose it is."""
    words = fold(text).split()
    if not words:
        return []
    mobile = normalise(text) if _NUMBER.fullmatch(text.strip()) else None
    people = await services.storage.search_people(
        org.id, words, mobile=mobile, after_uid="", size=MOST_RANKED
    )
    people.sort(key=lambda one: _distance(one, words[0]))
    return [Pick(one.uid, one.name) for one in people[:MOST_FOUND]]


async def known(services: Services, org: Org, uids: Iterable[str]) -> dict[str, Person]:
    """Those of the uids that are in the directory."""
    wanted, found = list(dict.fromkeys(uids)), dict[str, Person]()
    for start in range(0, len(wanted), _AT_ONCE):
        for one in await services.storage.people(org.id, wanted[start : start + _AT_ONCE]):
            found[one.uid] = one
        await asyncio.sleep(0)  # on SQLite a read is the event loop's own work; others have their turn
    return found


async def paste(services: Services, org: Org, text: str) -> Pasted:
    """The people of a list: each entry a uid, an exact name, "name<tab>uid", or a whole mobile number.

    An open directory takes a "name<tab>uid" it does not know as somebody new.
    """
    entries = [one for one in dict.fromkeys(part.strip() for part in _ENTRIES.split(text)) if one]
    cells = {entry: [cell for cell in map(str.strip, entry.split("\t")) if cell] for entry in entries}
    single = dict.fromkeys(cell for entry in entries[:MOST_PASTED] for cell in cells[entry])
    by_uid = await known(services, org, (cell for cell in single if len(cell) <= LONGEST_UID))
    others = await _by_name_or_number(services, org, [cell for cell in single if cell not in by_uid])

    def of(cell: str) -> Sequence[Person]:
        return [by_uid[cell]] if cell in by_uid else others.get(cell, ())

    found, unclear, unknown = dict[str, str](), list[Unclear](), list[str]()
    for entry in entries[:MOST_PASTED]:
        parts = cells[entry]
        pair = _pair(parts, by_uid)
        if pair is None and len(parts) == 2 and not org.closed and not any(map(of, parts)):
            pair = Pick(parts[1], parts[0]) if _may_be_new(parts) else None
        if pair:
            found.setdefault(pair.uid, pair.name)
            continue
        for part in parts:
            people = of(part)
            if len(people) == 1:
                found.setdefault(people[0].uid, people[0].name)
            elif people:
                choices = tuple(Pick(one.uid, one.name) for one in people[:MOST_CHOICES])
                unclear.append(Unclear(part, choices))
            else:
                unknown.append(part)
    return Pasted(
        tuple(Pick(uid, name) for uid, name in found.items()),
        tuple(unclear),
        tuple(unknown),
        max(0, len(entries) - MOST_PASTED),
    )


def _pair(parts: Sequence[str], by_uid: dict[str, Person]) -> Pick | None:
    """Somebody known, written as name and uid, in either order as tables have it."""
    if len(parts) != 2:
        return None
    name, uid = parts if parts[1] in by_uid else parts[::-1]
    if uid not in by_uid or (name in by_uid and name != by_uid[uid].name):
        return None
    return Pick(uid, by_uid[uid].name)


def _may_be_new(parts: Sequence[str]) -> bool:
    """A name and behind it a uid that has the look of one."""
    name, uid = parts
    return len(name) <= LONGEST_NAME and _NEW_UID.fullmatch(uid) is not None


async def _by_name_or_number(services: Services, org: Org, cells: Sequence[str]) -> dict[str, list[Person]]:
    """Who has exactly this name, or this number. Numbers go no further than this."""
    numbers = await asyncio.to_thread(_numbers, cells)  # a tenth of a millisecond each
    found: dict[str, list[Person]] = {}
    names: dict[str, list[str]] = {}
    for cell in cells:
        names.setdefault(fold(cell), []).append(cell)
    owners: dict[str, list[str]] = {}
    for cell, number in numbers.items():
        owners.setdefault(number, []).append(cell)
    if len(cells) <= _FEW:
        reads = [_read(services, org, fold(cell).split(), numbers.get(cell)) for cell in cells]
    else:
        reads = [_read(services, org, (), None)]
    for read in reads:
        async for person in read:
            fitting = names.get(fold(person.name), []) + owners.get(person.mobile, [])
            for cell in fitting:
                same = found.setdefault(cell, [])
                if person not in same:
                    same.append(person)
    return found


def _numbers(cells: Sequence[str]) -> dict[str, str]:
    return {cell: number for cell in cells if _NUMBER.fullmatch(cell) and (number := normalise(cell))}


async def _read(
    services: Services, org: Org, words: Sequence[str], mobile: str | None
) -> AsyncIterator[Person]:
    """Everybody who fits, page by page."""
    after = ""
    while True:
        page = await services.storage.search_people(
            org.id, words, mobile=mobile, after_uid=after, size=_AT_ONCE
        )
        for one in page:
            yield one
        if len(page) < _AT_ONCE:
            return
        after = page[-1].uid


def _distance(person: Person, word: str) -> tuple[int, str]:
    """How far somebody is from what was typed: the same, begun with it, or holding it somewhere."""
    pieces = search_text(person.uid, person.name).split()
    if word in pieces:
        return 0, person.uid
    return (1 if any(one.startswith(word) for one in pieces) else 2), person.uid
