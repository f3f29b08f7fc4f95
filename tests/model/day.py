"""A day of many meetings on a moved clock, on a real database and in the reference model at once.

Everything random comes from one seed. Each step of the clock is a wave: some meetings have something happen to them,
all at the same time; then the dispatcher and the sender do what is due, unless they are down.
"""

import asyncio
import json
import random
import zlib
from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from huiyao.model import MsgStatus, Org, Person
from huiyao.rules import announce, commands
from huiyao.service import meetings
from huiyao.service.caller import Caller, Clock, Services
from huiyao.storage.contract import Position, Storage
from tests.model import reference
from tests.model.phones import WAIT_SECONDS, Phones, sender_to

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
MIDNIGHT: Final = 1_799_942_400_000  # in China, as in the texts
STEPS: Final = (1_000, MINUTE, 4 * MINUTE, 10 * MINUTE, 20 * MINUTE)
ORGS: Final = 4
PEOPLE: Final = 40  # of each organisation
ADDRESSES: Final = ("301", "302", "大会议室")
LEADS: Final = (0, 5, 15, 60)  # remindMin
# From when to when, as shares of the day.
DISPATCHER_DOWN: Final = ((0.20, 0.30), (0.55, 0.62))
SENDER_DOWN: Final = ((0.40, 0.45),)
GATEWAY_DOWN: Final = ((0.75, 0.75 + 1 / 24),)
Work = Coroutine[Any, Any, object]
Told = Counter[tuple[str, int, str]]  # kind, begin and address, of messages or texts


class MovedClock(Clock):
    moment = MIDNIGHT

    def now(self) -> int:
        return self.moment


@dataclass(eq=False)
class Life:
    """One meeting: as it should be, and how to reach the one that is."""

    number: int
    org: Org
    boss: str
    want: reference.Meeting
    left: int  # how many things are still to happen to it
    id: int = 0
    begins: list[int] = field(default_factory=list)
    hasty: bool = False  # somebody went who may come back at once
    story: list[str] = field(default_factory=list)

    @property
    def content(self) -> str:
        return f"meeting {self.number}"

    @property
    def listed(self) -> list[str]:
        return [uid for uid, part in self.want.parts.items() if part.listed]


