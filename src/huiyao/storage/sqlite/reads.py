"""Reads of meetings and inboxes, straight on the event loop: a thread hop costs more than they do."""

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from operator import itemgetter
from typing import Any, Final

import structlog

from huiyao import errors
from huiyao.model import Attendee, Meeting
from huiyao.storage.contract import InboxPage, Position, Repeated
from huiyao.storage.sqlite import rows
from huiyao.storage.sqlite.writer import Writer, connect, name

LARGE_MEETING: Final = 2000  # attendees; a larger meeting is read in a thread

_MEETING: Final = f"SELECT {rows.MEETING} FROM meeting m WHERE m.org_id = ? AND m.id = ?"
_ATTENDEE: Final = (
    f"SELECT {rows.ATTENDEE} FROM attendee a WHERE a.org_id = ? AND a.meeting_id = ? AND a.uid = ?"
)
_ATTENDEES: Final = f"SELECT {rows.ATTENDEE} FROM attendee a WHERE a.org_id = ? AND a.meeting_id = ?"
# In their order on the list; SQLite would take longer to sort them.
_PLACE_ON_LIST: Final = itemgetter(*map(rows.ATTENDEE_FIELDS.index, ("position", "uid")))
_RECORD: Final = (
    "SELECT meeting_id, fingerprint FROM idempotency"
    " WHERE org_id = ? AND app_id = ? AND uid = ? AND key = ? AND expires_at > ?"
)
_KNOWN: Final = "SELECT 1 FROM person WHERE org_id = ? AND uid = ?"
_NEWEST: Final = (
    f"SELECT xid, {rows.MESSAGE} FROM message WHERE org_id = ? AND uid = ? ORDER BY xid DESC, id DESC LIMIT ?"
)
_BEHIND: Final = (
    f"SELECT xid, {rows.MESSAGE} FROM message WHERE org_id = ? AND uid = ? AND (xid, id) > (?, ?)"
    " ORDER BY xid, id LIMIT ?"
)
_UNREAD: Final = "SELECT count(*) FROM message WHERE org_id = ? AND uid = ? AND read_at IS NULL"
_PLACE: Final = "SELECT xid FROM message WHERE org_id = ? AND uid = ? AND id = ?"
# By the index of what is unread: by their key, all messages the person ever got would be looked at.
_MARK: Final = (
    "UPDATE message INDEXED BY ix_message_unread SET read_at = ?"
    " WHERE org_id = ? AND uid = ? AND read_at IS NULL AND (xid, id) <= (?, ?)"
)
_UNREAD_BEFORE: Final = (
    "SELECT 1 FROM message INDEXED BY ix_message_unread"
    " WHERE org_id = ? AND uid = ? AND read_at IS NULL AND (xid, id) <= (?, ?) LIMIT 1"
)
_OF_MEETING: Final = "org_id = ? AND meeting_id = ? AND uid = ? AND read_at IS NULL"
_UNREAD_OF_MEETING: Final = f"SELECT 1 FROM message WHERE {_OF_MEETING} LIMIT 1"
_MARK_OF_MEETING: Final = f"UPDATE message SET read_at = ? WHERE {_OF_MEETING}"

