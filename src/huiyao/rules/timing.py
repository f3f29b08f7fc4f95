"""When the tasks of a meeting are due, and under which key each stands."""

from huiyao.model import Meeting, Task, TaskKind

MINUTE = 60_000
ANSWERS_JOIN_MS = 10_000  # answers within this time of the first are told in one message (design section 4)
NUDGE_PAUSE_MS = 5 * MINUTE  # remindagain: at most once in this time per meeting (contract section 6)
DAY_MS = 24 * 60 * MINUTE
FIRST_PUT_OFF_MS = 10_000  # of a task that cannot be told; doubled each time
LONGEST_PUT_OFF_MS = 60 * MINUTE
LATE_REMINDER_MS = 5 * MINUTE  # a reminder later than this is missed once the meeting has begun


def remind_at(meeting: Meeting) -> int:
    """The moment the reminder is due."""
    return meeting.begin_at - meeting.remind_min * MINUTE


def reminder_key(meeting_id: int) -> str:
    return f"remind:{meeting_id}"


def reminder_occasion(meeting: Meeting) -> str:
    """What makes a reminder unique: editing the text does not remind again, moving to another time does."""
    return f"{meeting.begin_at}:{meeting.remind_min}"


def reminder(meeting: Meeting, task_id: int, *, now: int) -> Task | None:
    """The reminder's task, or None where its moment has passed already: the invitation or change just told them."""
    due_at = remind_at(meeting)
    if due_at <= now:
        return None
    return Task(
        org_id=meeting.org_id,
        id=task_id,
        due_at=due_at,
        kind=TaskKind.REMIND,
        meeting_id=meeting.id,
        sequence=meeting.sequence,
        dedup_key=reminder_key(meeting.id),
    )


def announcement(meeting: Meeting, task_id: int, *, topic: str, old: str, now: int) -> Task:
    """The task that tells what the organizer's Change to `meeting.sequence` did."""
    return Task(
        org_id=meeting.org_id,
        id=task_id,
        due_at=now,
        kind=TaskKind.ANNOUNCE,
        meeting_id=meeting.id,
        sequence=meeting.sequence,
        dedup_key=f"announce:{meeting.id}:{meeting.sequence}",
        topic=topic,
        old=old,
    )


def put_off(task: Task, *, now: int) -> int:
    """When a task that could not be told is tried again: later each time, and never given up."""
    return now + min(LONGEST_PUT_OFF_MS, FIRST_PUT_OFF_MS << min(task.attempt, 20))
