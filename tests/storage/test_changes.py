"""The feed of changes on PostgreSQL, while many transactions commit at once and some of them late."""

import asyncio
import contextlib
import json
import random
from typing import Any

import asyncpg
import msgspec
import pytest

from huiyao import errors
from huiyao.model import MsgStatus
from huiyao.rules import commands, organize
from huiyao.rules.change import Change
from huiyao.service import meetings
from huiyao.storage.contract import START, Committed, Conflict, Verdict
from huiyao.storage.postgres import history, inbox, write
from tests.storage.node import APP, BOSS, HOUR, NOW, ORG, Node, caller, detail, held, open_nodes, until
from tests.storage.rows import fetch

pytestmark = pytest.mark.postgres

PEOPLE = [f"p{number}" for number in range(6)]
START_OF_A_MEMBERSHIP: dict[str, Any] = {
    "msg_status": 0,
    "reply": "",
    "read_at": None,
    "answered_at": None,
    "card_removed_at": None,
}


async def seen_by_a_reader_while_a_commit_is_late(url: str) -> list[str]:
    """What one who reads on from the cursor sees where the first of two entries is committed last."""
    async with open_nodes(url) as (node,):
        meeting_id = await node.create("ann")
        end = (await node.storage.changes(ORG.id, after=None, size=10)).end
        late = (
            "INSERT INTO history (org_id, id, xid, meeting_id, at, app_id, actor_uid, kind, change) VALUES"
            f" ({ORG.id}, 1, pg_current_xact_id()::text::bigint, {meeting_id}, {NOW}, 7, 'late', 'read', '{{}}')"
        )
        async with held(url, late) as other:
            await node.respond(meeting_id, "ann")
            page = await node.storage.changes(ORG.id, after=end, size=10)
            seen = [one.actor_uid for one in page.changes]
            await other.execute("COMMIT")
        page = await node.storage.changes(ORG.id, after=page.end, size=10)
        return seen + [one.actor_uid for one in page.changes]


async def test_a_cursor_never_steps_over_an_entry_that_is_committed_late(postgres_url: str) -> None:
    assert await seen_by_a_reader_while_a_commit_is_late(postgres_url) == ["late", "ann"]


