"""What create, update, cancel and nudge write."""

import itertools

import msgspec
import pytest

from huiyao import errors
from huiyao.model import Attendee, Meeting, PushStatus, TaskKind, Topic
from huiyao.rules import commands, organize
from huiyao.rules.change import Change

NOW = 1_800_000_000_000
HOUR = 3_600_000


def invitees(*uids: str) -> tuple[commands.Invitee, ...]:
    return tuple(commands.Invitee(uid, f"name of {uid}") for uid in uids)


def detail(
    *uids: str,
    begin_at: int = NOW + HOUR,
    remind_min: int = 15,
    content: str = "budget",
    address: str = "room 1",
) -> commands.Detail:
    return commands.Detail(
        content=content,
        address=address,
        begin_at=begin_at,
        end_at=begin_at + HOUR,
        remind_min=remind_min,
        remind_type=0,
        create_time=None,
        invitees=invitees(*(uids or ("a", "b"))),
    )


def created(what: commands.Detail | None = None, *, silent: bool = False) -> Change:
    command = commands.Create(requester_name="the boss", detail=what or detail(), silent=silent)
    return organize.create(command, org_id=1, app_id=7, uid="boss", ids=itertools.count(100), now=NOW)


def state(what: commands.Detail | None = None) -> tuple[Meeting, list[Attendee]]:
    change = created(what)
    assert change.meeting
    return change.meeting, list(change.added)


def updated(
    what: commands.Detail,
    before: Meeting,
    attendees: list[Attendee],
    *,
    silent: bool = False,
    sequence: int | None = None,
    now: int = NOW + 1000,
) -> Change | None:
    command = commands.Update(detail=what, silent=silent, sequence=sequence)
    return organize.update(
        command, before=before, attendees=attendees, app_id=7, uid="boss", ids=itertools.count(200), now=now
    )


def answered(attendee: Attendee, msg_status: int) -> Attendee:
    return msgspec.structs.replace(attendee, msg_status=msg_status, answered_at=NOW, reply="so be it")


def topics(change: Change | None) -> list[str]:
    assert change is not None
    return [task.topic for task in change.tasks if task.kind == TaskKind.ANNOUNCE]


def test_create_gives_everyone_a_row_and_the_organizer_one_off_the_list() -> None:
    change = created()
    assert [(one.uid, one.position, one.organizer, one.listed) for one in change.added] == [
        ("a", 0, False, True),
        ("b", 1, False, True),
        ("boss", -1, True, False),
    ]
    assert change.meeting
    assert change.meeting.size == 3
    assert change.meeting.sequence == 0
    assert change.meeting.push_status == PushStatus.PENDING


def test_an_organizer_who_invites_themselves_has_one_row_on_the_list() -> None:
    change = created(detail("a", "boss"))
    assert [(one.uid, one.position, one.organizer, one.msg_status) for one in change.added] == [
        ("a", 0, False, 0),
        ("boss", 1, True, 0),
    ]


def test_create_schedules_the_announcement_now_and_the_reminder_before_begin() -> None:
    change = created()
    assert [(task.kind, task.due_at) for task in change.tasks] == [
        (TaskKind.ANNOUNCE, NOW),
        (TaskKind.REMIND, NOW + HOUR - 15 * 60_000),
    ]


@pytest.mark.parametrize("begin_at", [NOW - HOUR, NOW + 15 * 60_000])
def test_a_reminder_whose_moment_has_passed_is_not_scheduled(begin_at: int) -> None:
    assert [task.kind for task in created(detail(begin_at=begin_at)).tasks] == [TaskKind.ANNOUNCE]


def test_a_silent_create_still_moves_push_status() -> None:
    change = created(silent=True)
    assert topics(change) == [Topic.SILENT]
    assert all(one.quiet for one in change.added)


def test_an_update_that_changes_nothing_writes_nothing() -> None:
    assert updated(detail(), *state()) is None


