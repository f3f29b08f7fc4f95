"""The use cases on a person's in-app inbox."""

from huiyao import errors
from huiyao.model import Person
from huiyao.service.caller import Caller, Services, check_directory
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
    """Mark the messages up to this one as read. Raises UnknownPerson; NoSuchMessage where it is another person's."""
    await check_directory(services, caller.org, [caller.uid])
    if not await services.storage.mark_inbox_read(
        caller.org.id, caller.uid, message_id=message_id, now=services.clock.now()
    ):
        raise errors.NoSuchMessage
