"""Several dispatchers and senders on one PostgreSQL, while meetings change in the very moment they are due.

What a sender saw is judged by the database itself: every look brings the snapshot it was made in, and the history says
which changes were in that snapshot.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import pytest
from structlog.testing import capture_logs

from huiyao import errors
from huiyao.channels.contract import Outgoing, Retry, Sent, Verdict
from huiyao.dispatch.dispatcher import Dispatcher
from huiyao.dispatch.sender import Sender
from huiyao.model import Delivery, DeliveryState, Kind, MsgStatus, PushStatus, RemindType
from huiyao.rules import commands, deliver
from huiyao.rules.deliver import Sight
from huiyao.service import meetings
from huiyao.service.caller import Services
from huiyao.storage.contract import Storage, Wanted
from huiyao.storage.postgres import deliveries, open_postgres
from huiyao.texts import sms
from tests.storage.gateway import Gateway
from tests.storage.node import APP, BOSS, HOUR, ORG, caller, person
from tests.storage.rows import fetch

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

NODES: Final = 3
UIDS: Final = [f"p{number}" for number in range(40)]
BEFORE_MS: Final = 1_500  # from the start to the first meeting's beginning, of which everybody is reminded
NEAR_MS: Final = 100  # how near to that moment things happen


class MoodyGateway(Gateway):
    """Takes its time, and now and then wants to be asked again, so that texts wait while meetings change."""

    def __init__(self) -> None:
        super().__init__()
        self._random = random.Random(2)

    async def send(self, message: Outgoing) -> Verdict:
        again = message.attempt == 1 and self._random.random() < 0.15
        self.usual = Retry("busy", down=False) if again else Sent()
        verdict = await super().send(message)
        await asyncio.sleep(self._random.random() / 50)
        return verdict


class WatchedSender(Sender):
    """Remembers what it saw, and what it made of it."""

    looks: list[tuple[Sight, Delivery]]

    def _look(self, sight: Sight, texts: dict[int, sms.Text], *, now: int) -> Delivery:
        found = super()._look(sight, texts, now=now)
        self.looks.append((sight, found))
        return found


@dataclass
class State:
    """A meeting at one moment, as its history tells it."""

    begin_at: int
    address: str
    listed: frozenset[str]
    sequence: int = 0
    cancelled: bool = False
    silenced: frozenset[str] = frozenset()  # who turned reminders off
    declined: frozenset[str] = frozenset()

    def after(self, kind: str, uid: str, change: dict[str, Any]) -> "State":
        """With one more line of the history."""
        if kind == "responded":
            return replace(self, declined=self.declined | {uid})
        if kind == "remind":
            return replace(self, silenced=self.silenced | {uid})
        if kind == "cancelled":
            return replace(self, sequence=self.sequence + 1, cancelled=True)
        if kind != "updated":
            return self
        listed = self.listed - set(change.get("removed", ())) | set(change.get("added", ()))
        return replace(
            self,
            sequence=self.sequence + 1,
            begin_at=change.get("begin_at", [0, self.begin_at])[1],
            address=change.get("address", ["", self.address])[1],
            listed=listed,
            declined=self.declined - listed - {BOSS} if "begin_at" in change else self.declined,
        )

    def true(self, kind: str, uid: str, occasion: str) -> bool:
        """Whether there is a point in a text of this kind."""
        if kind == Kind.CANCELLED:
            return True
        if kind == Kind.REMOVED:
            return uid not in self.listed
        if kind != Kind.REMINDER:
            return uid in self.listed and not self.cancelled
        there = uid in self.listed or uid == BOSS
        wanted = there and uid not in self.silenced and uid not in self.declined
        return wanted and not self.cancelled and occasion == f"{self.begin_at}:0"


@dataclass
class Life:
    """One meeting, and when what became of it was acknowledged."""

    id: int
    first: State
    state: State  # as the organizer left it
    calm: bool  # nothing happens to it
    were: set[str]  # everybody who was ever listed
    known: list[tuple[int, int]] = field(default_factory=list)  # when, and which sequence
    leave: dict[str, int] = field(
        default_factory=dict
    )  # when people who want no reminder any more had said so


class Cluster:
    """Nodes with a dispatcher and a sender each, and meetings that change through any of them."""

    def __init__(self, storages: Sequence[Storage]) -> None:
        self._services = [Services(storage) for storage in storages]
        self._random = random.Random(1)
        self.storage = storages[0]
        self.gateway = MoodyGateway()
        self.looks: list[tuple[Sight, Delivery]] = []
        self.lives: list[Life] = []
        self.dispatchers = []
        for storage in storages:
            sender = WatchedSender(storage, self.gateway, daily_limit=10_000, wait_seconds=60)
            sender.looks = self.looks
            self.dispatchers.append(Dispatcher(storage, senders=[sender]))

    async def run(self, *, meetings: int, seconds: float) -> None:
        """So many meetings, that begin within so many seconds; until everybody has been told everything."""
        await self.storage.put_org(ORG)
        await self.storage.put_app(APP)
        await self.storage.import_people([person(uid) for uid in (*UIDS, BOSS)])
        first = now() + BEFORE_MS
        begins = [first + int(seconds * 1000 * number / meetings) for number in range(meetings)]
        running = [asyncio.create_task(dispatcher.run()) for dispatcher in self.dispatchers]
        try:
            lives = (self._live(begin, calm=place % 4 == 0) for place, begin in enumerate(begins))
            await asyncio.gather(*lives)
            async with asyncio.timeout(30):
                while await self._anything_waits():
                    await asyncio.sleep(0.1)
        finally:
            for dispatcher in self.dispatchers:
                dispatcher.stop()
            await asyncio.gather(*running)

    async def _anything_waits(self) -> bool:
        due = [one for one in await self.storage.queues(now=now() + 60_000) if one.kind != "answered"]
        sending = await self.storage.deliveries(Wanted(state=DeliveryState.SENDING, limit=1))
        return bool(due or sending)

    @property
    def _node(self) -> Services:
        return self._random.choice(self._services)

    async def _live(self, begin_at: int, *, calm: bool) -> None:
        """A meeting; unless it is a calm one, a lot happens in the moment in which its reminder is due."""
        state = State(begin_at, "room 1", frozenset(self._random.sample(UIDS, 4)))
        command = commands.Create(requester_name="boss", detail=_detail(state))
        meeting_id = await meetings.create(self._node, caller(BOSS), command)
        life = Life(meeting_id, state, state, calm, set(state.listed), [(now(), 0)])
        self.lives.append(life)
        if not calm:
            await asyncio.gather(self._organize(life), *(self._attend(life) for _ in range(3)))

    async def _organize(self, life: Life) -> None:
        for _ in range(self._random.randint(1, 3)):
            await self._until_nearly(life.state.begin_at)
            change = self._random.choice((self._move, self._move, self._replace, self._relist, self._cancel))
            await change(life)
            life.known.append((now(), life.state.sequence))
            if life.state.cancelled:
                return

    async def _move(self, life: Life) -> None:
        begin_at = max(now(), life.state.begin_at) + self._random.randint(50, 1_000)
        await self._update(life, replace(life.state, begin_at=begin_at))

    async def _replace(self, life: Life) -> None:
        await self._update(life, replace(life.state, address=f"room {life.state.sequence + 2}"))

    async def _relist(self, life: Life) -> None:
        """One goes, and one comes who was never there before."""
        out = self._random.choice(sorted(life.state.listed))
        come = self._random.choice(sorted(set(UIDS) - life.were))
        life.were.add(come)
        await self._update(life, replace(life.state, listed=life.state.listed - {out} | {come}))
        life.leave.setdefault(out, now())

    async def _update(self, life: Life, after: State) -> None:
        life.state = replace(after, sequence=after.sequence + 1)
        await meetings.update(self._node, caller(BOSS), life.id, commands.Update(detail=_detail(after)))

    async def _cancel(self, life: Life) -> None:
        life.state = replace(life.state, sequence=life.state.sequence + 1, cancelled=True)
        await meetings.cancel(self._node, caller(BOSS), life.id, commands.Cancel())

    async def _attend(self, life: Life) -> None:
        """Somebody declines or turns their reminders off."""
        await self._until_nearly(life.state.begin_at)
        uid = self._random.choice([*sorted(life.state.listed), BOSS])
        with suppress(errors.NoSuchMeeting, errors.NotListed, errors.MeetingCancelled):
            if self._random.random() < 0.5:
                command = commands.Respond(msg_status=MsgStatus.DECLINED)
                await meetings.respond(self._node, caller(uid), life.id, command)
            else:
                await meetings.remind(self._node, caller(uid), life.id, commands.Remind(remind=False))
                life.leave.setdefault(uid, now())

    async def _until_nearly(self, moment: int) -> None:
        await asyncio.sleep(max(0, moment + self._random.randint(-NEAR_MS, NEAR_MS) - now()) / 1000)


class Outcome:
    """What came of it, from the database and the gateway; each check says what it found against it."""

    def __init__(self, cluster: Cluster) -> None:
        self.lives = {life.id: life for life in cluster.lives}
        self.looks = cluster.looks
        self.gateway = cluster.gateway
        self.history: dict[int, list[tuple[Any, ...]]] = {}
        self.messages: list[Row] = []
        self.deliveries: list[Delivery] = []

    @classmethod
    async def of(cls, cluster: Cluster, url: str) -> "Outcome":
        found = cls(cluster)
        lines = "SELECT meeting_id, xid, kind, actor_uid, change FROM history ORDER BY xid, id"
        for meeting_id, *line in await fetch(url, lines):
            found.history.setdefault(meeting_id, []).append(tuple(line))
        messages = "SELECT meeting_id, uid, kind, occasion, as_of, created_at FROM message"
        found.messages = [Row(*row) for row in await fetch(url, messages)]
        found.deliveries = await cluster.storage.deliveries(Wanted(limit=1_000_000))
        return found

    def faults(self) -> list[str]:
        checks = (self.blurred, self.untrue, self.outdated, self.repeated, self.unfinished, self.uneven)
        return [f"{check.__name__}: {fault}" for check in checks for fault in check()]

    def blurred(self) -> Iterator[str]:
        """Looks that did not show the one state that was committed in their moment."""
        for sight, _ in self.looks:
            meeting, me, state = sight.meeting, sight.me, self.state(sight)
            seen = (
                meeting.sequence,
                meeting.begin_at,
                meeting.address,
                meeting.push_status == PushStatus.CANCELLED,
            )
            mine = (me.listed, me.remind, me.msg_status == MsgStatus.DECLINED)
            uid = me.uid
            if seen != (state.sequence, state.begin_at, state.address, state.cancelled) or mine != (
                uid in state.listed,
                uid not in state.silenced,
                uid in state.declined,
            ):
                yield f"{meeting.id} {uid}: {seen} {mine}, not {state}"

    def untrue(self) -> Iterator[str]:
        """Texts that said what was not true any more when the sender looked."""
        for sight, found in self.looks:
            if found.state == DeliveryState.SENDING:
                state = self.state(sight)
                if not state.true(found.kind, found.uid, found.occasion) or found.as_of != state.sequence:
                    yield f"{found.meeting_id} {found.uid} {found.kind} {found.occasion}: {state}"

    def outdated(self) -> Iterator[str]:
        """What was told though somebody had been answered before that it is otherwise."""
        texts = [
            Row(one.meeting_id, one.uid, one.kind, one.occasion, one.as_of, one.sent_at)
            for one in self.deliveries
            if one.sent_at is not None
        ]
        for told in (*self.messages, *texts):
            life = self.lives[told.meeting_id]
            known = max((sequence for at, sequence in life.known if at < told.at), default=0)
            left = life.leave.get(told.uid)
            if told.as_of < known:
                yield f"{told} shows no {known}"
            if told.kind == Kind.REMINDER and left is not None and left < told.at:
                yield f"{told} to who had left by {left}"

    def repeated(self) -> Iterator[str]:
        """Anything told twice: a text or message of one notice, or one state in two texts."""
        taken = Counter(one.delivery_id for one in self.gateway.taken)
        notices = Counter(
            (channel, one.meeting_id, one.uid, one.kind, one.occasion)
            for channel, told in (("app", self.messages), ("sms", self.deliveries))
            for one in told
        )
        # Not of an invitation that the gateway sent back: an update may have gone out while it was under way.
        states = Counter(
            (one.meeting_id, one.uid, one.as_of)
            for one in self.deliveries
            if one.state == DeliveryState.SENT
            and (one.kind == Kind.UPDATED or (one.kind == Kind.INVITED and one.attempt == 1))
        )
        for counted in (taken, notices, states):
            yield from (str(what) for what, count in counted.items() if count > 1)

    def unfinished(self) -> Iterator[str]:
        """Deliveries that did not end, or of which the gateway knows otherwise."""
        taken = {one.delivery_id for one in self.gateway.taken}
        for one in self.deliveries:
            ended = one.state in (DeliveryState.SENT, DeliveryState.SKIPPED)
            if not ended or (one.state == DeliveryState.SENT) != (one.id in taken):
                yield f"{one.meeting_id} {one.uid} {one.kind}: {one.state} {one.reason}"

    def uneven(self) -> Iterator[str]:
        """Meetings to which nothing happened, and of which not everybody was told exactly what there was to tell."""
        for life in self.lives.values():
            if not life.calm:
                continue
            want: Counter[tuple[str, str]] = Counter((uid, Kind.INVITED) for uid in life.state.listed)
            want.update((uid, Kind.REMINDER) for uid in (*life.state.listed, BOSS))
            told = Counter((one.uid, one.kind) for one in self.messages if one.meeting_id == life.id)
            sent = Counter(
                (one.uid, one.kind)
                for one in self.deliveries
                if one.meeting_id == life.id and one.state == DeliveryState.SENT
            )
            if (told, sent) != (want, want):
                yield f"{life.id}: {told - want} {want - told} {sent - want} {want - sent}"

    def state(self, sight: Sight) -> State:
        """The meeting in the snapshot of a look: the changes that were committed in it, one after the other."""
        lowest, end, under_way = sight.locale.split(":")
        open_ones = set(filter(None, under_way.split(",")))
        state = self.lives[sight.meeting.id].first
        for xid, kind, uid, change in self.history[sight.meeting.id]:
            if xid < int(lowest) or (xid < int(end) and str(xid) not in open_ones):
                state = state.after(kind, uid, json.loads(change))
        return state


class Row(NamedTuple):
    """One thing that was told."""

    meeting_id: int
    uid: str
    kind: str
    occasion: str
    as_of: int
    at: int


def now() -> int:
    return time.time_ns() // 1_000_000


def _detail(state: State) -> commands.Detail:
    return commands.Detail(
        content="content",
        address=state.address,
        begin_at=state.begin_at,
        end_at=state.begin_at + HOUR,
        remind_min=0,
        remind_type=RemindType.SMS,
        create_time=None,
        invitees=tuple(commands.Invitee(uid, uid) for uid in sorted(state.listed)),
    )


@pytest.fixture
def _dated_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender sees the snapshot of its look where else a reader's locale stands."""
    locale = "coalesce(p.locale, '')"
    assert deliveries._SIGHTS.count(locale) == 1
    dated = deliveries._SIGHTS.replace(locale, "pg_current_snapshot()::text")
    monkeypatch.setattr(deliveries, "_SIGHTS", dated)