@pytest.mark.parametrize(
    ("what", "topic"),
    [
        (detail(begin_at=NOW + 2 * HOUR), Topic.MOVED),
        (detail(begin_at=NOW + 2 * HOUR, address="room 2"), Topic.MOVED),
        (detail(address="room 2"), Topic.EDITED),
        (detail(content="costs"), Topic.EDITED),
        (detail("a", "c"), Topic.LISTED),
        (detail("a"), Topic.LISTED),
        (detail("a", "b", "c", address="room 2"), Topic.EDITED),
    ],
)
def test_an_update_announces_the_weightiest_of_its_changes(what: commands.Detail, topic: Topic) -> None:
    assert topics(updated(what, *state())) == [topic]


@pytest.mark.parametrize(
    "what",
    [detail(remind_min=5), detail("b", "a"), msgspec.structs.replace(detail(), create_time=5)],
    ids=["reminder", "order", "createTime"],
)
def test_what_concerns_nobody_is_written_and_told_to_nobody(what: commands.Detail) -> None:
    change = updated(what, *state())
    assert topics(change) == []
    assert change
    assert change.meeting
    assert change.meeting.sequence == 1


def test_a_changed_name_is_written_and_told_to_nobody() -> None:
    what = msgspec.structs.replace(
        detail(), invitees=(commands.Invitee("a", "another name"), commands.Invitee("b", "name of b"))
    )
    change = updated(what, *state())
    assert change
    assert [(place.uid, place.name) for place in change.placed] == [("a", "another name")]
    assert change.tasks == ()


def test_a_move_resets_answers_and_moves_the_reminder() -> None:
    change = updated(detail(begin_at=NOW + 2 * HOUR), *state())
    assert change
    assert change.reset
    assert change.meeting
    assert change.meeting.moved_sequence == 1
    assert [task.due_at for task in change.tasks if task.kind == TaskKind.REMIND] == [
        NOW + 2 * HOUR - 15 * 60_000
    ]


def test_another_place_leaves_answers_and_the_reminder_alone() -> None:
    change = updated(detail(address="room 2"), *state())
    assert change
    assert not change.reset
    assert [task.kind for task in change.tasks] == [TaskKind.ANNOUNCE]
    assert change.dropped == ()


def test_a_move_to_a_time_whose_reminder_has_passed_drops_the_reminder() -> None:
    change = updated(detail(begin_at=NOW + 60_000), *state())
    assert change
    assert change.dropped == ("remind:100",)


def test_a_longer_meeting_counts_as_moved_and_keeps_its_reminder() -> None:
    what = msgspec.structs.replace(detail(), end_at=NOW + 3 * HOUR)
    change = updated(what, *state())
    assert change
    assert change.reset
    assert topics(change) == [Topic.MOVED]
    assert [task.kind for task in change.tasks] == [TaskKind.ANNOUNCE, TaskKind.REMIND]


def test_who_comes_starts_anew_and_who_goes_is_removed() -> None:
    change = updated(detail("a", "c"), *state())
    assert change
    assert [(one.uid, one.position, one.membership, one.invited_sequence) for one in change.added] == [
        ("c", 1, 1, 1)
    ]
    assert change.removed == ("b",)
    assert change.meeting
    assert change.meeting.size == 4


def test_who_is_invited_again_has_a_higher_membership_and_no_second_row() -> None:
    meeting, rows = state()
    rows[1] = msgspec.structs.replace(
        answered(rows[1], 3), removed_at=NOW, removed_sequence=0, card_removed_at=NOW
    )
    change = updated(detail("a", "b"), meeting, rows)
    assert change
    (again,) = change.added
    assert (again.uid, again.membership, again.msg_status, again.reply, again.card_removed_at) == (
        "b",
        2,
        0,
        "",
        None,
    )
    assert change.meeting
    assert change.meeting.size == 3


def test_the_organizer_leaving_the_list_keeps_their_row() -> None:
    change = updated(detail("a"), *state(detail("a", "boss")))
    assert change
    assert change.removed == ()
    assert [(place.uid, place.position) for place in change.placed] == [("boss", -1)]


def test_the_organizer_joining_the_list_starts_unread_and_keeps_their_reminder_choice() -> None:
    meeting, rows = state(detail("a"))
    rows[1] = msgspec.structs.replace(rows[1], remind=False)
    change = updated(detail("a", "boss"), meeting, rows)
    assert change
    (own,) = change.added
    assert (own.uid, own.organizer, own.position, own.msg_status, own.remind) == ("boss", True, 1, 0, False)
    assert change.meeting
    assert change.meeting.size == meeting.size


