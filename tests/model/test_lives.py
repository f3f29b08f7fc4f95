"""Random lives of invitations on a real database bring exactly the messages and texts the reference model says."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from huiyao.model import MsgStatus, Org, Person
from huiyao.rules import announce, commands
from huiyao.service import meetings
from huiyao.service.caller import Caller, Clock, Services
from huiyao.storage import migrate
from huiyao.storage.contract import Storage
from huiyao.storage.opening import open_storage
from tests.model import reference
from tests.model.phones import WAIT_SECONDS, Phones, Text, sender_to

T = TypeVar("T")
LIVES = int(os.environ.get("HUIYAO_TEST_LIVES", "50"))
START = 1_800_000_000_000
MINUTE = 60_000
PEOPLE = ("ann", "bob", "cat", "dan", "boss")
LEADS = (10, 10, 60, 61, -120)  # minutes from now to a meeting
NUMBERS = {uid: f"+861380013800{place}" for place, uid in enumerate(PEOPLE)}
BUSY_MS = 5 * MINUTE  # longer than the sender's own pause behind so few failures
lists = st.lists(st.sampled_from(PEOPLE), min_size=1, unique=True)
often = st.sampled_from([True, True, True, False])
seldom = st.sampled_from([False, False, False, True])
people = st.sampled_from(PEOPLE)


def action(name: str, **details: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.tuples(st.just(name), st.fixed_dictionaries(details))


updates = action(
    "update",
    invited=st.one_of(st.none(), lists),
    lead=st.sampled_from([None, None, *LEADS]),
    address=st.sampled_from(["room", "hall"]),
    remind_min=st.sampled_from([None, None, 0, 5, 30]),
    switch=seldom,
    silent=seldom,
)
times = action(
    "time_passes",
    step=st.sampled_from([0, 0, 1, 5_000, MINUTE, MINUTE, 6 * MINUTE, 40 * MINUTE]),
    to_the_reminder=st.sampled_from([None, None, None, -1, 0, 1]),
    dispatching=often,
    sending=often,
    rows=st.sampled_from([1, 2, 1000]),
    mood=st.sampled_from(["takes", "busy", "silent"]),
    towards=st.lists(people, unique=True),
)
# One strategy instead of a rule for each: Hypothesis leaves some rules out of each life, and little would come of it.
actions = st.one_of(
    *(updates, updates, times, times, times),
    action("respond", uid=people, accept=st.booleans()),
    action("remind", uid=people, on=st.booleans()),
    action("read", uid=people),
    action("nudge"),
    action("cancel", meant=st.sampled_from([False, False, True])),
)


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
        lead=st.sampled_from(LEADS),
        remind_min=st.sampled_from([0, 5, 30]),
        texting=often,
        silent=seldom,
    )
    def create(self, invited: list[str], lead: int, remind_min: int, texting: bool, silent: bool) -> None:
        self.world.orgs += 1
        self.clock = StoppedClock()
        self.services = Services(self.world.storage, self.clock)
        self.org = Org(id=self.world.orgs, name="org")
        self.phones = Phones(NUMBERS)
        self.world.run(self.world.storage.put_org(self.org))
        people = [Person(org_id=self.org.id, uid=uid, name=uid, mobile=NUMBERS[uid]) for uid in PEOPLE]
        self.world.run(self.world.storage.import_people(people))
        begin = self.moment(lead)
        self.want = reference.Meeting("boss", begin, begin + 30 * MINUTE, "room", remind_min, texting)
        self.want.create(invited, silent=silent, now=START)
        detail = self.detail(invited, begin=begin, address="room", remind_min=remind_min, texting=texting)
        command = commands.Create(requester_name="boss", detail=detail, silent=silent)
        self.meeting_id = self.world.run(meetings.create(self.services, self.caller("boss"), command))

    @rule(action=actions)
    def something_happens(self, action: tuple[str, dict[str, Any]]) -> None:
        name, details = action
        getattr(self, name)(**details)

    def update(
        self,
        invited: list[str] | None,
        lead: int | None,
        address: str,
        remind_min: int | None,
        switch: bool,
        silent: bool,
    ) -> None:
        if self.want.cancelled:
            return
        if invited is None:
            invited = [uid for uid, part in self.want.parts.items() if part.listed]
        if remind_min is None:
            remind_min = self.want.remind_min
        begin = self.want.begin if lead is None else self.moment(lead)
        texting = self.want.texting != switch
        self.want.update(
            invited,
            begin=begin,
            end=begin + 30 * MINUTE,
            address=address,
            remind_min=remind_min,
            texting=texting,
            silent=silent,
            now=self.clock.moment,
        )
        detail = self.detail(invited, begin=begin, address=address, remind_min=remind_min, texting=texting)
        command = commands.Update(detail=detail, silent=silent)
        self.world.run(meetings.update(self.services, self.caller("boss"), self.meeting_id, command))

    def cancel(self, meant: bool) -> None:
        if not meant:  # most lives should be longer
            return
        self.want.cancel(now=self.clock.moment)
        command = commands.Cancel()
        self.world.run(meetings.cancel(self.services, self.caller("boss"), self.meeting_id, command))

    def respond(self, uid: str, accept: bool) -> None:
        part = self.want.parts.get(uid)
        if part is None or not part.listed or self.want.cancelled or self.want.end < self.clock.moment:
            return
        status = MsgStatus.ACCEPTED if accept else MsgStatus.DECLINED
        self.want.respond(uid, status, now=self.clock.moment)
        command = commands.Respond(msg_status=status)
        self.world.run(meetings.respond(self.services, self.caller(uid), self.meeting_id, command))

    def remind(self, uid: str, on: bool) -> None:
        part = self.want.parts.get(uid)
        if part is None or not (part.listed or part.organizer):
            return
        part.remind = on
        command = commands.Remind(remind=on)
        self.world.run(meetings.remind(self.services, self.caller(uid), self.meeting_id, command))

    def read(self, uid: str) -> None:
        part = self.want.parts.get(uid)
        if part is None or not part.listed:
            return
        part.status = max(part.status, 1)
        self.world.run(meetings.read(self.services, self.caller(uid), self.meeting_id))

    def nudge(self) -> None:
        now, last = self.clock.moment, self.want.nudged_at
        if self.want.cancelled or self.want.end < now or (last is not None and now - last < 5 * MINUTE):
            return
        self.want.nudge(now=now)
        self.world.run(meetings.nudge(self.services, self.caller("boss"), self.meeting_id))

    def time_passes(
        self,
        step: int,
        to_the_reminder: int | None,
        dispatching: bool,
        sending: bool,
        rows: int,
        mood: str,
        towards: list[str],
    ) -> None:
        """Often to the very moment of the reminder; then, unless they are down, the dispatcher and the sender work."""
        moment = self.clock.moment + step
        if to_the_reminder is not None:
            due = self.want.begin - self.want.remind_min * MINUTE
            moment = max(self.clock.moment, due + to_the_reminder)
        self.clock.moment = moment
        if dispatching:
            self.want.run(now=moment)
            self.expand(moment, rows)
        if sending:
            self.send(mood, towards)

    def send(self, mood: str, towards: list[str]) -> None:
        def answer(uid: str, kind: str, number: int) -> tuple[str, int]:
            if uid not in towards or mood == "takes" or (mood == "busy" and number > 3):
                return "takes", 0
            return mood, BUSY_MS if mood == "busy" else WAIT_SECONDS * 1000

        self.want.send(answer, now=self.clock.moment)
        self.send_all(lambda text: answer(text.uid, text.kind, text.number))

    def teardown(self) -> None:
        """Leave no task and no delivery to the next example."""
        if not hasattr(self, "want"):
            return
        self.clock.moment = START + 200 * 24 * 60 * MINUTE
        self.expand(self.clock.moment, 1000)
        self.send_all(lambda text: ("takes", 0))

    def send_all(self, answer: Callable[[Text], tuple[str, int]]) -> None:
        self.phones.answer = answer
        self.world.run(sender_to(self.phones, self.world.storage, self.clock).send_all())

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
    def phones_are_as_the_reference_says(self) -> None:
        if not hasattr(self, "want"):
            return
        found = {uid: texts for (uid, _), texts in self.phones.came.items()}
        assert found == self.want.phones

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

    def moment(self, lead: int) -> int:
        """So many minutes from now; a full minute, for a text shows no more."""
        return (self.clock.moment // MINUTE + lead) * MINUTE

    def caller(self, uid: str) -> Caller:
        return Caller(1, self.org, uid)

    def detail(
        self, invited: list[str], *, begin: int, address: str, remind_min: int, texting: bool
    ) -> commands.Detail:
        return commands.Detail(
            content="talk",
            address=address,
            begin_at=begin,
            end_at=begin + 30 * MINUTE,
            remind_min=remind_min,
            remind_type=int(texting),
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


@pytest.mark.timeout(600)  # a failure takes its time to be shrunk
def test_every_life_of_an_invitation_tells_exactly_who_should_be_told(world: World) -> None:
    run_state_machine_as_test(
        type("LivesHere", (Lives,), {"world": world}),
        settings=settings(
            max_examples=LIVES,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