async def faults_after(url: str, *, meetings: int, seconds: float) -> list[str]:
    """What is wrong after so many meetings within so many seconds, on several nodes."""
    storages = [await open_postgres(url) for _ in range(NODES)]
    try:
        cluster = Cluster(storages)
        with capture_logs() as logs:
            await cluster.run(meetings=meetings, seconds=seconds)
        assert [line for line in logs if line["log_level"] in ("warning", "error")] == []
        outcome = await Outcome.of(cluster, url)
        kinds = Counter(one.kind for one in outcome.deliveries if one.state == DeliveryState.SENT)
        assert set(kinds) == set(Kind) - {Kind.NUDGED, Kind.ANSWERED}  # else there was not much of a race
        return outcome.faults()
    finally:
        for storage in storages:
            await storage.close()


@pytest.mark.usefixtures("_dated_looks")
async def test_nobody_is_told_twice_or_of_what_was_no_longer_true_when_the_sender_looked(
    postgres_url: str,
) -> None:
    assert await faults_after(postgres_url, meetings=200, seconds=10) == []


@pytest.mark.usefixtures("_dated_looks")
async def test_a_sender_that_did_not_look_again_would_tell_what_is_no_longer_true(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "untrue", lambda sight, *, now: None)
    faults = await faults_after(postgres_url, meetings=60, seconds=3)
    assert "untrue" in {fault.partition(":")[0] for fault in faults}
