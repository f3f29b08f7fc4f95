"""The people of directories: looked up, searched, imported, erased."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from huiyao.model import Person
from huiyao.pinyin import search_text
from huiyao.storage.postgres import rows
from huiyao.storage.postgres.connections import Connections, columns

_FIELDS: Final = Person.__struct_fields__
_COLUMNS: Final = (*_FIELDS, "search")
_PERSON: Final = f"SELECT {', '.join(_FIELDS)} FROM person WHERE org_id = $1"
_ONE: Final = f"{_PERSON} AND uid = $2"
_SOME: Final = f"{_PERSON} AND uid = ANY($2::text[])"
# One collation everywhere, whatever the database's own.
_SEARCH: Final = f"""
    {_PERSON} AND uid COLLATE "C" > $2 AND (search LIKE ALL ($3::text[]) OR mobile = $4)
    ORDER BY uid COLLATE "C" LIMIT $5
"""
_IMPORT: Final = f"""
    INSERT INTO person ({", ".join(_COLUMNS)}) SELECT * FROM {rows.unnest(_COLUMNS)}
    ON CONFLICT (org_id, uid) DO UPDATE SET
        {", ".join(f"{field} = excluded.{field}" for field in _COLUMNS[2:])}
"""
_IMPORTED_AT_ONCE: Final = 2_000
# In the order of ix_attendee_card: for that of meeting_id all of the organisation would be read by the primary key.
_THEIR_MEETINGS: Final = "SELECT meeting_id FROM attendee WHERE org_id = $1 AND uid = $2 ORDER BY begin_at"
_ERASE: Final = (
    "DELETE FROM person WHERE org_id = $1 AND uid = $2",
    "DELETE FROM session WHERE org_id = $1 AND uid = $2",
    "DELETE FROM ticket WHERE org_id = $1 AND uid = $2",
    "DELETE FROM message WHERE org_id = $1 AND uid = $2",
)
# In the order in which acknowledgements lock them.
_ERASE_TEXTS: Final = """
    WITH theirs AS MATERIALIZED (
        SELECT org_id, id FROM delivery WHERE org_id = $1 AND uid = $2 AND sent_at IS NOT NULL
        ORDER BY org_id, id FOR UPDATE
    )
    UPDATE delivery d SET address = '', text = '' FROM theirs WHERE d.org_id = theirs.org_id AND d.id = theirs.id
"""
# Meetings first and in order, like everywhere else.
_LOCK: Final = (
    "SELECT FROM meeting WHERE org_id = $1 AND id = ANY($2::bigint[]) ORDER BY id FOR NO KEY UPDATE"
)
_ERASE_IN_MEETINGS: Final = (
    "UPDATE attendee SET name = '-', reply = '' WHERE org_id = $1 AND uid = $2 AND meeting_id = ANY($3)",
    "UPDATE meeting SET organizer_name = '-' WHERE org_id = $1 AND organizer_uid = $2 AND id = ANY($3)",
    "UPDATE history SET change = '{}'"
    " WHERE org_id = $1 AND actor_uid = $2 AND meeting_id = ANY($3) AND kind = 'responded'",
)
_ERASED_AT_ONCE: Final = 100


class People:
    """The part of the storage that knows who there is."""

    _reads: Connections

    async def person(self, org_id: int, uid: str) -> Person | None:
        row = await self._reads.fetch_row(_ONE, org_id, uid)
        return _person(row) if row else None

    async def people(self, org_id: int, uids: Sequence[str]) -> list[Person]:
        found = {row["uid"]: _person(row) for row in await self._reads.fetch(_SOME, org_id, list(uids))}
        return [found[uid] for uid in uids if uid in found]

    async def search_people(
        self, org_id: int, words: Sequence[str], *, mobile: str | None, after_uid: str, size: int
    ) -> list[Person]:
        patterns = [f"%{_escape(word)}%" for word in words]
        found = await self._reads.fetch(_SEARCH, org_id, after_uid, patterns, mobile or None, size)
        return list(map(_person, found))

    async def import_people(self, people: Sequence[Person]) -> None:
        # Sorted, so that two who write the same people wait for each other instead of deadlocking.
        newest = {(one.org_id, one.uid): one for one in people}
        given = [(*rows.values(newest[key]), search_text(key[1], newest[key].name)) for key in sorted(newest)]
        async with self._reads.transaction() as connection:
            for start in range(0, len(given), _IMPORTED_AT_ONCE):
                await connection.execute(_IMPORT, *columns(given[start : start + _IMPORTED_AT_ONCE]))

    async def erase_person(self, org_id: int, uid: str) -> bool:
        async with self._reads.transaction() as connection:
            found = await connection.fetch(_THEIR_MEETINGS, org_id, uid)
            tags = [await connection.execute(statement, org_id, uid) for statement in _ERASE]
        # By itself and behind the person: a sender holds deliveries while it waits for people, and finds nobody now.
        async with self._reads.transaction() as connection:
            tags.append(await connection.execute(_ERASE_TEXTS, org_id, uid))
        meetings = sorted(row[0] for row in found)
        for start in range(0, len(meetings), _ERASED_AT_ONCE):  # a few at a time: others wait for the locks
            some = meetings[start : start + _ERASED_AT_ONCE]
            async with self._reads.transaction() as connection:
                await connection.execute(_LOCK, org_id, some)
                for statement in _ERASE_IN_MEETINGS:
                    await connection.execute(statement, org_id, uid, some)
        return bool(meetings) or any(not tag.endswith(" 0") for tag in tags)


def _escape(word: str) -> str:
    """So that it is looked for as it is."""
    return word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


def _person(row: asyncpg.Record) -> Person:
    return Person(**dict(row))
