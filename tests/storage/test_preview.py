"""What the preview says of an update or a cancellation is what then stands in inboxes and among the texts to send."""

import asyncio
import functools
from collections import defaultdict
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huiyao.model import MsgStatus, Org
from huiyao.rules import announce, commands, organize, preview
from huiyao.service import meetings
from huiyao.service.caller import Caller, Services
from huiyao.storage import migrate
from huiyao.storage.contract import Storage, Wanted
from huiyao.storage.opening import open_storage
from tests.storage.node import HOUR, MINUTE, NOW, StoppedClock
from tests.storage.rows import fetch

T = TypeVar("T")
PEOPLE = ("ann", "bob", "cat", "dan", "eve", "boss")
LEADS = (60, 61, 600, -20, -120)  # minutes from now to a meeting, which lasts 30
Telling = dict[str, set[str]]


class Asked(msgspec.Struct, frozen=True):
    """One detail the organizer gives."""

    people: tuple[str, ...]
    lead: int
    address: str
    content: str
    remind_min: int
    remind_type: int
    silent: bool


class Life(msgspec.Struct, frozen=True):
    """A meeting until the Change in question, and that Change; None: it is cancelled."""

    created: Asked
    pending: bool  # the dispatcher has not looked yet
    steps: tuple[Asked | tuple[str, int], ...]  # updates and answers, each dispatched
    last: Asked | None


lists = st.lists(st.sampled_from(PEOPLE), min_size=1, unique=True).map(tuple)
asked = st.builds(
    Asked,
    people=lists,
    lead=st.sampled_from(LEADS),
    address=st.sampled_from(["room", "hall"]),
    content=st.sampled_from(["budget", "budget\nand more"]),
    remind_min=st.sampled_from([5, 15]),
    remind_type=st.sampled_from([0, 1, 1]),
    silent=st.sampled_from([False, False, False, True]),
)
answers = st.tuples(st.sampled_from(PEOPLE), st.sampled_from([2, 3, 3]))
answered = st.lists(answers, max_size=4).map(tuple)


@st.composite
def small_changes(draw: st.DrawFn, of: Asked) -> Asked:
    """Like what there is, but for a thing or two: what an organizer does most."""
    other = draw(asked)
    fields = draw(st.sets(st.sampled_from(Asked.__struct_fields__), max_size=3))
    changes = {field: getattr(other, field) for field in fields}
    return msgspec.structs.replace(of, **({"silent": False} | changes))


@st.composite
def lives(draw: st.DrawFn) -> Life:
    created = draw(asked)
    pending = draw(st.sampled_from([False, False, False, True]))
    newest, steps = created, list[Asked | tuple[str, int]]()
    if not pending:
        steps += draw(answered)
        for _ in range(draw(st.integers(0, 2))):
            newest = draw(small_changes(newest))
            steps += [newest, *draw(answered)]
    last = draw(st.one_of(st.none(), small_changes(newest), small_changes(newest), asked))
    return Life(created, pending, tuple(steps), last)


