"""The life of one meeting as a client logs it: what was asked, when, and what the client knows became of it."""

import dataclasses
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

from tests.model.reference import MINUTE, Meeting, Part

HOUR: Final = 60 * MINUTE
FAR: Final = 4_000_000_000_000
PLACES: Final = ("301", "302", "大会议室")


class Fate(Enum):
    DONE = auto()  # acknowledged
    UNKNOWN = auto()  # wholly there or wholly absent
    FAILED = auto()  # said to have changed nothing


@dataclass(frozen=True)
class Step:
    """One call of a life."""

    call: str
    uid: str
    body: dict[str, Any]
    # Does it to the model, at a moment; answers the kind of the history's entry, None where nothing changes.
    apply: "Apply"


@dataclass(frozen=True)
class Taken:
    """A step that was asked for, and what became of it. Moments are epoch milliseconds."""

    step: Step
    fate: Fate
    started_at: int
    ended_at: int


@dataclass
class State:
    """A meeting as it should be: the reference model, and what that leaves out."""

    meeting: Meeting
    removed_cards: set[str] = field(default_factory=set)
    history: list[str] = field(default_factory=list)

    def copy(self) -> "State":
        """Of all that changes."""
        old = self.meeting
        meeting = dataclasses.replace(
            old,
            parts={uid: dataclasses.replace(part) for uid, part in old.parts.items()},
            jobs=list(old.jobs),
            texts=list(old.texts),
            taken=[],
            inboxes={uid: told.copy() for uid, told in old.inboxes.items()},
            phones={},
            reminded=set(old.reminded),
        )
        return State(meeting, set(self.removed_cards), list(self.history))


@dataclass(eq=False)
class Life:
    """One meeting's. `content` names it; `id` is 0 until a create was acknowledged."""

    content: str
    org: int
    birth: State  # before it is created
    taken: list[Taken] = field(default_factory=list)
    id: int = 0

    def courses(self) -> list[list[Taken]]:
        """What may have taken effect, in order: with and without the step whose fate is unknown, the last one."""
        done = [one for one in self.taken if one.fate is not Fate.FAILED]
        if done and done[-1].fate is Fate.UNKNOWN:
            return [done, done[:-1]]
        return [done]

    def story(self) -> str:
        told = ", ".join(
            f"{one.step.call} by {one.step.uid} {one.fate.name.lower()} at {one.started_at % 10_000_000}"
            for one in self.taken
        )
        return f"{self.content} ({self.id}): {told}"


def perform(state: State, taken: Taken) -> None:
    kind = taken.step.apply(state, taken.started_at)
    if kind:
        state.history.append(kind)


Apply = Callable[[State, int], str | None]