log = structlog.get_logger(__name__)


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Several statements of one moment. Raises SystemFailure where SQLite refuses."""
    try:
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise failure(error) from error


@contextmanager
def apart(path: str) -> Iterator[sqlite3.Connection]:
    """The same on a connection of its own, for a thread."""
    try:
        connection = connect(path)
    except sqlite3.Error as error:
        raise failure(error) from error
    with closing(connection), snapshot(connection):
        yield connection


def failure(error: sqlite3.Error) -> errors.SystemFailure:
    log.error("statement failed", error=name(error))
    return errors.SystemFailure()


def _listed(attendees: list[Any]) -> list[Attendee]:
    attendees.sort(key=_PLACE_ON_LIST)
    return list(map(rows.attendee, attendees))


class Reads:
    """The part of the storage that reads; `_reader` belongs to the event loop's thread."""

    _path: str
    _reader: sqlite3.Connection
    _writer: Writer

    async def meeting(self, org_id: int, meeting_id: int, uid: str) -> tuple[Meeting, Attendee] | None:
        try:
            # A SELECT that is not at its end holds its snapshot, so both are of one moment without BEGIN and COMMIT.
            attendees = self._reader.execute(_ATTENDEE, (org_id, meeting_id, uid))
            meeting = self._reader.execute(_MEETING, (org_id, meeting_id)).fetchone()
            attendee = attendees.fetchone()
        except sqlite3.Error as error:
            raise failure(error) from error
        return (rows.meeting(meeting), rows.attendee(attendee)) if attendee else None

    async def whole_meeting(self, org_id: int, meeting_id: int) -> tuple[Meeting, list[Attendee]] | None:
        key = (org_id, meeting_id)
        try:
            attendees = self._reader.execute(_ATTENDEES, key)  # one moment, as above
            row = self._reader.execute(_MEETING, key).fetchone()
            if row is None:
                return None
            meeting = rows.meeting(row)
            if meeting.size <= LARGE_MEETING:
                return meeting, _listed(attendees.fetchall())
            attendees.close()
        except sqlite3.Error as error:
            raise failure(error) from error
        return await asyncio.to_thread(self._large_meeting, key)

    def _large_meeting(self, key: tuple[int, int]) -> tuple[Meeting, list[Attendee]]:
        with apart(self._path) as connection:
            meeting = connection.execute(_MEETING, key).fetchone()
            attendees = connection.execute(_ATTENDEES, key).fetchall()
        return rows.meeting(meeting), _listed(attendees)

    async def find_repeated(
        self, org_id: int, app_id: int, uid: str, key: str, *, now: int
    ) -> Repeated | None:
        with snapshot(self._reader) as reader:
            row = reader.execute(_RECORD, (org_id, app_id, uid, key, now)).fetchone()
        return Repeated(*row) if row else None

    async def unknown_people(self, org_id: int, uids: Iterable[str]) -> list[str]:
        with snapshot(self._reader) as reader:
            return [uid for uid in uids if not reader.execute(_KNOWN, (org_id, uid)).fetchone()]

    async def inbox(self, org_id: int, uid: str, *, after: Position | None, size: int) -> InboxPage:
        with snapshot(self._reader) as reader:
            if after is None:
                found = reader.execute(_NEWEST, (org_id, uid, size)).fetchall()[::-1]
            else:
                found = reader.execute(_BEHIND, (org_id, uid, after.xid, after.id, size)).fetchall()
            (unread,) = reader.execute(_UNREAD, (org_id, uid)).fetchone()
        end = Position(found[-1][0], found[-1][1]) if found else after or Position(0, 0)
        messages = tuple(rows.message(row[1:]) for row in found)
        return InboxPage(messages, unread, end, tuple(row[0] for row in found))

    async def mark_inbox_read(self, org_id: int, uid: str, *, message_id: int, now: int) -> bool:
        with snapshot(self._reader) as reader:
            row = reader.execute(_PLACE, (org_id, uid, message_id)).fetchone()
            if row is None:
                return False
            place = (org_id, uid, row[0], message_id)
            if not reader.execute(_UNREAD_BEFORE, place).fetchone():  # often; then nothing is written
                return True
        await self._writer.run(lambda connection: connection.execute(_MARK, (now, *place)))
        return True

    async def mark_meeting_read(self, org_id: int, uid: str, meeting_id: int, *, now: int) -> int:
        key = (org_id, meeting_id, uid)
        with snapshot(self._reader) as reader:
            if not reader.execute(_UNREAD_OF_MEETING, key).fetchone():  # mostly; then nothing is written
                return 0
        return await self._writer.run(
            lambda connection: connection.execute(_MARK_OF_MEETING, (now, *key)).rowcount
        )
