"""Compares what is in a database with what clients logged: each life against the reference model.

When the dispatcher ran between two steps nobody knows. So the model is run through every order in which that can have
been, until one gives exactly the inboxes, deliveries and waiting tasks that are there.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from proof.life import FAR, Fate, Life, State, Taken, perform
from proof.records import Found, Records, Told
from tests.model.reference import Job

NEVER: Final = 1 << 60


def mistakes(lives: Iterable[Life], records: Records) -> list[str]:
    """One for each life of which something else is there than may be, and for each meeting that nobody made."""
    found = [fault for life in lives if (fault := _fault(life, records))]
    asked = {life.content for life in lives}
    strange = [content for content in records.meetings if content not in asked]
    return found + [f"{content} is there and nobody made it" for content in strange]


def _fault(life: Life, records: Records) -> str:
    meetings = records.meetings.get(life.content, [])
    courses = life.courses()
    if len(meetings) > 1:
        return f"{life.story()}: it is there {len(meetings)} times"
    if not meetings:
        return "" if [] in courses else f"{life.story()}: it is not there"
    (found,) = meetings
    if life.id and found.id != life.id:
        return f"{life.story()}: it is there as {found.id}"
    reasons = [_unlike(life, course, found) for course in courses if course]
    if not reasons:
        return f"{life.story()}: it is there, and was said not to be"
    return "" if "" in reasons else f"{life.story()}: {'; or '.join(reasons)}"


def _unlike(life: Life, course: list[Taken], found: Found) -> str:
    """Why what was found does not come of this course; "" where it does."""
    state = life.birth.copy()
    for one in course:
        perform(state, one)
    want = state.meeting
    if state.history != found.history:
        return f"history {found.history}, not {state.history}"
    facts = (want.begin, want.end, want.address, want.remind_min, want.sequence, want.cancelled)
    if facts != found.facts:
        return f"facts {found.facts}, not {facts}"
    people = {
        uid: (part.status, part.remind, uid in state.removed_cards)
        for uid, part in want.parts.items()
        if part.listed
    }
    if people != found.people:
        return f"people {found.people}, not {people}"
    if not _told(life, course, found):
        return (
            f"no order of dispatching gives these messages {_flat(found.messages)}, texts {dict(found.texts)}"
            f" and tasks {dict(found.tasks)}"
        )
    return ""


def _told(life: Life, course: list[Taken], found: Found) -> bool:
    seen: set[object] = set()
    return any(
        _exact(state, found) for state in _orders(life.birth.copy(), course, 0, found=found, seen=seen)
    )


def _orders(
    state: State, course: list[Taken], done: int, *, found: Found, seen: set[object]
) -> Iterator[State]:
    """Every end that is reached by running jobs between the steps, but those that already say too much."""
    key = (done, _mark(state))
    if key in seen or not _within(state, found):
        return
    seen.add(key)
    # A step whose fate is unknown may have been done long after it was given up; it is the last.
    until = NEVER if done >= len(course) - 1 else course[done].ended_at
    for job in _runnable(state, until):
        yield from _orders(_ran(state, job), course, done, found=found, seen=seen)
    if done < len(course):
        for at in _moments(state, course[done]):
            after = state.copy()
            course[done].step.apply(after, at)
            yield from _orders(after, course, done + 1, found=found, seen=seen)
    else:
        yield state


def _moments(state: State, taken: Taken) -> list[int]:
    """When the server may have done it, as far as it matters: before or after the meeting begins."""
    begin = state.meeting.begin
    ended_at = NEVER if taken.fate is Fate.UNKNOWN else taken.ended_at
    if taken.started_at <= begin <= ended_at and begin < FAR:
        return [taken.started_at, begin + 1]
    return [taken.started_at]


def _runnable(state: State, until: int) -> list[Job]:
    """What may run now: of announcements only the first."""
    jobs: list[Job] = []
    for job in state.meeting.jobs:
        first = job.kind != "announce" or not any(one.kind == "announce" for one in jobs)
        if job.due <= until and first:
            jobs.append(job)
    return jobs


def _ran(state: State, job: Job) -> State:
    after = state.copy()
    others = [one for one in after.meeting.jobs if one is not job]
    after.meeting.jobs = [job]
    after.meeting.run(now=job.due)
    after.meeting.jobs = others
    return after


def _within(state: State, found: Found) -> bool:
    """Whether nothing has been told that is not there."""
    for uid, told in state.meeting.inboxes.items():
        there = found.messages.get(uid)
        if there is None or any(there[what] < count for what, count in told.items()):
            return False
    return not (_texts(state) - found.texts)


def _exact(state: State, found: Found) -> bool:
    tasks = Counter(job.kind for job in state.meeting.jobs)
    inboxes = {uid: told for uid, told in state.meeting.inboxes.items() if told}
    pushed = 2 if state.meeting.cancelled else int(state.meeting.pushed)
    return (inboxes, _texts(state), tasks, pushed) == (found.messages, found.texts, found.tasks, found.pushed)


def _texts(state: State) -> Counter[tuple[str, str]]:
    return Counter((text.uid, text.kind) for text in state.meeting.texts)


def _mark(state: State) -> object:
    meeting = state.meeting
    return (
        tuple((job.kind, job.due, job.sequence) for job in meeting.jobs),
        tuple(sorted((uid, *told.items()) for uid, told in meeting.inboxes.items())),
        tuple((uid, part.told_of, part.shown) for uid, part in meeting.parts.items()),
        meeting.pushed,
    )


def _flat(messages: dict[str, Told]) -> list[str]:
    return [
        f"{count}× {uid} {kind} {begin % 10_000_000} {address}"
        for uid, told in sorted(messages.items())
        for (kind, begin, address), count in told.items()
    ]
