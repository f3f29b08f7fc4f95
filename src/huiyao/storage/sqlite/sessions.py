"""Tickets and the sessions that begin with them. Writes are serial, so a ticket is used once by whoever is first."""

import sqlite3
from typing import Final

import msgspec

from huiyao.model import Session, Ticket
from huiyao.storage.sqlite import rows
from huiyao.storage.sqlite.reads import snapshot
from huiyao.storage.sqlite.writer import Writer

_TICKET_FIELDS: Final = Ticket.__struct_fields__
_SESSION_FIELDS: Final = Session.__struct_fields__
_PUT_TICKET: Final = rows.insert("ticket", _TICKET_FIELDS)
_PUT_SESSION: Final = rows.insert("session", _SESSION_FIELDS)
TICKET: Final = (
    f"SELECT {', '.join(_TICKET_FIELDS)} FROM ticket"
    " WHERE org_id = ? AND hash = ? AND consumed_at IS NULL AND expires_at > ?"
)
USE: Final = (
    "UPDATE ticket SET consumed_at = :now"
    " WHERE org_id = :org_id AND hash = :hash AND consumed_at IS NULL AND expires_at > :now RETURNING uid, app_id"
)
SESSION: Final = (
    f"SELECT {', '.join(_SESSION_FIELDS)} FROM session WHERE org_id = ? AND hash = ? AND expires_at > ?"
)
END: Final = "DELETE FROM session WHERE org_id = ? AND hash = ?"
END_ALL: Final = "DELETE FROM session WHERE org_id = ? AND uid = ?"
DROP_TICKETS: Final = "DELETE FROM ticket WHERE org_id = ? AND uid = ? AND consumed_at IS NULL"


class Sessions:
    """The part of the storage that knows who is signed in."""

    _reader: sqlite3.Connection
    _writer: Writer

    async def put_ticket(self, ticket: Ticket) -> None:
        values = msgspec.structs.astuple(ticket)
        await self._writer.run(lambda connection: connection.execute(_PUT_TICKET, values))

    async def ticket(self, org_id: int, hash_: bytes, *, now: int) -> Ticket | None:
        with snapshot(self._reader) as reader:
            row = reader.execute(TICKET, (org_id, hash_, now)).fetchone()
        return Ticket(**dict(zip(_TICKET_FIELDS, row, strict=True))) if row else None

    async def open_session(self, session: Session, ticket_hash: bytes | None) -> Session | None:
        def begin(connection: sqlite3.Connection) -> Session | None:
            begun = session
            if ticket_hash is not None:
                key = {"org_id": session.org_id, "hash": ticket_hash, "now": session.created_at}
                used = connection.execute(USE, key).fetchall()
                if not used:
                    return None
                ((uid, app_id),) = used
                begun = msgspec.structs.replace(session, uid=uid, app_id=app_id)
            connection.execute(_PUT_SESSION, msgspec.structs.astuple(begun))
            return begun

        return await self._writer.run(begin)

    async def session(self, org_id: int, hash_: bytes, *, now: int) -> Session | None:
        with snapshot(self._reader) as reader:
            row = reader.execute(SESSION, (org_id, hash_, now)).fetchone()
        return Session(**dict(zip(_SESSION_FIELDS, row, strict=True))) if row else None

    async def end_session(self, org_id: int, hash_: bytes) -> None:
        await self._writer.run(lambda connection: connection.execute(END, (org_id, hash_)))

    async def end_sessions(self, org_id: int, uid: str) -> int:
        def end(connection: sqlite3.Connection) -> int:
            connection.execute(DROP_TICKETS, (org_id, uid))
            return connection.execute(END_ALL, (org_id, uid)).rowcount

        return await self._writer.run(end)
