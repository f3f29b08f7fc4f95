"""The use cases on people's calendars: the cards of one person, and when several are free."""

from collections.abc import Sequence

import msgspec

from huiyao.model import Attendee, Engagement, Meeting, Org
from huiyao.rules import freebusy as rules
from huiyao.rules.freebusy import Times
from huiyao.service.caller import Caller, Services, check_directory
from huiyao.storage.contract import CardsWanted


async def cards(
    services: Services, caller: Caller, wanted: CardsWanted
) -> tuple[list[tuple[Meeting, Attendee]], int | None]:
    """A page of the caller's cards, the newest meeting first; and below which id there are more, None at the end.

    Raises UnknownPerson.
    """
    await check_directory(services, caller.org, [caller.uid])
    one_more = msgspec.structs.replace(wanted, size=wanted.size + 1)
    found = await services.storage.cards(caller.org.id, caller.uid, one_more)
    page = found[: wanted.size]
    return page, page[-1][0].id if len(found) > len(page) else None


async def freebusy(
    services: Services,
    org: Org,
    uids: Sequence[str],
    *,
    begin_at: int,
    end_at: int,
    without: int | None = None,
) -> dict[str, Times]:
    """When each of them is busy in [begin_at, end_at), in the order asked; meeting `without` does not count.

    Raises UnknownPerson (closed directory).
    """
    await check_directory(services, org, uids)
    theirs: dict[str, list[Engagement]] = {uid: [] for uid in uids}
    for one in await services.storage.engagements(org.id, list(theirs), begin_at=begin_at, end_at=end_at):
        if one.meeting_id != without:
            theirs[one.uid].append(one)
    return {uid: rules.freebusy(found, begin_at=begin_at, end_at=end_at) for uid, found in theirs.items()}
