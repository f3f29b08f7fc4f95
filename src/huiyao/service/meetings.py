"""The use cases on one meeting: create, update, cancel, delete, restore, detail, read, respond, remind, nudge."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import chain

from huiyao import errors
from huiyao.model import Attendee, Meeting
from huiyao.rules import attend, commands, organize
from huiyao.rules.change import Change
from huiyao.service.caller import Caller, Services, check_directory
from huiyao.storage.contract import Committed, Repeated

ATTEMPTS = 5  # a Change in Conflict starts over from load at most this often (design section 2)


async def create(services: Services, caller: Caller, command: commands.Create) -> int:
    """The new meeting's id, or the earlier one's where the call repeats it.

    Raises UnknownPerson (closed directory) and KeyReused.
    """
    org_id, app_id = caller.org.id, caller.app_id
    assert app_id is not None  # by text, people only answer
    if command.repeat_key is not None:
        # Looked up first: a repetition gets the first answer even where the directory has changed since.
        found = await services.storage.find_repeated(
            org_id, app_id, caller.uid, command.repeat_key, now=services.clock.now()
        )
        if found:
            return _first_answer(found, command)
    await _check_directory(services, caller, (one.uid for one in command.detail.invitees))
    ids = await services.ids.take(organize.IDS_NEEDED)
    change = organize.create(
        command,
        org_id=org_id,
        app_id=app_id,
        uid=caller.uid,
        ids=ids,
        now=services.clock.now(),
        known=services.known(caller.org),
    )
    verdict = await _commit(services, caller, change)
    if isinstance(verdict, Repeated):
        return _first_answer(verdict, command)
    if not isinstance(verdict, Committed):  # a new meeting has nothing to be in conflict with
        raise errors.SystemFailure
    return change.meeting_id


async def update(services: Services, caller: Caller, meeting_id: int, command: commands.Update) -> None:
    """Replace the whole detail. Raises NoSuchMeeting, NotCreator, MeetingCancelled, SequenceChanged, UnknownPerson."""
    await _check_directory(services, caller, (one.uid for one in command.detail.invitees))

    async def decide(ids: Iterator[int]) -> Change | None:
        meeting, _ = await _organized(services, caller, meeting_id)
        whole = await services.storage.whole_meeting(caller.org.id, meeting.id)
        if whole is None:
            raise errors.NoSuchMeeting
        before, attendees = whole
        return organize.update(
            command,
            before=before,
            attendees=attendees,
            app_id=caller.app_id,
            uid=caller.uid,
            ids=ids,
            now=services.clock.now(),
            known=services.known(caller.org),
        )

    await _settle(services, caller, decide)


async def cancel(services: Services, caller: Caller, meeting_id: int, command: commands.Cancel) -> None:
    """Call off; repeating it does nothing. Raises NoSuchMeeting, NotCreator, SequenceChanged."""

    async def decide(ids: Iterator[int]) -> Change | None:
        before, _ = await _organized(services, caller, meeting_id)
        return organize.cancel(
            command, before=before, app_id=caller.app_id, uid=caller.uid, ids=ids, now=services.clock.now()
        )

    await _settle(services, caller, decide)


async def nudge(services: Services, caller: Caller, meeting_id: int) -> None:
    """Ask again those who have not answered.

    Raises NoSuchMeeting, NotCreator, MeetingCancelled, MeetingOver, NudgedLately.
    """

    async def decide(ids: Iterator[int]) -> Change | None:
        before, _ = await _organized(services, caller, meeting_id)
        return organize.nudge(
            before=before, app_id=caller.app_id, uid=caller.uid, ids=ids, now=services.clock.now()
        )

    await _settle(services, caller, decide)


async def detail(services: Services, caller: Caller, meeting_id: int) -> tuple[Meeting, list[Attendee]]:
    """The meeting with all its rows, for its creator and members; changes nothing. Raises NoSuchMeeting."""
    await _check_directory(services, caller, ())
    whole = await services.storage.whole_meeting(caller.org.id, meeting_id)
    if whole is None:
        raise errors.NoSuchMeeting
    uid = caller.uid
    for one in whole[1]:
        if one.uid == uid and one.removed_at is None:
            return whole
    raise errors.NoSuchMeeting


async def delete(services: Services, caller: Caller, meeting_id: int) -> None:
    """Take the card off the caller's own workbench. Raises NoSuchMeeting."""

    async def decide(ids: Iterator[int]) -> Change | None:
        before, me = await _attended(services, caller, meeting_id)
        return attend.remove_card(before, me, app_id=caller.app_id, ids=ids, now=services.clock.now())

    await _settle(services, caller, decide)