@pytest.mark.parametrize("silent", [True, False])
def test_an_update_of_an_ended_meeting_is_allowed_and_silent_as_one_with_notify_none(silent: bool) -> None:
    what = detail("a", "c", begin_at=NOW - 5 * HOUR, address="room 2")
    change = updated(what, *state(detail(begin_at=NOW - 4 * HOUR)), silent=silent)
    assert topics(change) == []
    assert change
    assert [one.quiet for one in change.added] == [True]
    assert topics(updated(detail(address="room 2"), *state(), silent=True)) == []


def test_cancel_raises_the_sequence_drops_the_reminder_and_is_idempotent() -> None:
    meeting, _ = state()
    change = organize.cancel(
        commands.Cancel(), before=meeting, app_id=7, uid="boss", ids=itertools.count(1), now=NOW
    )
    assert change
    assert change.meeting
    assert (change.meeting.push_status, change.meeting.sequence) == (PushStatus.CANCELLED, 1)
    assert topics(change) == [Topic.CANCELLED]
    assert change.dropped == ("remind:100",)
    again = organize.cancel(
        commands.Cancel(sequence=0),
        before=change.meeting,
        app_id=7,
        uid="boss",
        ids=itertools.count(1),
        now=NOW,
    )
    assert again is None


def test_cancelling_an_ended_meeting_tells_nobody() -> None:
    over, _ = state(detail(begin_at=NOW - 5 * HOUR))
    ids = itertools.count(1)
    assert (
        topics(organize.cancel(commands.Cancel(), before=over, app_id=7, uid="boss", ids=ids, now=NOW)) == []
    )


def test_a_sequence_that_is_not_the_meetings_is_refused() -> None:
    meeting, rows = state()
    with pytest.raises(errors.SequenceChanged, match="now 0"):
        updated(detail(address="room 2"), meeting, rows, sequence=3)
    with pytest.raises(errors.SequenceChanged):
        organize.cancel(
            commands.Cancel(sequence=3), before=meeting, app_id=7, uid="boss", ids=itertools.count(1), now=NOW
        )
    assert updated(detail(address="room 2"), meeting, rows, sequence=0)


def test_a_cancelled_meeting_is_neither_updated_nor_nudged() -> None:
    meeting, rows = state()
    gone = msgspec.structs.replace(meeting, push_status=PushStatus.CANCELLED, cancelled_at=NOW)
    with pytest.raises(errors.MeetingCancelled):
        updated(detail(address="room 2"), gone, rows)
    with pytest.raises(errors.MeetingCancelled):
        organize.nudge(before=gone, app_id=7, uid="boss", ids=itertools.count(1), now=NOW)


def test_a_nudge_is_possible_once_in_five_minutes_and_names_the_wait() -> None:
    meeting, _ = state()
    ids = itertools.count(1)
    change = organize.nudge(before=meeting, app_id=7, uid="boss", ids=ids, now=NOW)
    assert change.meeting
    assert [task.kind for task in change.tasks] == [TaskKind.NUDGE]
    assert change.meeting.sequence == meeting.sequence
    with pytest.raises(errors.BadParameter, match="in 1 seconds"):
        organize.nudge(before=change.meeting, app_id=7, uid="boss", ids=ids, now=NOW + 299_500)
    later = organize.nudge(before=change.meeting, app_id=7, uid="boss", ids=ids, now=NOW + 300_000)
    assert later.entry.kind == "nudged"


def test_a_meeting_that_is_over_is_not_nudged() -> None:
    meeting, _ = state(detail(begin_at=NOW - 5 * HOUR))
    with pytest.raises(errors.MeetingOver):
        organize.nudge(before=meeting, app_id=7, uid="boss", ids=itertools.count(1), now=NOW)


def test_a_create_with_a_key_carries_the_record_of_it() -> None:
    command = commands.Create(
        requester_name="the boss", detail=detail(), repeat_key="k", repeat_for=30_000, fingerprint=b"f"
    )
    change = organize.create(command, org_id=1, app_id=7, uid="boss", ids=itertools.count(100), now=NOW)
    record = change.idempotency
    assert record
    assert (record.key, record.expires_at, record.meeting_id) == ("k", NOW + 30_000, change.meeting_id)
