"""Random lives of invitations on a real database end with exactly the messages the reference model says."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from huiyao.model import MsgStatus, Org
from huiyao.rules import announce, commands
from huiyao.service import meetings
from huiyao.service.caller import Caller, Clock, Services
from huiyao.storage import migrate
from huiyao.storage.contract import Storage
from huiyao.storage.opening import open_storage
from tests.model import reference

T = TypeVar("T")
START = 1_800_000_000_000
MINUTE = 60_000
PEOPLE = ("ann", "bob", "cat", "dan", "boss")
MOMENTS = (START - 120 * MINUTE, START + 10 * MINUTE, START + 60 * MINUTE, START + 61 * MINUTE)
lists = st.lists(st.sampled_from(PEOPLE), min_size=1, unique=True)


class StoppedClock(Clock):
    moment = START

    def now(self) -> int:
        return self.moment


class World:
    """One database for all examples; each example is an organisation of its own."""

    def __init__(self, url: str) -> None:
        self.runner = asyncio.Runner()
        migrate.upgrade(url)
        self.storage: Storage = self.run(open_storage(url))
        self.orgs = 0

    def run(self, what: Awaitable[T]) -> T:
        async def wait() -> T:
            return await what

        return self.runner.run(wait())


class Lives(RuleBasedStateMachine):
    world: World

    @initialize(
        invited=lists,
        begin=st.sampled_from(MOMENTS),
        remind_min=st.sampled_from([0, 5, 30]),
        silent=st.booleans(),
    )
    def create(self, invited: list[str], begin: int, remind_min: int, silent: bool) -> None:
        self.world.orgs += 1
        self.clock = StoppedClock()
        self.services = Services(self.world.storage, self.clock)
        self.org = Org(id=self.world.orgs, name="org")
        self.world.run(self.world.storage.put_org(self.org))
        self.want = reference.Meeting("boss", begin, begin + 30 * MINUTE, "room", remind_min)
        self.want.create(invited, silent=silent, now=START)
        detail = self.detail(invited, begin=begin, address="room", remind_min=remind_min)
        command = commands.Create(requester_name="boss", detail=detail, silent=silent)
        self.meeting_id = self.world.run(meetings.create(self.services, self.caller("boss"), command))

    @precondition(lambda self: not self.want.cancelled)
    @rule(
        invited=lists,
        begin=st.one_of(st.none(), st.sampled_from(MOMENTS)),
        address=st.sampled_from(["room", "hall"]),
        remind_min=st.sampled_from([0, 5, 30]),
        silent=st.sampled_from([False, False, False, True]),
        keep_list=st.booleans(),
    )
    def update(
        self,
        invited: list[str],
        begin: int | None,
        address: str,
        remind_min: int,
        silent: bool,
        keep_list: bool,
    ) -> None:
        if keep_list:
            invited = [uid for uid, part in self.want.parts.items() if part.listed]
        begin = begin or self.want.begin
        self.want.update(
            invited,
            begin=begin,
            end=begin + 30 * MINUTE,
            address=address,
            remind_min=remind_min,
            silent=silent,
            now=self.clock.moment,
        )
        detail = self.detail(invited, begin=begin, address=address, remind_min=remind_min)
        command = commands.Update(detail=detail, silent=silent)
        self.world.run(meetings.update(self.services, self.caller("boss"), self.meeting_id, command))

    @precondition(lambda self: not self.want.cancelled)
    @rule(chance=st.integers(0, 9))
    def cancel(self, chance: int) -> None:
        if chance != 7:  # most lives should be longer
            return
        self.want.cancel(now=self.clock.moment)
        command = commands.Cancel()
        self.world.run(meetings.cancel(self.services, self.caller("boss"), self.meeting_id, command))

    @rule(uid=st.sampled_from(PEOPLE), accept=st.booleans())
    def respond(self, uid: str, accept: bool) -> None:
        part = self.want.parts.get(uid)
        if part is None or not part.listed or self.want.cancelled or self.want.end < self.clock.moment:
            return
        status = MsgStatus.ACCEPTED if accept else MsgStatus.DECLINED
        self.want.respond(uid, status, now=self.clock.moment)
        command = commands.Respond(msg_status=status)
        self.world.run(meetings.respond(self.services, self.caller(uid), self.meeting_id, command))

    @rule(uid=st.sampled_from(PEOPLE), on=st.booleans())
    def remind(self, uid: str, on: bool) -> None:
        part = self.want.parts.get(uid)
        if part is None or not (part.listed or part.organizer):
            return
        part.remind = on
        command = commands.Remind(remind=on)
        self.world.run(meetings.remind(self.services, self.caller(uid), self.meeting_id, command))

    @rule(uid=st.sampled_from(PEOPLE))
    def read(self, uid: str) -> None:
        part = self.want.parts.get(uid)
        if part is None or not part.listed:
            return
        part.status = max(part.status, 1)
        self.world.run(meetings.read(self.services, self.caller(uid), self.meeting_id))

    @precondition(lambda self: not self.want.cancelled)
    @rule()
    def nudge(self) -> None:
        now, last = self.clock.moment, self.want.nudged_at
        if self.want.end < now or (last is not None and now - last < 5 * MINUTE):
            return
        self.want.nudge(now=now)
        self.world.run(meetings.nudge(self.services, self.caller("boss"), self.meeting_id))

    @rule(step=st.sampled_from([1, 5_000, MINUTE, 7 * MINUTE, 40 * MINUTE]))
    def time_passes(self, step: int) -> None:
        self.clock.moment += step

    @rule(rows=st.sampled_from([1, 2, 1000]))
    def dispatch(self, rows: int) -> None:
        self.want.run(now=self.clock.moment)
        self.expand(self.clock.moment, rows)

    def teardown(self) -> None:
        """Leave no task to the next example."""
        self.expand(START + 10 * 365 * 24 * 60 * MINUTE, 1000)

    def expand(self, now: int, rows: int) -> None:
        for _ in range(500):
            done = self.world.run(
                self.world.storage.expand(
                    now=now,
                    rows=rows,
                    decide=lambda task, meeting, answers, count: announce.notices(
                        task, meeting, answers, count, now=now
                    ),
                    missed=lambda task, meeting: announce.missed(task, meeting, now=now),
                )
            )
            if not done.more:
                return
        raise AssertionError("the dispatcher never comes to an end")

    @invariant()
    def inboxes_are_as_the_reference_says(self) -> None:
        if not hasattr(self, "want"):
            return
        for uid in PEOPLE:
            page = self.world.run(self.world.storage.inbox(self.org.id, uid, after=None, size=200))
            found: Counter[tuple[str, int, str]] = Counter()
            for message in page.messages:
                params = json.loads(message.params)
                found[message.kind, params["begin_at"], params["address"]] += 1
            assert found == self.want.inboxes.get(uid, Counter()), uid
            assert page.unread == len(page.messages)

    @invariant()
    def states_are_as_the_reference_says(self) -> None:
        if not hasattr(self, "want"):
            return
        whole = self.world.run(self.world.storage.whole_meeting(self.org.id, self.meeting_id))
        assert whole
        meeting, attendees = whole
        assert meeting.sequence == self.want.sequence
        assert meeting.push_status == (2 if self.want.cancelled else int(self.want.pushed))
        assert meeting.size == len(attendees)
        listed = {one.uid: one.msg_status for one in attendees if one.listed}
        assert listed == {uid: part.status for uid, part in self.want.parts.items() if part.listed}

    def caller(self, uid: str) -> Caller:
        return Caller(1, self.org, uid)

    def detail(self, invited: list[str], *, begin: int, address: str, remind_min: int) -> commands.Detail:
        return commands.Detail(
            content="talk",
            address=address,
            begin_at=begin,
            end_at=begin + 30 * MINUTE,
            remind_min=remind_min,
            remind_type=0,
            create_time=START,
            invitees=tuple(commands.Invitee(uid, uid) for uid in invited),
        )


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    file = f"sqlite:///{tmp_path}/lives.db"
    found = World(file if request.param == "sqlite" else request.getfixturevalue("postgres_url"))
    yield found
    found.run(found.storage.close())
    found.runner.close()


def test_every_life_of_an_invitation_tells_exactly_who_should_be_told(world: World) -> None:
    run_state_machine_as_test(
        type("LivesHere", (Lives,), {"world": world}),
        settings=settings(
            max_examples=200,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