async def test_a_reader_of_all_that_is_committed_would_step_over_it(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_CHANGES", history._CHANGES.replace(inbox.SETTLED, "true"))
    assert await seen_by_a_reader_while_a_commit_is_late(postgres_url) == ["ann"]


async def moved_by_a_transaction_that_began_before_an_answer(url: str) -> tuple[Verdict, list[str]]:
    """An update's verdict, whose transaction has its number before an answer's and its lock behind it."""
    async with open_nodes(url) as (node,):
        meeting_id = await node.create("ann")
        connection = await asyncpg.connect(url)
        try:
            await connection.execute("BEGIN")
            await connection.execute("SELECT pg_current_xact_id()")
            change = await decided(node, meeting_id)
            await node.respond(meeting_id, "ann")
            (verdict,), _ = await write.write_organizers(connection, [change])
            await connection.execute("COMMIT")
        finally:
            await connection.close()
        page = await node.storage.changes(ORG.id, after=None, size=10)
        return verdict, [one.kind for one in page.changes]


async def decided(node: Node, meeting_id: int) -> Change:
    """A move to another time, not yet written."""
    whole = await node.storage.whole_meeting(ORG.id, meeting_id)
    assert whole
    change = organize.update(
        commands.Update(detail=detail("ann", begin_at=NOW + 30 * HOUR)),
        before=whole[0],
        attendees=whole[1],
        app_id=APP.id,
        uid=BOSS,
        ids=iter(await node.storage.reserve_ids(4)),
        now=NOW,
    )
    assert change
    return change


async def test_an_update_that_would_stand_before_an_answer_it_resets_starts_over(postgres_url: str) -> None:
    assert await moved_by_a_transaction_that_began_before_an_answer(postgres_url) == (
        Conflict(),
        ["created", "responded"],
    )


async def test_without_looking_the_feed_would_show_the_answer_behind_its_reset(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = write._OVERTAKEN.replace("WHERE EXISTS", "WHERE false AND EXISTS")
    monkeypatch.setattr(write, "_OVERTAKEN", blind)
    assert await moved_by_a_transaction_that_began_before_an_answer(postgres_url) == (
        Committed(),
        ["created", "updated", "responded"],
    )


class Replay:
    """One meeting as the entries of a reader make it; each must find what those before it left."""

    def __init__(self) -> None:
        self.begin_at = 0
        self.listed: set[str] = set()
        self.people: dict[str, dict[str, Any]] = {}

    def apply(self, kind: str, uid: str, change: dict[str, Any]) -> None:
        if kind == "created":
            self._add(PEOPLE)
        elif kind == "updated":
            old, new = change.get("begin_at", [self.begin_at] * 2)
            assert self.begin_at in (0, old)
            self.listed -= set(change.get("removed", ()))
            if old != new:
                self.begin_at = new
                for one in self.listed:
                    self.people[one] |= START_OF_A_MEMBERSHIP
            self._add(change.get("added", ()))
        else:
            mine = self.people[uid]
            assert {field: old for field, (old, _) in change.items()} == {
                field: mine[field] for field in change
            }
            mine |= {field: new for field, (_, new) in change.items()}

    def _add(self, uids: Any) -> None:
        self.listed |= set(uids)
        for uid in uids:
            self.people[uid] = START_OF_A_MEMBERSHIP | {"remind": True}


async def act(node: Node, meeting_id: int, dice: random.Random) -> None:
    """One change of any kind by somebody, as far as it is allowed just then."""
    uid = dice.choice(PEOPLE)
    who = caller(uid)
    with contextlib.suppress(errors.NoSuchMeeting, errors.SystemFailure):
        match dice.randrange(8):
            case 0:
                await node.update(
                    meeting_id,
                    *dice.sample(PEOPLE, dice.randrange(4, 7)),
                    begin_at=NOW + dice.randrange(24, 48) * HOUR,
                )
            case 1:
                await meetings.delete(node.services, who, meeting_id)
            case 2:
                await node.remind(meeting_id, uid, wanted=dice.random() < 0.5)
            case 3:
                await meetings.read(node.services, who, meeting_id)
            case _:
                answer = MsgStatus(dice.choice((2, 3)))
                command = commands.Respond(msg_status=answer, reply=str(dice.random()))
                await meetings.respond(node.services, who, meeting_id, command)


@pytest.mark.parametrize("seed", range(2))
async def test_a_reader_misses_nothing_and_each_meetings_entries_follow_from_each_other(
    postgres_url: str, seed: int
) -> None:
    """Forty writers on two nodes, a reader on a third, and transactions that stay open for a while."""
    dice = random.Random(seed)
    read: list[int] = []
    end = START
    done = asyncio.Event()
    async with open_nodes(postgres_url, 3) as (one, two, reading):
        made = [await one.create(*PEOPLE) for _ in range(5)]

        async def follow() -> None:
            nonlocal end
            page = await reading.storage.changes(ORG.id, after=end, size=7)
            read.extend(change.id for change in page.changes)
            end = page.end

        async def read_on() -> None:
            while not done.is_set():
                await follow()
                await asyncio.sleep(dice.random() / 100)

        async def write_on(node: Node) -> None:
            for _ in range(25):
                await act(node, dice.choice(made), dice)

        async def delay() -> None:
            while not done.is_set():
                async with held(postgres_url, "SELECT pg_current_xact_id()"):
                    await asyncio.sleep(dice.random() / 10)

        others = [asyncio.create_task(read_on()), *(asyncio.create_task(delay()) for _ in range(2))]
        await asyncio.gather(*(write_on(node) for node in (one, two) * 20))
        done.set()
        await asyncio.gather(*others)
        found = await fetch(postgres_url, "SELECT id, meeting_id, kind, actor_uid, change FROM history")
        entries = {row[0]: row[1:] for row in found}

        async def all_read() -> bool:
            await follow()
            return len(read) >= len(entries)

        await until(all_read)
        assert len(read) > 200
        assert sorted(read) == sorted(entries)
        replays = {meeting_id: Replay() for meeting_id in made}
        for entry_id in read:
            meeting_id, kind, uid, change = entries[entry_id]
            replays[meeting_id].apply(kind, uid, json.loads(change))
        for meeting_id, replay in replays.items():
            whole = await one.storage.whole_meeting(ORG.id, meeting_id)
            assert whole
            listed = {row.uid: msgspec.structs.asdict(row) for row in whole[1] if row.listed}
            assert listed.keys() == replay.listed
            for uid, row in listed.items():
                assert {field: row[field] for field in replay.people[uid]} == replay.people[uid]
