"""Which notices a due task makes of the meeting as it is now."""

import json

import msgspec
import pytest

from huiyao.model import Kind, Meeting, PushStatus, RemindType, Task, TaskKind, Topic
from huiyao.rules import announce, timing
from huiyao.rules.announce import Answer, Audience
from tests.unit.test_organize import HOUR, NOW, detail, state

MINUTE = 60_000


def task(kind: TaskKind, topic: str = "", *, sequence: int = 1, due_at: int = NOW, old: str = "") -> Task:
    return Task(
        org_id=1,
        id=55,
        due_at=due_at,
        kind=kind,
        meeting_id=100,
        sequence=sequence,
        dedup_key="k",
        topic=topic,
        old=old,
    )


def meeting_at(begin_at: int = NOW + HOUR) -> Meeting:
    return state(detail(begin_at=begin_at))[0]


def cancelled(meeting: Meeting) -> Meeting:
    return msgspec.structs.replace(meeting, push_status=PushStatus.CANCELLED, cancelled_at=NOW)


def told(what: Task, meeting: Meeting, *, answers: int = 0) -> list[tuple[str, int, str]]:
    found = announce.notices(what, meeting, [Answer("li", 2, "")] * min(answers, 3), answers, now=NOW)
    return [(notice.kind, notice.audience, notice.occasion) for notice in found]


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        (Topic.CREATED, [(Kind.INVITED, Audience.INVITED)]),
        (
            Topic.MOVED,
            [
                (Kind.INVITED, Audience.INVITED),
                (Kind.REMOVED, Audience.REMOVED),
                (Kind.UPDATED, Audience.REMAINING),
            ],
        ),
        (
            Topic.EDITED,
            [
                (Kind.INVITED, Audience.INVITED),
                (Kind.REMOVED, Audience.REMOVED),
                (Kind.UPDATED, Audience.REMAINING_NOT_DECLINED),
            ],
        ),
        (Topic.LISTED, [(Kind.INVITED, Audience.INVITED), (Kind.REMOVED, Audience.REMOVED)]),
        (Topic.CANCELLED, [(Kind.CANCELLED, Audience.EVERYONE)]),
        (Topic.SILENT, []),
    ],
)
def test_each_topic_has_its_audiences(topic: Topic, expected: list[tuple[Kind, Audience]]) -> None:
    found = told(task(TaskKind.ANNOUNCE, topic), meeting_at())
    assert found == [(kind, audience, "1") for kind, audience in expected]


@pytest.mark.parametrize(
    ("topic", "kinds"),
    [
        (Topic.CREATED, []),
        (Topic.MOVED, [Kind.REMOVED]),
        (Topic.EDITED, [Kind.REMOVED]),
        (Topic.LISTED, [Kind.REMOVED]),
        (Topic.CANCELLED, [Kind.CANCELLED]),
    ],
)
def test_of_a_meeting_cancelled_meanwhile_only_removal_and_cancellation_are_told(
    topic: Topic, kinds: list[Kind]
) -> None:
    assert [kind for kind, *_ in told(task(TaskKind.ANNOUNCE, topic), cancelled(meeting_at()))] == kinds


def test_a_meeting_over_meanwhile_invites_but_tells_no_changes() -> None:
    over = meeting_at(NOW - 5 * HOUR)
    assert [kind for kind, *_ in told(task(TaskKind.ANNOUNCE, Topic.CREATED), over)] == [Kind.INVITED]
    assert Kind.UPDATED not in [kind for kind, *_ in told(task(TaskKind.ANNOUNCE, Topic.MOVED), over)]


@pytest.mark.parametrize(
    ("begin_in", "late", "reminded"),
    [
        (15 * MINUTE, 0, True),
        (1, 15 * MINUTE, True),
        (-4 * MINUTE, 4 * MINUTE, True),
        (0, 5 * MINUTE, False),
        (-6 * MINUTE, 6 * MINUTE, False),
        (-10 * MINUTE, 4 * MINUTE, True),
    ],
)
def test_a_late_reminder_goes_out_until_the_meeting_has_begun_and_five_minutes_have_passed(
    begin_in: int, late: int, reminded: bool
) -> None:
    meeting = meeting_at(NOW + begin_in)
    alarm = task(TaskKind.REMIND, due_at=NOW - late)
    assert bool(told(alarm, meeting)) is reminded
    assert announce.missed(alarm, meeting, now=NOW) is not reminded


def test_a_reminders_occasion_is_its_time_and_not_the_meetings_sequence() -> None:
    meeting = meeting_at()
    edited = msgspec.structs.replace(meeting, sequence=9, content="other")
    first = told(task(TaskKind.REMIND), meeting)
    assert first == told(task(TaskKind.REMIND), edited)
    moved = msgspec.structs.replace(meeting, begin_at=meeting.begin_at + 1)
    assert first != told(task(TaskKind.REMIND), moved)


@pytest.mark.parametrize("kind", [TaskKind.REMIND, TaskKind.NUDGE, TaskKind.ANSWERED])
def test_a_cancelled_meeting_neither_reminds_nor_nudges_nor_reports_answers(kind: TaskKind) -> None:
    assert told(task(kind), meeting_at(), answers=1)
    assert told(task(kind), cancelled(meeting_at()), answers=1) == []


