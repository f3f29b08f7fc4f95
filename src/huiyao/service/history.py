"""What was changed: the organisation's feed of it for other systems, and one meeting's history for operators."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from huiyao.errors import OperatorError
from huiyao.model import Entry
from huiyao.service.caller import Caller, Services, check_directory
from huiyao.service.operate import LARGEST_ID
from huiyao.storage.contract import ChangesPage, Position, Storage

ENTRIES_AT_ONCE: Final = 500
UIDS: Final = ("added", "removed", "placed")  # of these an entry has uids, of all other fields old and new

# They change with every answer, to the entry's own moment.
_REPEATING: Final = ("read_at", "answered_at")


class Difference(msgspec.Struct, frozen=True):
    """What one field was and became: of `model.Meeting`, or of the actor's `model.Attendee`; or one of UIDS."""

    field: str
    old: Any  # None for UIDS
    new: Any  # for UIDS a list of them


async def changes(services: Services, caller: Caller, *, after: Position | None, size: int) -> ChangesPage:
    """Up to `size` changes of any meeting behind `after`, or from the beginning. Raises UnknownPerson."""
    await check_directory(services, caller.org, [caller.uid])
    return await services.storage.changes(caller.org.id, after=after, size=size)


async def entries(storage: Storage, org_id: int, meeting_id: int) -> list[Entry]:
    """All that was done to a meeting, the oldest first. Raises OperatorError where there is no such meeting."""
    found: list[Entry] = []
    end: Position | None = None
    while min(org_id, meeting_id) > 0 and max(org_id, meeting_id) <= LARGEST_ID:
        page = await storage.history(org_id, meeting_id, after=end, size=ENTRIES_AT_ONCE)
        found += page.entries
        end = page.end
        if len(page.entries) < ENTRIES_AT_ONCE:
            break
    if not found:  # making it is an entry too
        raise OperatorError(f"There is no meeting {meeting_id} in organisation {org_id}.")
    return found


def differences(entry: Entry) -> Iterator[Difference]:
    """What an entry changed; of an erased person's answer nothing is left."""
    for field, value in msgspec.json.decode(entry.change).items():
        if field in UIDS:
            yield Difference(field, None, value)
        elif field not in _REPEATING:
            yield Difference(field, *value)
