"""Tickets and the sessions that begin with them.

Of two who use a ticket at once the second waits for the first's UPDATE and then finds the ticket used.
"""

from typing import Final

import msgspec

from huiyao.model import Session, Ticket
from huiyao.storage.postgres.connections import Connections

_TICKET_FIELDS: Final = ", ".join(Ticket.__struct_fields__)
_SESSION_FIELDS: Final = ", ".join(Session.__struct_fields__)
_PUT_TICKET: Final = (
    f"INSERT INTO ticket ({_TICKET_FIELDS}) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"
)
_PUT_SESSION: Final = f"INSERT INTO session ({_SESSION_FIELDS}) VALUES ($1, $2, $3, $4, $5, $6)"
_TICKET: Final = (
    f"SELECT {_TICKET_FIELDS} FROM ticket"
    " WHERE org_id = $1 AND hash = $2 AND consumed_at IS NULL AND expires_at > $3"
)
_USE: Final = (
    "UPDATE ticket SET consumed_at = $3"
    " WHERE org_id = $1 AND hash = $2 AND consumed_at IS NULL AND expires_at > $3 RETURNING uid, app_id"
)
_SESSION: Final = f"SELECT {_SESSION_FIELDS} FROM session WHERE org_id = $1 AND hash = $2 AND expires_at > $3"
_END: Final = "DELETE FROM session WHERE org_id = $1 AND hash = $2"
_DROP_TICKETS: Final = "DELETE FROM ticket WHERE org_id = $1 AND uid = $2 AND consumed_at IS NULL"
_END_ALL: Final = "DELETE FROM session WHERE org_id = $1 AND uid = $2 RETURNING hash"


class Sessions:
    """The part of the storage that knows who is signed in."""

    _reads: Connections

    async def put_ticket(self, ticket: Ticket) -> None:
        await self._reads.fetch(_PUT_TICKET, *msgspec.structs.astuple(ticket))

    async def ticket(self, org_id: int, hash_: bytes, *, now: int) -> Ticket | None:
        row = await self._reads.fetch_row(_TICKET, org_id, hash_, now)
        return Ticket(**dict(row)) if row else None

    async def open_session(self, session: Session, ticket_hash: bytes | None) -> Session | None:
        begun = session
        async with self._reads.transaction() as connection:
            if ticket_hash is not None:
                used = await connection.fetchrow(_USE, session.org_id, ticket_hash, session.created_at)
                if used is None:
                    return None
                begun = msgspec.structs.replace(session, uid=used[0], app_id=used[1])
            await connection.execute(_PUT_SESSION, *msgspec.structs.astuple(begun))
        return begun

    async def session(self, org_id: int, hash_: bytes, *, now: int) -> Session | None:
        row = await self._reads.fetch_row(_SESSION, org_id, hash_, now)
        return Session(**dict(row)) if row else None

    async def end_session(self, org_id: int, hash_: bytes) -> None:
        await self._reads.fetch(_END, org_id, hash_)

    async def end_sessions(self, org_id: int, uid: str) -> int:
        async with self._reads.transaction() as connection:
            await connection.execute(_DROP_TICKETS, org_id, uid)
            return len(await connection.fetch(_END_ALL, org_id, uid))