class Day:
    """`meetings` of them in so many hours, on a storage that nobody else uses."""

    def __init__(self, storage: Storage, *, meetings: int, hours: float = 24, seed: int = 1) -> None:
        self.storage = storage
        self.clock = MovedClock()
        self.length = int(hours * HOUR)
        self.random = random.Random(seed)
        self.services = Services(storage, self.clock)
        self.orgs = [Org(id=number, name=f"org {number}") for number in range(1, ORGS + 1)]
        self.people = [person for org in self.orgs for person in _people(org.id)]
        self.without_number = frozenset(one.uid for one in self.people if len(one.mobile) < 11)
        self.phones = Phones(
            {one.uid: one.mobile for one in self.people if one.uid not in self.without_number}
        )
        self.phones.answer = lambda text: self.answer(text.about, text.uid, text.kind, text.number)
        self.sender = sender_to(self.phones, storage, self.clock)
        self.births = sorted(self.random.random() * 0.85 * self.length for _ in range(meetings))
        self.lives: list[Life] = []
        self.busy: dict[int, list[Life]] = {}  # by the wave in which something happens to them
        self.wave = 0

    async def run(self) -> None:
        await self.begin()
        while not self.over:
            await self.step()

    async def begin(self) -> None:
        for org in self.orgs:
            await self.storage.put_org(org)
        await self.storage.import_people(self.people)

    async def step(self) -> None:
        """One wave."""
        self.wave += 1
        await asyncio.gather(*self.happenings())
        if not self.down(DISPATCHER_DOWN) and self.random.random() < 0.8:
            await self.dispatch()
        if not self.down(SENDER_DOWN) and self.random.random() < 0.5:
            await self.send()
        self.clock.moment += self.random.choice(STEPS)

    @property
    def over(self) -> bool:
        """Whether nothing happens any more, and nothing waits."""
        waiting = self.busy or any(life.want.jobs or life.want.texts for life in self.lives)
        return self.share >= 1 and not waiting

    @property
    def share(self) -> float:
        """Of the day that is over."""
        return (self.clock.moment - MIDNIGHT) / self.length

    def down(self, times: tuple[tuple[float, float], ...]) -> bool:
        return any(begin <= self.share < end for begin, end in times)

    async def dispatch(self) -> None:
        now = self.clock.moment
        for life in self.lives:
            if life.want.jobs:
                life.want.run(now=now)
        rows = self.random.choice((30, 2000, 2000))
        more = True
        while more:
            done = await self.storage.expand(
                now=now,
                rows=rows,
                decide=lambda task, meeting, answers, count: announce.notices(
                    task, meeting, answers, count, now=now
                ),
                missed=lambda task, meeting: announce.missed(task, meeting, now=now),
            )
            more = done.more

    async def send(self) -> None:
        for life in self.lives:
            if life.want.texts:
                life.want.send(partial(self.answer, life.content), now=self.clock.moment)
        await self.sender.send_all()

    def answer(self, about: str, uid: str, kind: str, number: int) -> tuple[str, int]:
        """What the gateway says to a request, whoever asks."""
        if self.down(GATEWAY_DOWN):
            left = MIDNIGHT + int(GATEWAY_DOWN[0][1] * self.length) - self.clock.moment
            return "busy", max(60, -(-left // 1000)) * 1000
        luck = zlib.crc32(f"{about}{uid}{kind}{self.clock.moment}".encode()) % 100
        if number > 2 or luck >= 25:
            return "takes", 0
        return ("busy", (1 + luck % 6) * 10 * MINUTE) if luck < 18 else ("silent", WAIT_SECONDS * 1000)

    def happenings(self) -> Iterator[Work]:
        """What happens in this wave: at most one thing to each meeting, in the model already."""
        born = [at for at in self.births if at <= self.clock.moment - MIDNIGHT]
        self.births = self.births[len(born) :]
        for _ in born:
            yield self.create()
        for life in self.busy.pop(self.wave, []):
            yield from self.happen(life)

    def plan(self, life: Life) -> None:
        """When the next thing happens to it."""
        if life.left:
            life.left -= 1
            wave = self.wave + (1 if life.hasty else self.random.choice((1, 1, 1, 1, 2, 2, 3, 5, 8)))
            self.busy.setdefault(wave, []).append(life)

    def happen(self, life: Life) -> Iterator[Work]:
        kinds = ("update", "respond", "remind", "read", "nudge", "delete", "cancel")
        (kind,) = self.random.choices(kinds, (40, 22, 14, 5, 12, 2, 5))
        yield from getattr(self, "update" if life.hasty else kind)(life)
        self.plan(life)

    def tell(self, life: Life, what: str) -> None:
        life.story.append(f"{_clock(self.clock.moment)} wave {self.wave}: {what}")

    # What can happen. Each does it to the model at once, and gives the call that does it to the database.

    def create(self) -> Work:
        chance, now = self.random.random, self.clock.moment
        org = self.random.choice(self.orgs)
        boss, *others = self.random.sample(_uids(org.id), self.random.randint(2, 7))
        if chance() < 0.3:
            others.insert(self.random.randrange(len(others)), boss)
        begin = self.some_begin()
        want = reference.Meeting(
            boss,
            begin,
            begin + self.some_length(),
            self.random.choice(ADDRESSES),
            self.some_lead(begin),
            texting=chance() < 0.8,
            without_number=self.without_number,
        )
        life = Life(len(self.lives), org, boss, want, left=self.random.randint(1, 10), begins=[begin])
        silent = chance() < 0.1
        want.create(others, silent=silent, now=now)
        self.lives.append(life)
        self.plan(life)
        self.tell(life, f"created by {boss}, {_detail(life)}, {silent=}")
        command = commands.Create(requester_name=boss, detail=self.detail(life, others), silent=silent)

        async def call() -> None:
            life.id = await meetings.create(self.services, self.caller(life, boss), command)

        return call()

    def update(self, life: Life) -> Iterator[Work]:
        chance, want = self.random.random, life.want
        if want.cancelled:
            return
        begin, end = want.begin, want.end
        if chance() < 0.35:
            begin = self.random.choice(life.begins) if chance() < 0.3 else self.some_begin()
            end = begin + want.end - want.begin
            life.begins.append(begin)
        elif chance() < 0.1:
            end = begin + self.some_length()
        invited = self.some_list(life)
        silent = chance() < (0.4 if life.hasty else 0.1)
        life.hasty = not life.hasty and any(uid not in invited for uid in life.listed) and chance() < 0.5
        want.update(
            invited,
            begin=begin,
            end=end,
            address=self.random.choice(ADDRESSES) if chance() < 0.4 else want.address,
            remind_min=self.some_lead(begin) if chance() < 0.2 else want.remind_min,
            texting=want.texting != (chance() < 0.12),
            silent=silent,
            now=self.clock.moment,
        )
        self.tell(life, f"updated, {_detail(life)}, {silent=}")
        command = commands.Update(detail=self.detail(life, invited), silent=silent)
        yield meetings.update(self.services, self.caller(life, life.boss), life.id, command)

    def cancel(self, life: Life) -> Iterator[Work]:
        life.want.cancel(now=self.clock.moment)
        self.tell(life, "cancelled")
        yield meetings.cancel(self.services, self.caller(life, life.boss), life.id, commands.Cancel())

    def respond(self, life: Life) -> Iterator[Work]:
        if life.want.cancelled or life.want.end < self.clock.moment:
            return
        for uid in self.random.sample(life.listed, min(len(life.listed), self.random.randint(1, 3))):
            status = self.random.choice((MsgStatus.ACCEPTED, MsgStatus.DECLINED))
            life.want.respond(uid, status, now=self.clock.moment)
            self.tell(life, f"{uid} answered {status.name}")
            command = commands.Respond(msg_status=status)
            yield meetings.respond(self.services, self.caller(life, uid), life.id, command)

    def remind(self, life: Life) -> Iterator[Work]:
        uid = self.random.choice([*life.listed, life.boss])
        part = life.want.parts[uid]
        part.remind = not part.remind
        self.tell(life, f"{uid} turned reminders {'on' if part.remind else 'off'}")
        command = commands.Remind(remind=part.remind)
        yield meetings.remind(self.services, self.caller(life, uid), life.id, command)

    def read(self, life: Life) -> Iterator[Work]:
        if life.listed:
            uid = self.random.choice(life.listed)
            part = life.want.parts[uid]
            part.status = max(part.status, 1)
            self.tell(life, f"{uid} read it")
            yield meetings.read(self.services, self.caller(life, uid), life.id)

    def nudge(self, life: Life) -> Iterator[Work]:
        want, now = life.want, self.clock.moment
        lately = want.nudged_at is not None and now - want.nudged_at < 5 * MINUTE
        if not (want.cancelled or want.end < now or lately):
            want.nudge(now=now)
            self.tell(life, "nudged")
            yield meetings.nudge(self.services, self.caller(life, life.boss), life.id)

    def delete(self, life: Life) -> Iterator[Work]:
        """Changes nothing of what a person is told."""
        uid = self.random.choice([*life.listed, life.boss])
        self.tell(life, f"{uid} removed the card")
        yield meetings.delete(self.services, self.caller(life, uid), life.id)

    def some_begin(self) -> int:
        """A full minute; mostly soon."""
        earliest, latest = self.random.choice(
            ((-30, -1), (1, 12), (1, 12), (12, 60), (12, 60), (60, 180), (60, 180))
        )
        return (self.clock.moment // MINUTE + self.random.randint(earliest, latest)) * MINUTE

    def some_lead(self, begin: int) -> int:
        """remindMin; half of the time such that the reminder is due soon."""
        left = (begin - self.clock.moment) // MINUTE
        return self.random.choice((*LEADS, *(max(0, left - soon) for soon in (1, 2, 3, 5))))

    def some_length(self) -> int:
        return self.random.choice((1, 10, 30, 60)) * MINUTE

    def some_list(self, life: Life) -> list[str]:
        """The list as it is, or others on it, or in another order."""
        chance, invited = self.random.random, life.listed
        parts = life.want.parts.items()
        gone = [uid for uid, part in parts if not (part.listed or part.organizer)]
        if chance() < 0.3 and len(invited) > 1:
            waiting = [text.uid for text in life.want.texts if text.uid in invited]
            invited.remove(self.random.choice(waiting or invited))
        new = ""
        if gone and chance() < 0.6:
            new = self.random.choice(gone)
        elif chance() < 0.25:
            new = self.random.choice(_uids(life.org.id))
        if new and new not in invited:
            invited.insert(self.random.randint(0, len(invited)), new)
        if chance() < 0.05:
            self.random.shuffle(invited)
        return invited

    def detail(self, life: Life, invited: list[str]) -> commands.Detail:
        want = life.want
        return commands.Detail(
            content=life.content,
            address=want.address,
            begin_at=want.begin,
            end_at=want.end,
            remind_min=want.remind_min,
            remind_type=int(want.texting),
            create_time=MIDNIGHT,
            invitees=tuple(commands.Invitee(uid, uid) for uid in invited),
        )

    def caller(self, life: Life, uid: str) -> Caller:
        return Caller(1, life.org, uid)

    # What came of it.

    async def inboxes(self) -> dict[tuple[int, int], dict[str, Told]]:
        """What everybody has been told in the app, by organisation and meeting."""
        found: dict[tuple[int, int], dict[str, Told]] = {}
        for person in self.people:
            end = Position(0, 0)
            while True:
                page = await self.storage.inbox(person.org_id, person.uid, after=end, size=1000)
                if not page.messages:
                    break
                end = page.end
                for message in page.messages:
                    params = json.loads(message.params)
                    told = found.setdefault((person.org_id, message.meeting_id), {})
                    what = (message.kind, params["begin_at"], params["address"])
                    told.setdefault(person.uid, Counter())[what] += 1
        return found

    async def mistakes(self) -> list[str]:
        """Of each meeting of which anybody was told anything else than the model says: its story, and what is wrong."""
        inboxes = await self.inboxes()
        texts: dict[str, dict[str, Told]] = {}
        for (uid, about), told in self.phones.came.items():
            texts.setdefault(about, {})[uid] = told
        found = []
        for life in self.lives:
            wrong = [
                *_differences("message", life.want.inboxes, inboxes.get((life.org.id, life.id), {})),
                *_differences("text", life.want.phones, texts.get(life.content, {})),
            ]
            if wrong:
                found.append("\n".join([f"meeting {life.number}:", *life.story, *wrong]))
        return found


def _people(org_id: int) -> list[Person]:
    """Most of them with a number; some with none, or one that is none."""
    people = []
    for place, uid in enumerate(_uids(org_id)):
        mobile = {0: "", 1: "12345"}.get(place % 12, f"+86138{org_id:04}{place:04}")
        people.append(Person(org_id=org_id, uid=uid, name=uid, mobile=mobile))
    return people


def _uids(org_id: int) -> list[str]:
    return [f"o{org_id}p{place:02}" for place in range(PEOPLE)]


def _differences(what: str, want: dict[str, Told], found: dict[str, Told]) -> Iterator[str]:
    for uid in sorted(want.keys() | found.keys()):
        expected, came = want.get(uid, Counter()), found.get(uid, Counter())
        for sort, amounts in (("missing", expected - came), ("too many", came - expected)):
            for (kind, begin, address), count in amounts.items():
                yield f"  {uid}: {count} {what}(s) {sort}: {kind} {_clock(begin)} {address}"


def _detail(life: Life) -> str:
    want = life.want
    return (
        f"{_clock(want.begin)}-{_clock(want.end)} in {want.address} for {','.join(life.listed)},"
        f" remindMin {want.remind_min}, remindType {int(want.texting)}"
    )


def _clock(moment: int) -> str:
    """Of the day."""
    minutes, seconds = divmod((moment - MIDNIGHT) // 1000, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
