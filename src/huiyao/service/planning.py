"""What an organizer is shown before anything is written: who would be told what, and what else they do then."""

from collections.abc import Sequence

from huiyao import errors
from huiyao.model import Attendee, Card, Meeting
from huiyao.rules import commands, organize
from huiyao.rules.change import Change
from huiyao.rules.preview import Preview, preview
from huiyao.service import meetings, workbench
from huiyao.service.caller import Caller, Services


async def organized(services: Services, caller: Caller, meeting_id: int) -> tuple[Meeting, list[Attendee]]:
    """A meeting of the caller's own with all its rows. Raises NoSuchMeeting, NotCreator."""
    meeting, attendees = await meetings.detail(services, caller, meeting_id)
    if meeting.organizer_uid != caller.uid:
        raise errors.NotCreator
    return meeting, attendees


async def is_repetition(services: Services, caller: Caller, repeat_key: str | None) -> bool:
    """Whether a create with this key has been done already."""
    if repeat_key is None or caller.app_id is None:
        return False
    found = await services.storage.find_repeated(
        caller.org.id, caller.app_id, caller.uid, repeat_key, now=services.clock.now()
    )
    return found is not None


def of_update(
    services: Services,
    caller: Caller,
    before: Meeting,
    attendees: Sequence[Attendee],
    command: commands.Update,
) -> Preview | None:
    """None where nothing would change. Raises MeetingCancelled, SequenceChanged."""
    now = services.clock.now()
    ids = iter(range(1, organize.IDS_NEEDED + 1))  # nothing of this is kept
    change = organize.update(
        command,
        before=before,
        attendees=attendees,
        app_id=caller.app_id,
        uid=caller.uid,
        ids=ids,
        now=now,
    )
    return _of(change, attendees, now)


def of_cancel(
    services: Services, caller: Caller, before: Meeting, attendees: Sequence[Attendee]
) -> Preview | None:
    """None where the meeting is cancelled already."""
    now = services.clock.now()
    ids = iter(range(1, organize.IDS_NEEDED + 1))
    change = organize.cancel(
        commands.Cancel(), before=before, app_id=caller.app_id, uid=caller.uid, ids=ids, now=now
    )
    return _of(change, attendees, now)


async def clashes(
    services: Services, caller: Caller, *, begin_at: int, end_at: int, without: int | None
) -> list[Card]:
    """Where the caller will be at that time; `without` is the meeting that this is about."""
    if end_at <= begin_at:
        return []
    found = await services.storage.calendar(
        caller.org.id, caller.uid, begin_at=begin_at, end_at=end_at, size=workbench.MOST_OVERLAPS
    )
    return [one for one in found if one.meeting.id != without and workbench.engaged(one)]


def _of(change: Change | None, attendees: Sequence[Attendee], now: int) -> Preview | None:
    return preview(change, attendees, now=now) if change else None
