"""The use cases on a person's in-app inbox."""

from huiyao import errors
from huiyao.model import Person
from huiyao.service.caller import Caller, Services
from huiyao.storage.contract import InboxPage, Position


async def inbox(
    services: Services, caller: Caller, *, after: Position | None, size: int
) -> tuple[InboxPage, Person | None]:
    """Up to `size` messages behind `after`, or the newest `size`, oldest first; and whose they are, if known.

    Raises UnknownPerson.
    """
    org_id, uid = caller.org.id, caller.uid
    person = await services.storage.person(org_id, uid)
    if person is None and caller.org.closed:
        raise errors.UnknownPerson(uid=uid)
    return await services.storage.inbox(org_id, uid, after=after, size=size), person


async def mark_read(services: Services, caller: Caller, message_id: int) -> None:
    """Mark the messages up to this one as read. Raises NoSuchMessage where it is not the caller's message."""
    if caller.org.closed and await services.storage.unknown_people(caller.org.id, [caller.uid]):
        raise errors.UnknownPerson(uid=caller.uid)
    if not await services.storage.mark_inbox_read(
        caller.org.id, caller.uid, message_id=message_id, now=services.clock.now()
    ):
        raise errors.NoSuchMessage