@pytest.mark.parametrize("kind", [TaskKind.NUDGE, TaskKind.ANSWERED])
def test_a_meeting_that_is_over_tells_nobody_anything(kind: TaskKind) -> None:
    assert told(task(kind), meeting_at(NOW - 5 * HOUR), answers=1) == []


def test_answers_taken_back_by_a_move_are_not_reported() -> None:
    assert told(task(TaskKind.ANSWERED), meeting_at(), answers=0) == []


def test_a_notice_is_rendered_from_the_meeting_as_it_is_now_with_the_old_values_beside() -> None:
    meeting = meeting_at()
    old = '{"address":"room 0"}'
    notice = announce.notices(task(TaskKind.ANNOUNCE, Topic.EDITED, old=old), meeting, (), 0, now=NOW)[-1]
    params = json.loads(notice.params)
    assert params["address"] == "room 1"
    assert params["old"] == {"address": "room 0"}


def test_a_long_text_is_cut_in_the_message() -> None:
    meeting = msgspec.structs.replace(meeting_at(), content="长" * 5000)
    (notice,) = announce.notices(task(TaskKind.ANNOUNCE, Topic.CREATED), meeting, (), 0, now=NOW)
    assert json.loads(notice.params)["content"] == "长" * announce.EXCERPT_CHARACTERS


def texted(what: Task, meeting: Meeting, *, remind_type: int = RemindType.SMS) -> list[tuple[str, int]]:
    """Each notice with the audience that gets a text; 0: nobody."""
    meeting = msgspec.structs.replace(meeting, remind_type=remind_type)
    found = announce.notices(what, meeting, [Answer("li", 2, "")], 1, now=NOW)
    return [(notice.kind, notice.sms) for notice in found]


TASKS = [
    *(task(TaskKind.ANNOUNCE, topic) for topic in Topic if topic != Topic.SILENT),
    task(TaskKind.REMIND),
    task(TaskKind.NUDGE),
    task(TaskKind.ANSWERED),
]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (task(TaskKind.ANNOUNCE, Topic.CREATED), [(Kind.INVITED, Audience.INVITED)]),
        (
            task(TaskKind.ANNOUNCE, Topic.MOVED),
            [
                (Kind.INVITED, Audience.INVITED),
                (Kind.REMOVED, Audience.REMOVED),
                (Kind.UPDATED, Audience.REMAINING),
            ],
        ),
        (
            task(TaskKind.ANNOUNCE, Topic.EDITED),
            [
                (Kind.INVITED, Audience.INVITED),
                (Kind.REMOVED, Audience.REMOVED),
                (Kind.UPDATED, Audience.REMAINING_NOT_DECLINED),
            ],
        ),
        (
            task(TaskKind.ANNOUNCE, Topic.LISTED),
            [(Kind.INVITED, Audience.INVITED), (Kind.REMOVED, Audience.REMOVED)],
        ),
        (task(TaskKind.ANNOUNCE, Topic.CANCELLED), [(Kind.CANCELLED, Audience.EVERYONE_NOT_DECLINED)]),
        (task(TaskKind.ANNOUNCE, Topic.SILENT), []),
        (task(TaskKind.REMIND), [(Kind.REMINDER, Audience.WANTING_REMINDER)]),
        (task(TaskKind.NUDGE), [(Kind.NUDGED, Audience.UNANSWERED)]),
        (task(TaskKind.ANSWERED), [(Kind.ANSWERED, 0)]),
    ],
)
def test_who_is_told_gets_a_text_too_but_for_the_declined_of_a_cancellation_and_answers(
    what: Task, expected: list[tuple[Kind, int]]
) -> None:
    meeting = meeting_at()
    assert texted(what, cancelled(meeting) if what.topic == Topic.CANCELLED else meeting) == expected


@pytest.mark.parametrize("what", TASKS, ids=lambda what: what.topic or what.kind)
def test_a_meeting_that_tells_in_the_app_texts_nobody(what: Task) -> None:
    found = texted(what, meeting_at(), remind_type=RemindType.IN_APP)
    assert found
    assert {sms for _, sms in found} == {0}


@pytest.mark.parametrize("what", TASKS, ids=lambda what: what.topic or what.kind)
def test_a_record_of_a_meeting_that_is_over_texts_nobody(what: Task) -> None:
    assert {sms for _, sms in texted(what, meeting_at(NOW - 5 * HOUR))} <= {0}


def test_a_meeting_that_ends_this_moment_still_texts() -> None:
    ending = msgspec.structs.replace(meeting_at(NOW - HOUR), end_at=NOW)
    assert texted(task(TaskKind.NUDGE), ending) == [(Kind.NUDGED, Audience.UNANSWERED)]


@pytest.mark.parametrize(
    ("attempt", "pause_seconds"), [(0, 10), (1, 20), (5, 320), (8, 2560), (9, 3600), (10**6, 3600)]
)
def test_a_task_that_cannot_be_told_waits_longer_each_time_and_at_most_an_hour(
    attempt: int, pause_seconds: int
) -> None:
    failing = msgspec.structs.replace(task(TaskKind.REMIND), attempt=attempt)
    assert timing.put_off(failing, now=NOW) == NOW + pause_seconds * 1000