async def restore(services: Services, caller: Caller, meeting_id: int) -> None:
    """Undo `delete`. Raises NoSuchMeeting."""

    async def decide(ids: Iterator[int]) -> Change | None:
        before, me = await _attended(services, caller, meeting_id)
        return attend.restore_card(before, me, app_id=caller.app_id, ids=ids, now=services.clock.now())

    await _settle(services, caller, decide)


async def read(services: Services, caller: Caller, meeting_id: int) -> None:
    """msgStatus 0 becomes 1. Raises NoSuchMeeting, NotListed."""

    async def decide(ids: Iterator[int]) -> Change | None:
        before, me = await _attended(services, caller, meeting_id)
        return attend.read(before, me, app_id=caller.app_id, ids=ids, now=services.clock.now())

    await _settle(services, caller, decide)


async def respond(services: Services, caller: Caller, meeting_id: int, command: commands.Respond) -> None:
    """Accept or decline. Raises NoSuchMeeting, NotListed, MeetingCancelled, MeetingOver, SequenceChanged."""

    async def decide(ids: Iterator[int]) -> Change | None:
        before, me = await _attended(services, caller, meeting_id)
        return attend.respond(command, before, me, app_id=caller.app_id, ids=ids, now=services.clock.now())

    await _settle(services, caller, decide)


async def remind(services: Services, caller: Caller, meeting_id: int, command: commands.Remind) -> None:
    """Turn the caller's own reminders on or off. Raises NoSuchMeeting."""

    async def decide(ids: Iterator[int]) -> Change | None:
        before, me = await _attended(services, caller, meeting_id)
        return attend.remind(command, before, me, app_id=caller.app_id, ids=ids, now=services.clock.now())

    await _settle(services, caller, decide)


async def _attended(services: Services, caller: Caller, meeting_id: int) -> tuple[Meeting, Attendee]:
    await _check_directory(services, caller, ())
    found = await services.storage.meeting(caller.org.id, meeting_id, caller.uid)
    if found is None or found[1].removed_at is not None:
        raise errors.NoSuchMeeting
    return found


async def _organized(services: Services, caller: Caller, meeting_id: int) -> tuple[Meeting, Attendee]:
    meeting, me = await _attended(services, caller, meeting_id)
    if not me.organizer:
        raise errors.NotCreator
    return meeting, me


async def _check_directory(services: Services, caller: Caller, uids: Iterable[str]) -> None:
    """4500, the requester first (contract section 3)."""
    await check_directory(services, caller.org, chain([caller.uid], uids))


async def _settle(
    services: Services, caller: Caller, decide: Callable[[Iterator[int]], Awaitable[Change | None]]
) -> None:
    """Load, decide and commit, from the start again where another Change came first."""
    for _ in range(ATTEMPTS):
        change = await decide(await services.ids.take(organize.IDS_NEEDED))
        if change is None or isinstance(await _commit(services, caller, change), Committed):
            return
    raise errors.SystemFailure


async def _commit(services: Services, caller: Caller, change: Change) -> object:
    """Commit, and remember whom the directory has learned by it."""
    verdict = await services.storage.commit(change)
    if change.people and isinstance(verdict, Committed):
        services.learned(caller.org.id, change.people)
    return verdict


def _first_answer(found: Repeated, command: commands.Create) -> int:
    if found.fingerprint != command.fingerprint:
        raise errors.KeyReused
    return found.meeting_id
