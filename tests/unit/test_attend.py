"""What an attendee's own commands write."""

import itertools

import msgspec
import pytest

from huiyao import errors
from huiyao.model import Attendee, Meeting, MsgStatus, PushStatus, TaskKind
from huiyao.rules import attend, commands
from huiyao.rules.change import Change
from tests.unit.test_organize import HOUR, NOW, detail, state


def meeting_and(uid: str, *, listed_boss: bool = False) -> tuple[Meeting, Attendee]:
    meeting, rows = state(detail("a", "boss") if listed_boss else detail("a"))
    return meeting, next(row for row in rows if row.uid == uid)


def respond(
    meeting: Meeting,
    me: Attendee,
    *,
    msg_status: MsgStatus = MsgStatus.ACCEPTED,
    reply: str = "",
    sequence: int | None = None,
) -> Change | None:
    return attend.respond(
        commands.Respond(msg_status=msg_status, reply=reply, sequence=sequence),
        meeting,
        me,
        app_id=7,
        ids=itertools.count(1),
        now=NOW,
    )


def test_reading_moves_only_an_unread_invitation() -> None:
    meeting, me = meeting_and("a")
    change = attend.read(meeting, me, app_id=7, ids=itertools.count(1), now=NOW)
    assert change
    assert change.attendee
    assert (change.attendee.msg_status, change.attendee.read_at) == (MsgStatus.READ, NOW)
    assert attend.read(meeting, change.attendee, app_id=7, ids=itertools.count(1), now=NOW) is None


def test_an_answer_leaves_the_meeting_alone_and_tells_the_organizer_ten_seconds_later() -> None:
    meeting, me = meeting_and("a")
    change = respond(meeting, me, reply="gladly")
    assert change
    assert change.meeting is None
    assert change.attendee
    assert (change.attendee.msg_status, change.attendee.reply) == (MsgStatus.ACCEPTED, "gladly")
    (task,) = change.tasks
    assert (task.kind, task.due_at, task.since_at) == (TaskKind.ANSWERED, NOW + 10_000, NOW)


def test_the_same_answer_again_writes_nothing_and_another_reply_does() -> None:
    meeting, me = meeting_and("a")
    change = respond(meeting, me, reply="gladly")
    assert change
    assert change.attendee
    assert respond(meeting, change.attendee, reply="gladly") is None
    assert respond(meeting, change.attendee, reply="perhaps")
    assert respond(meeting, change.attendee, msg_status=MsgStatus.DECLINED, reply="gladly")


def test_an_organizer_on_the_list_answers_without_being_told_of_it() -> None:
    change = respond(*meeting_and("boss", listed_boss=True))
    assert change
    assert change.tasks == ()


def test_an_organizer_off_the_list_neither_reads_nor_responds_but_sets_reminders_and_removes_the_card() -> (
    None
):
    meeting, me = meeting_and("boss")
    ids = itertools.count(1)
    with pytest.raises(errors.BadParameter):
        respond(meeting, me)
    with pytest.raises(errors.BadParameter):
        attend.read(meeting, me, app_id=7, ids=ids, now=NOW)
    assert attend.remind(commands.Remind(remind=False), meeting, me, app_id=7, ids=ids, now=NOW)
    assert attend.remove_card(meeting, me, app_id=7, ids=ids, now=NOW)


def test_nobody_answers_a_cancelled_or_ended_meeting() -> None:
    meeting, me = meeting_and("a")
    cancelled = msgspec.structs.replace(meeting, push_status=PushStatus.CANCELLED, cancelled_at=NOW)
    with pytest.raises(errors.MeetingCancelled, match="cancelled"):
        respond(cancelled, me)
    over = msgspec.structs.replace(meeting, begin_at=NOW - 2 * HOUR, end_at=NOW - 1)
    with pytest.raises(errors.MeetingOver, match="over"):
        respond(over, me)


@pytest.mark.parametrize(
    ("sequence", "accepted"), [(1, False), (2, True), (3, True), (4, False), (None, True)]
)
def test_an_answer_is_never_applied_to_another_time_than_it_was_given_to(
    sequence: int | None, accepted: bool
) -> None:
    meeting, me = meeting_and("a")
    edited = msgspec.structs.replace(meeting, sequence=3, moved_sequence=2)
    if accepted:
        assert respond(edited, me, sequence=sequence)
    else:
        with pytest.raises(errors.SequenceChanged):
            respond(edited, me, sequence=sequence)


def test_removing_the_card_twice_or_setting_the_same_reminder_writes_nothing() -> None:
    meeting, me = meeting_and("a")
    ids = itertools.count(1)
    change = attend.remove_card(meeting, me, app_id=7, ids=ids, now=NOW)
    assert change
    assert change.attendee
    assert change.attendee.remind
    assert attend.remove_card(meeting, change.attendee, app_id=7, ids=ids, now=NOW) is None
    assert attend.remind(commands.Remind(remind=True), meeting, me, app_id=7, ids=ids, now=NOW) is None


def test_every_change_of_an_attendee_carries_the_row_it_was_decided_on_and_says_what_changed() -> None:
    meeting, me = meeting_and("a")
    change = attend.remind(
        commands.Remind(remind=False), meeting, me, app_id=7, ids=itertools.count(1), now=NOW
    )
    assert change
    assert change.before is meeting
    assert change.attendee_before is me
    assert change.entry.change == '{"remind":[true,false]}'