class World:
    """One database for all lives; each is an organisation of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.runner = asyncio.Runner()
        migrate.upgrade(url)
        self.storage: Storage = self.run(open_storage(url))
        self.clock = StoppedClock()
        self.services = Services(self.storage, self.clock)
        self.orgs = 0

    def run(self, what: Awaitable[T]) -> T:
        async def wait() -> T:
            return await what

        return self.runner.run(wait())

    async def live(self, life: Life) -> tuple[Telling, Telling, Telling, Telling]:
        """Messages and texts by kind: as the preview says, and as they were then written."""
        self.orgs += 1
        org = Org(id=self.orgs, name="org")
        await self.storage.put_org(org)
        boss = Caller(7, org, "boss")
        create = commands.Create(
            requester_name="boss", detail=detail(life.created), silent=life.created.silent
        )
        meeting_id = await meetings.create(self.services, boss, create)
        if not life.pending:
            await self.dispatch()
        for step in life.steps:
            if isinstance(step, Asked):
                update = commands.Update(detail=detail(step), silent=step.silent)
                await meetings.update(self.services, boss, meeting_id, update)
            else:
                await self.respond(org, meeting_id, *step)
            await self.dispatch()
        whole = await self.storage.whole_meeting(org.id, meeting_id)
        assert whole
        before, rows = whole
        ids, now = iter(range(1, 5)), self.clock.now()
        if life.last is None:
            change = organize.cancel(commands.Cancel(), before=before, app_id=7, uid="boss", ids=ids, now=now)
        else:
            change = organize.update(
                commands.Update(detail=detail(life.last), silent=life.last.silent),
                before=before,
                attendees=rows,
                app_id=7,
                uid="boss",
                ids=ids,
                now=now,
            )
        said = preview.preview(change, rows, now=now).told if change else ()
        assert [one.kind for one in said] == list(dict.fromkeys(one.kind for one in said))
        had, had_texts = await self.written(org.id)
        if life.last is None:
            await meetings.cancel(self.services, boss, meeting_id, commands.Cancel())
        else:
            update = commands.Update(detail=detail(life.last), silent=life.last.silent)
            await meetings.update(self.services, boss, meeting_id, update)
        if change:
            await self.dispatch()
        have, have_texts = await self.written(org.id)
        if change:
            after = await self.storage.whole_meeting(org.id, meeting_id)
            assert after
            assert sorted(preview.after_change(change, rows), key=str) == sorted(after[1], key=str)
        return (
            {one.kind: {row.uid for row in one.people} for one in said},
            _by_kind(have - had),
            {one.kind: set(one.texted) for one in said if one.texted},
            _by_kind(have_texts - had_texts),
        )

    async def respond(self, org: Org, meeting_id: int, uid: str, status: int) -> None:
        found = await self.storage.meeting(org.id, meeting_id, uid)
        if found is None or not found[1].listed or found[0].end_at < self.clock.now():
            return
        command = commands.Respond(msg_status=MsgStatus(status))
        await meetings.respond(self.services, Caller(7, org, uid), meeting_id, command)

    async def dispatch(self) -> None:
        now = self.clock.now()
        decide = functools.partial(announce.notices, now=now)
        missed = functools.partial(announce.missed, now=now)
        while (await self.storage.expand(now=now, rows=2000, decide=decide, missed=missed)).more:
            pass

    async def written(self, org_id: int) -> tuple[set[tuple[str, str, str]], set[tuple[str, str, str]]]:
        """Kind, whose and which one, of messages and of texts; no answers' reports, which have another cause."""
        messages = await fetch(
            self.url,
            f"SELECT kind, uid, occasion FROM message WHERE org_id = {org_id} AND kind <> 'answered'",
        )
        texts = await self.storage.deliveries(Wanted(org_id=org_id, limit=1000))
        return (
            {(kind, uid, occasion) for kind, uid, occasion in messages},
            {(one.kind, one.uid, one.occasion) for one in texts},
        )


def detail(asked: Asked) -> commands.Detail:
    begin_at = NOW + asked.lead * MINUTE
    return commands.Detail(
        content=asked.content,
        address=asked.address,
        begin_at=begin_at,
        end_at=begin_at + HOUR // 2,
        remind_min=asked.remind_min,
        remind_type=asked.remind_type,
        create_time=None,
        invitees=tuple(commands.Invitee(uid, f"name of {uid}") for uid in asked.people),
    )


def _by_kind(found: set[tuple[str, str, str]]) -> Telling:
    telling: Telling = defaultdict(set)
    for kind, uid, _ in found:
        telling[kind].add(uid)
    return dict(telling)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(f"sqlite:///{tmp_path}/preview.db")
    yield made
    made.run(made.storage.close())
    made.runner.close()


def test_the_preview_names_exactly_those_who_are_then_told_and_how(world: World) -> None:
    seen: dict[str, int] = defaultdict(int)

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(life=lives())
    def holds(life: Life) -> None:
        said, told, said_texts, texted = world.run(world.live(life))
        assert said == told
        assert said_texts == texted
        for kind in told:
            seen[kind] += 1
        seen["text"] += bool(texted)

    holds()
    # It would prove little if some kind hardly ever came.
    assert all(seen[kind] > 10 for kind in ("invited", "updated", "removed", "cancelled", "text")), seen