class Author:
    """Thinks up lives. All randomness comes from `luck`."""

    def __init__(self, luck: random.Random, org: int, people: list[str], *, name: str) -> None:
        self._luck = luck
        self._org = org
        self._people = people
        self._name = name
        self._number = 0

    def begin(self, now: int) -> tuple[Life, Step, State]:
        """A new life, its create, and its state once that is done, to think up the next step by."""
        luck = self._luck
        self._number += 1
        boss, *members = luck.sample(self._people, luck.randint(3, 6))
        soon = luck.random() < 0.2
        begin_at = now + luck.randint(1_500, 6_000) if soon else FAR + luck.randrange(1000) * MINUTE
        meeting = Meeting(
            boss,
            begin_at,
            begin_at + HOUR,
            luck.choice(PLACES),
            0 if soon else 15,
            texting=luck.random() < 0.15,
        )
        life = Life(f"{self._name}-{self._number}", self._org, State(meeting))
        body = {**self._detail(life, meeting, members), "clientToken": life.content}

        def create(state: State, at: int) -> str:
            state.meeting.create(members, silent=False, now=at)
            return "created"

        return life, Step("create", boss, body, create), life.birth.copy()

    def next(self, life: Life, state: State, now: int) -> Step | None:
        """What somebody does next; None: the meeting is over."""
        meeting = state.meeting
        kinds = ("update", "respond", "remind", "delete", "remindagain", "cancel", "")
        (kind,) = self._luck.choices(kinds, (30, 40, 12, 8, 6, 6, 12))
        if not kind or meeting.cancelled:
            return None
        if kind == "update":
            return self._update(life, meeting)
        if kind == "cancel":
            return Step("cancel", meeting.organizer, self._names(life), _cancel)
        if kind == "remindagain":
            nudged = meeting.nudged_at is not None
            return None if nudged else Step("remindagain", meeting.organizer, self._names(life), _nudge)
        uid = self._luck.choice(_listed(meeting))
        if kind == "respond":
            status = self._luck.choice((2, 3))
            return Step("respond", uid, self._names(life, msgStatus=status), _respond(uid, status))
        if kind == "remind":
            wanted = not meeting.parts[uid].remind
            return Step("remind", uid, self._names(life, remind=wanted), _remind(uid, wanted))
        return Step("delete", uid, self._names(life), _delete(uid))

    def _update(self, life: Life, meeting: Meeting) -> Step:
        luck = self._luck
        begin, end, address, remind_min = meeting.begin, meeting.end, meeting.address, meeting.remind_min
        invited = _listed(meeting)
        kind = luck.choice(("move", "edit", "list"))
        if kind == "move":
            begin = FAR + luck.randrange(1000) * MINUTE
            end, remind_min = begin + HOUR, 15
        elif kind == "edit":
            address = luck.choice(PLACES)
        else:
            others = [uid for uid in self._people if uid not in invited and uid != meeting.organizer]
            if len(invited) > 1 and luck.random() < 0.5:
                invited.remove(luck.choice(invited))
            elif others:
                invited.append(luck.choice(others))
        texting = meeting.texting

        def update(state: State, at: int) -> str | None:
            one = state.meeting
            before = {uid for uid in one.parts if one.parts[uid].listed}
            moved = (begin, end) != (one.begin, one.end)
            changed = one.update(
                invited,
                begin=begin,
                end=end,
                address=address,
                remind_min=remind_min,
                texting=texting,
                silent=False,
                now=at,
            )
            back = state.removed_cards if moved else set(invited) - before
            state.removed_cards = {uid for uid in state.removed_cards - set(back) if one.parts[uid].listed}
            return "updated" if changed else None

        body = self._detail(
            life,
            dataclasses.replace(meeting, begin=begin, end=end, address=address, remind_min=remind_min),
            invited,
        )
        return Step("update", meeting.organizer, self._names(life, **body), update)

    def _detail(self, life: Life, meeting: Meeting, members: list[str]) -> dict[str, Any]:
        return {
            "requesterName": f"name of {meeting.organizer}",
            "detail": {
                "createTime": 1_700_000_000_000,
                "content": life.content,
                "address": meeting.address,
                "beginTime": meeting.begin,
                "endTime": meeting.end,
                "remindMin": meeting.remind_min,
                "remindType": int(meeting.texting),
                "members": [{"uid": uid, "name": f"name of {uid}"} for uid in members],
            },
        }

    def _names(self, life: Life, **fields: Any) -> dict[str, Any]:
        return {"meetingInviteId": life.id, **fields}


def _listed(meeting: Meeting) -> list[str]:
    return [uid for uid, part in meeting.parts.items() if part.listed]


def _cancel(state: State, at: int) -> str | None:
    cancelled = state.meeting.cancelled
    state.meeting.cancel(now=at)
    return None if cancelled else "cancelled"


def _nudge(state: State, at: int) -> str:
    state.meeting.nudge(now=at)
    return "nudged"


def _respond(uid: str, status: int) -> Apply:
    def respond(state: State, at: int) -> str | None:
        before = state.meeting.parts[uid].status
        state.meeting.respond(uid, status, now=at)
        return "responded" if before != status else None

    return respond


def _remind(uid: str, wanted: bool) -> Apply:
    def remind(state: State, _: int) -> str | None:
        part: Part = state.meeting.parts[uid]
        before, part.remind = part.remind, wanted
        return "remind" if before != wanted else None

    return remind


def _delete(uid: str) -> Apply:
    def delete(state: State, _: int) -> str | None:
        if uid in state.removed_cards:
            return None
        state.removed_cards.add(uid)
        return "deleted"

    return delete
