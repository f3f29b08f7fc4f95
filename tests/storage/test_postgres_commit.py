"""Group commit: what shares a transaction, and that each Change fails alone."""

import asyncio
from collections.abc import Callable, Sequence

import asyncpg
import msgspec
import pytest
from structlog.testing import capture_logs

from huiyao import errors
from huiyao.rules import commands, organize
from huiyao.rules.change import Change
from huiyao.storage.contract import Committed, Verdict
from huiyao.storage.postgres import open_postgres
from huiyao.storage.postgres.commit import Queue
from tests.storage.node import APP, BOSS, NOW, ORG, Node, detail, held, open_nodes, until_blocked

pytestmark = pytest.mark.postgres


async def create(node: Node, *uids: str) -> Change:
    """A create that is decided and not yet committed."""
    return organize.create(
        commands.Create(requester_name="name of boss", detail=detail(*uids)),
        org_id=ORG.id,
        app_id=APP.id,
        uid=BOSS,
        ids=await node.services.ids.take(organize.IDS_NEEDED),
        now=NOW,
    )


async def commit_all(node: Node, changes: Sequence[Change]) -> list[Verdict | BaseException]:
    return await asyncio.gather(*(node.storage.commit(change) for change in changes), return_exceptions=True)


async def count(url: str, query: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        number: int = await connection.fetchval(query)
        return number
    finally:
        await connection.close()


async def test_changes_that_come_at_once_share_a_few_transactions(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        changes = [await create(node, "ann") for _ in range(200)]
        assert set(await commit_all(node, changes)) == {Committed()}
    assert await count(postgres_url, "SELECT count(*) FROM history") == 200
    assert await count(postgres_url, "SELECT count(DISTINCT xid) FROM history") <= 4


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda change: msgspec.structs.replace(change, org_id=99), id="an unknown organisation"),
        pytest.param(lambda change: with_content(change, "nul \0"), id="a NUL"),
        pytest.param(lambda change: with_content(change, "\ud800"), id="a lone surrogate"),
        pytest.param(lambda change: with_content(change, "x", size=2**70), id="a number too large"),
    ],
)
async def test_a_bad_change_fails_alone_and_its_texts_reach_no_log(
    postgres_url: str, fault: Callable[[Change], Change]
) -> None:
    async with open_nodes(postgres_url) as (node,):
        changes = [await create(node, "ann") for _ in range(20)]
        changes[7] = fault(changes[7])
        with capture_logs() as logs:
            results = await commit_all(node, changes)
        assert isinstance(results.pop(7), errors.SystemFailure)
        assert set(results) == {Committed()}
        assert [entry["meeting_id"] for entry in logs if entry["event"] == "change failed"] == [
            changes[7].meeting_id
        ]
        assert "ann" not in str(logs)
        assert "content" not in str(logs)
    assert await count(postgres_url, "SELECT count(*) FROM meeting") == 19


def with_content(change: Change, content: str, *, size: int = 2) -> Change:
    assert change.meeting
    meeting = msgspec.structs.replace(change.meeting, content=content, size=size)
    return msgspec.structs.replace(change, meeting=meeting)


async def test_what_waits_too_long_for_a_lock_fails_and_the_rest_of_its_batch_does_not(
    postgres_url: str,
) -> None:
    async with open_nodes(postgres_url) as (node,):
        locked = [await node.create("ann") for _ in range(4)]
        blocked = await cancels(node, locked)
        changes = blocked + [await create(node, "ann") for _ in range(10)]
        async with held(postgres_url, "SELECT FROM meeting FOR UPDATE"):
            results = await commit_all(node, changes)
        assert [type(result) for result in results] == [errors.SystemFailure] * 4 + [Committed] * 10
        assert set(await commit_all(node, blocked)) == {Committed()}


