"""The directory as operators fill it: people from a CSV file, checked row by row, and the erasing of one."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from huiyao.errors import OperatorError
from huiyao.model import Person
from huiyao.storage.contract import Storage
from huiyao.telephone import normalise

_CONTINENTS: Final = frozenset(
    ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
)
REQUIRED: Final = ("uid", "name")
COLUMNS: Final = (*REQUIRED, "mobile", "email", "timezone", "locale")
LOCALES: Final = ("", "zh-CN", "en")
AT_ONCE: Final = 1000  # people of one transaction

_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")


@cache
def timezones() -> tuple[str, ...]:
    """Those a person may choose from: of the tz database's names the ones by continent, and UTC."""
    names = available_timezones()  # reads the whole database: 50 ms
    return tuple(sorted(one for one in names if one == "UTC" or one.partition("/")[0] in _CONTINENTS))


class Fault(msgspec.Struct, frozen=True):
    """A row that cannot be imported. Never shows a number or an address."""

    line: int  # of the file, from 1
    fault: str


def parse(text: str, org_id: int) -> tuple[list[Person], list[Fault]]:
    """The people of a CSV file with a header line, and what is wrong with the rest.

    Raises OperatorError where the header itself is wrong.
    """
    rows = _rows(text)
    _, header = next(rows, (1, []))
    names = [one.strip().lower() for one in header]
    missing = [one for one in REQUIRED if one not in names]
    unknown = [one for one in names if one not in COLUMNS]
    if missing or unknown or len(set(names)) < len(names):
        raise OperatorError(
            f"The first line must name columns of {', '.join(COLUMNS)}; uid and name are needed."
        )
    people: dict[str, Person] = {}
    faults = []
    for line, row in rows:
        if not any(row):
            continue
        person = _person(dict(zip(names, row, strict=False)), org_id) if len(row) == len(names) else None
        fault = _fault(person) if person else f"{len(row)} fields where the first line has {len(names)}"
        if person and not fault and person.uid in people:
            fault = f"uid {person.uid} is there twice"
        if person and not fault:
            people[person.uid] = person
        else:
            faults.append(Fault(line, fault))
    return list(people.values()), faults


async def import_people(storage: Storage, org_id: int, people: Sequence[Person]) -> None:
    """Insert or replace. Raises OperatorError where there is no such organisation."""
    await _check_org(storage, org_id)
    for start in range(0, len(people), AT_ONCE):
        await storage.import_people(people[start : start + AT_ONCE])


async def erase(storage: Storage, org_id: int, uid: str) -> None:
    """Forget a person (see Storage.erase_person). Raises OperatorError where nothing is known of them."""
    await _check_org(storage, org_id)
    if not await storage.erase_person(org_id, uid):
        raise OperatorError(f"Nothing is known of uid {uid!r} in organisation {org_id}.")


async def _check_org(storage: Storage, org_id: int) -> None:
    if org_id <= 0 or await storage.org(org_id) is None:
        raise OperatorError(f"There is no organisation {org_id}; `huiyao org add` makes one.")


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the number of the line they begin at; a quoted field may hold line breaks."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise OperatorError(f"Line {line} is no CSV: {error}.") from error


def _person(values: dict[str, str], org_id: int) -> Person:
    """The row as a person; a number that is none stays as it is, for `_fault` to find."""
    kept = {name: value.strip() for name, value in values.items()}
    mobile = kept.pop("mobile", "")
    return Person(org_id=org_id, mobile=normalise(mobile) or mobile, **kept)


def _fault(person: Person) -> str:
    """What is wrong, "" for nothing."""
    if not person.uid or len(person.uid) > 64 or not person.uid.isprintable():
        return "uid must have 1 to 64 printable characters"
    if not person.name or len(person.name) > 128 or not person.name.isprintable():
        return "name must have 1 to 128 printable characters"
    if person.mobile and person.mobile != normalise(person.mobile):
        return "mobile must be a mobile number, such as 13800138000 or +8613800138000"
    if person.email and not _EMAIL.fullmatch(person.email):
        return "email must look like name@host"
    if person.locale not in LOCALES:
        return "locale must be zh-CN, en or empty"
    if person.timezone and not _is_timezone(person.timezone):
        return "timezone must be one of the tz database, such as Asia/Shanghai"
    return ""


def _is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
