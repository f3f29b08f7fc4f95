"""The people of directories: looked up, searched, imported, erased."""

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from huiyao.model import Person
from huiyao.pinyin import search_text
from huiyao.storage.sqlite import rows
from huiyao.storage.sqlite.reads import apart, snapshot
from huiyao.storage.sqlite.writer import Writer

LARGE_DIRECTORY: Final = 2000  # people; a larger one is searched in a thread

_FIELDS: Final = Person.__struct_fields__
_COLUMNS: Final = (*_FIELDS, "search")
_PERSON: Final = f"SELECT {', '.join(_FIELDS)} FROM person WHERE org_id = ?"
_ONE: Final = f"{_PERSON} AND uid = ?"
# instr has no patterns in it that somebody's words could hold by accident.
_FOUND: Final = "instr(search, ?) > 0"
_PUT: Final = rows.insert(
    "person",
    _COLUMNS,
    "ON CONFLICT DO UPDATE SET " + ", ".join(f"{field} = excluded.{field}" for field in _COLUMNS[2:]),
)
_LARGE: Final = f"SELECT count(*) FROM (SELECT 1 FROM person WHERE org_id = ? LIMIT {LARGE_DIRECTORY + 1})"
_THEIRS: Final = "(SELECT meeting_id FROM attendee WHERE org_id = :org_id AND uid = :uid)"
ERASE: Final = (
    "DELETE FROM person WHERE org_id = :org_id AND uid = :uid",
    "DELETE FROM session WHERE org_id = :org_id AND uid = :uid",
    "DELETE FROM ticket WHERE org_id = :org_id AND uid = :uid",
    "DELETE FROM message WHERE org_id = :org_id AND uid = :uid",
    "UPDATE delivery SET address = '', text = '' WHERE org_id = :org_id AND uid = :uid AND sent_at IS NOT NULL",
    "UPDATE attendee SET name = '-', reply = '' WHERE org_id = :org_id AND uid = :uid",
    f"UPDATE meeting SET organizer_name = '-' WHERE org_id = :org_id AND id IN {_THEIRS} AND organizer_uid = :uid",
    "UPDATE history SET change = '{}'"
    f" WHERE org_id = :org_id AND meeting_id IN {_THEIRS} AND actor_uid = :uid AND kind = 'responded'",
)


class People:
    """The part of the storage that knows who there is."""

    _path: str
    _reader: sqlite3.Connection
    _writer: Writer

    async def person(self, org_id: int, uid: str) -> Person | None:
        with snapshot(self._reader) as reader:
            row = reader.execute(_ONE, (org_id, uid)).fetchone()
        return _person(row) if row else None

    async def people(self, org_id: int, uids: Sequence[str]) -> list[Person]:
        with snapshot(self._reader) as reader:
            found = [reader.execute(_ONE, (org_id, uid)).fetchone() for uid in uids]
        return [_person(row) for row in found if row]

    async def search_people(
        self, org_id: int, words: Sequence[str], *, mobile: str | None, after_uid: str, size: int
    ) -> list[Person]:
        statement = search(len(words))
        values = (org_id, after_uid, *words, mobile or None, size)
        with snapshot(self._reader) as reader:
            (people,) = reader.execute(_LARGE, (org_id,)).fetchone()
            if people <= LARGE_DIRECTORY:
                return list(map(_person, reader.execute(statement, values)))
        return await asyncio.to_thread(self._search, statement, values)

    def _search(self, statement: str, values: tuple[object, ...]) -> list[Person]:
        with apart(self._path) as reader:
            return list(map(_person, reader.execute(statement, values)))

    async def import_people(self, people: Sequence[Person]) -> None:
        values = [
            (*(getattr(one, field) for field in _FIELDS), search_text(one.uid, one.name)) for one in people
        ]
        await self._writer.run(lambda connection: connection.executemany(_PUT, values))

    async def erase_person(self, org_id: int, uid: str) -> bool:
        key = {"org_id": org_id, "uid": uid}
        return await self._writer.run(
            lambda connection: sum(connection.execute(statement, key).rowcount for statement in ERASE) > 0
        )


def search(words: int) -> str:
    """The statement that looks for people by so many words, or a number."""
    every = " AND ".join([_FOUND] * words) or "1 = 1"
    return f"{_PERSON} AND uid > ? AND ({every} OR mobile = ?) ORDER BY uid LIMIT ?"


def _person(row: Sequence[Any]) -> Person:
    return Person(**dict(zip(_FIELDS, row, strict=True)))