async def test_a_deadlock_repeats_the_batch_and_nobody_notices(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        meetings = sorted([await node.create("ann"), await node.create("ann")])
        lock = "SELECT FROM meeting WHERE id = {} FOR UPDATE"
        with capture_logs() as logs:
            async with held(postgres_url, lock.format(meetings[1])) as other:
                cancelling = asyncio.gather(
                    *(node.storage.commit(change) for change in await cancels(node, meetings))
                )
                await until_blocked(postgres_url)
                await other.execute(lock.format(meetings[0]), timeout=5)
                await other.execute("ROLLBACK")
                assert await cancelling == [Committed(), Committed()]
        assert [entry["event"] for entry in logs] == ["batch repeated"]


async def cancels(node: Node, meetings: Sequence[int]) -> list[Change]:
    found = []
    for meeting_id in meetings:
        before = await node.storage.meeting(ORG.id, meeting_id, BOSS)
        assert before
        ids = await node.services.ids.take(organize.IDS_NEEDED)
        change = organize.cancel(
            commands.Cancel(), before=before[0], app_id=APP.id, uid=BOSS, ids=ids, now=NOW
        )
        assert change
        found.append(change)
    return found


async def test_a_caller_who_goes_away_takes_nobody_along(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        locked = await node.create("ann")
        first, *_ = await cancels(node, [locked])
        changes = [first, *[await create(node, "ann") for _ in range(10)]]
        async with held(postgres_url, f"SELECT FROM meeting WHERE id = {locked} FOR UPDATE"):
            tasks = [asyncio.create_task(node.storage.commit(change)) for change in changes]
            await until_blocked(postgres_url)
            tasks[0].cancel()
            tasks[5].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(result == Committed() for result in results) == 9
        assert await node.storage.commit(await create(node, "ann")) == Committed()


async def test_a_change_whose_caller_has_gone_before_its_batch_is_not_begun(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        gone, stays = await create(node, "ann"), await create(node, "ann")
    queue = Queue(max_waiting=10)
    queue.put(gone).cancel()
    queue.put(stays)
    assert [one.change for one in await queue.take()] == [stays]


async def test_a_caller_who_goes_away_in_a_read_leaves_the_connections_usable(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        meeting_id = await node.create("ann")
        for _ in range(3):
            reads = [asyncio.create_task(node.storage.whole_meeting(ORG.id, meeting_id)) for _ in range(30)]
            await asyncio.sleep(0)
            for read in reads[::2]:
                read.cancel()
            await asyncio.gather(*reads, return_exceptions=True)
        found = await asyncio.gather(*(node.storage.whole_meeting(ORG.id, meeting_id) for _ in range(30)))
        assert None not in found


async def test_more_than_so_many_waiting_are_refused_at_once(postgres_url: str) -> None:
    storage = await open_postgres(postgres_url, max_waiting=10)
    try:
        async with open_nodes(postgres_url) as (node,):
            changes = [await create(node, "ann") for _ in range(50)]
            results = await asyncio.gather(
                *(storage.commit(change) for change in changes), return_exceptions=True
            )
        assert results.count(Committed()) == 10
        assert sum(isinstance(result, errors.Overloaded) for result in results) == 40
    finally:
        await storage.close()


async def test_closing_commits_what_was_accepted_and_takes_no_more(postgres_url: str) -> None:
    async with open_nodes(postgres_url, 2) as (node, other):
        changes = [await create(node, "ann") for _ in range(50)]
        committing = [asyncio.create_task(other.storage.commit(change)) for change in changes]
        await asyncio.sleep(0)
        await other.storage.close()
        assert [await one for one in committing] == [Committed()] * 50
        with pytest.raises(errors.SystemFailure):
            await other.storage.commit(changes[0])


async def test_ten_thousand_attendees_are_created_read_and_moved_in_time(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        uids = [f"p{number}" for number in range(10_000)]
        async with asyncio.timeout(10):
            meeting_id = await node.create(*uids)
            await node.respond(meeting_id, "p9999")
            await node.update(meeting_id, *uids, begin_at=NOW + 7_200_000)
            assert await node.expand_all(rows=2000) == 10_000
            whole = await node.storage.whole_meeting(ORG.id, meeting_id)
        assert whole
        assert [attendee.uid for attendee in whole[1]] == [BOSS, *uids]
        assert {attendee.msg_status for attendee in whole[1]} == {0}


async def test_parts_of_a_large_meeting_reach_everybody_once_whatever_the_letters(postgres_url: str) -> None:
    uids = ["a", "B", "c", "张三", "李四", "_x", "-y", "Z", "é", "e", "10", "9", "ß", "😀"]
    async with open_nodes(postgres_url) as (node,):
        await node.create(*uids)
        assert await node.expand_all(rows=3) == len(uids)
        for uid in uids:
            assert await node.kinds(uid) == ["invited"]
