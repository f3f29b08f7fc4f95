"""The proof's judge: whatever is lost, doubled, half done or untrue is a mistake, and nothing else is."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from proof import judge
from proof.life import Author, Fate, Life, State, Step, Taken, perform
from proof.records import Found, Records

NOW = 1_800_000_000_000
PEOPLE = [f"p{number}" for number in range(12)]


def lived(seed: int, *, dispatched: Callable[[], bool] = lambda: True) -> tuple[Life, State]:
    """A life and what came of it, where the dispatcher ran between two steps or did not."""
    author = Author(random.Random(seed), 1, PEOPLE, name=f"m{seed}")
    life, step, state = author.begin(NOW)
    at = NOW
    following: Step | None = step
    while following:
        taken = Taken(following, Fate.DONE, at, at + 5)
        life.taken.append(taken)
        perform(state, taken)
        life.id = 77
        if dispatched():
            state.meeting.run(now=at + 10)
        at += 20
        following = author.next(life, state, at) if len(life.taken) < 6 else None
    state.meeting.run(now=at)
    return life, state


def found(state: State) -> Found:
    meeting = state.meeting
    return Found(
        id=77,
        facts=(
            meeting.begin,
            meeting.end,
            meeting.address,
            meeting.remind_min,
            meeting.sequence,
            meeting.cancelled,
        ),
        pushed=2 if meeting.cancelled else int(meeting.pushed),
        people={
            uid: (part.status, part.remind, uid in state.removed_cards)
            for uid, part in meeting.parts.items()
            if part.listed
        },
        history=list(state.history),
        messages={uid: told.copy() for uid, told in meeting.inboxes.items()},
        texts=Counter((text.uid, text.kind) for text in meeting.texts),
        tasks=Counter(job.kind for job in meeting.jobs),
    )


def faults(life: Life, *there: Found) -> list[str]:
    return judge.mistakes([life], Records({life.content: list(there)} if there else {}))


def with_messages() -> tuple[Life, State]:
    return next((life, state) for life, state in map(lived, range(100)) if state.meeting.inboxes)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_dispatcher_did_between_the_steps_is_right(seed: int) -> None:
    luck = random.Random(seed)
    life, state = lived(seed, dispatched=lambda: luck.random() < 0.5)
    assert faults(life, found(state)) == []


def test_a_meeting_that_is_lost_or_there_twice_is_a_mistake() -> None:
    life, state = lived(1)
    assert "not there" in faults(life)[0]
    assert "2 times" in faults(life, found(state), found(state))[0]


def test_a_meeting_that_nobody_made_is_a_mistake() -> None:
    _, state = lived(1)
    assert judge.mistakes([], Records({"strange": [found(state)]})) == ["strange is there and nobody made it"]


@pytest.mark.parametrize("seed", range(20))
def test_a_step_that_was_lost_or_done_twice_is_a_mistake(seed: int) -> None:
    life, state = lived(seed)
    shorter, longer = found(state), found(state)
    shorter.history.pop()
    longer.history.append(longer.history[-1])
    assert "history" in faults(life, shorter)[0]
    assert "history" in faults(life, longer)[0]


def test_half_a_step_is_a_mistake() -> None:
    life, state = lived(1)
    half = found(state)
    uid = next(iter(half.people))
    status, remind, removed = half.people[uid]
    half.people[uid] = (status, not remind, removed)
    assert "people" in faults(life, half)[0]


def test_a_message_that_is_missing_doubled_or_untrue_is_a_mistake() -> None:
    life, state = with_messages()
    uid, told = next((uid, told) for uid, told in state.meeting.inboxes.items() if told)
    what = next(iter(told))
    for count in (-1, 1):
        wrong = found(state)
        wrong.messages[uid][what] += count
        wrong.messages[uid] += Counter()
        assert "no order of dispatching" in faults(life, wrong)[0]
    untrue = found(state)
    untrue.messages[uid][what[0], what[1] + 60_000, what[2]] = untrue.messages[uid].pop(what)
    assert "no order of dispatching" in faults(life, untrue)[0]


def test_a_text_that_is_doubled_and_a_task_that_is_lost_are_mistakes() -> None:
    life, state = with_messages()
    doubled = found(state)
    doubled.texts["p1", "invited"] += 1
    assert "no order of dispatching" in faults(life, doubled)[0]
    lost = found(state)
    lost.tasks["answered"] += 1
    assert "no order of dispatching" in faults(life, lost)[0]


@pytest.mark.parametrize("seed", range(20))
def test_an_unknown_step_may_be_wholly_there_or_wholly_absent(seed: int) -> None:
    life, state = lived(seed, dispatched=lambda: False)
    *before, last = life.taken
    life.taken[-1] = Taken(last.step, Fate.UNKNOWN, last.started_at, last.ended_at)
    assert faults(life, found(state)) == []
    if not before:
        assert faults(life) == []
        return
    without = life.birth.copy()
    for one in before:
        perform(without, one)
    without.meeting.run(now=last.ended_at)
    assert faults(life, found(without)) == []


def test_a_step_said_to_have_failed_may_not_be_there() -> None:
    life, state = next(
        (life, state)
        for life, state in map(lived, range(100))
        if len(life.taken) > 1 and life.taken[-1].step.call == "respond" and state.history[-1] == "responded"
    )
    last = life.taken[-1]
    life.taken[-1] = Taken(last.step, Fate.FAILED, last.started_at, last.ended_at)
    assert "history" in faults(life, found(state))[0]
