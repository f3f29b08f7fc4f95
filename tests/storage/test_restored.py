"""After a restore nothing that was given after the backup is given again, and feeds show what is there, in order."""

import pytest

from huiyao.storage.contract import IDS_AHEAD
from huiyao.storage.opening import open_storage
from huiyao.storage.postgres import xids
from tests.storage.node import ORG, open_nodes
from tests.storage.rows import execute, fetch


def unseen(done: int, whole: int) -> None:
    """Nobody looks at how far it is."""


async def test_ids_go_on_far_above_each_time(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xids, "AHEAD", 1000)
    storage = await open_storage(url)
    try:
        for _ in range(2):
            before = (await storage.reserve_ids(1))[0]
            await storage.restored(progress=unseen)
            assert (await storage.reserve_ids(1))[0] > before + IDS_AHEAD
    finally:
        await storage.close()


async def test_what_was_committed_before_stands_before_what_is_new(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xids, "AHEAD", 1000)
    storage = await open_storage(url)
    try:
        before = await storage.horizon()
        await storage.restored(progress=unseen)
        assert await storage.horizon() >= before + min(xids.AHEAD, IDS_AHEAD)
    finally:
        await storage.close()


@pytest.mark.postgres
async def test_events_of_postgresql_have_numbers_of_their_own_that_go_on_too(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xids, "AHEAD", 0)
    ((before,),) = await fetch(postgres_url, "SELECT nextval('huiyao_event')")
    async with open_nodes(postgres_url) as (node,):
        await node.storage.restored(progress=unseen)
    assert (await fetch(postgres_url, "SELECT nextval('huiyao_event')"))[0][0] > before + IDS_AHEAD


@pytest.mark.postgres
async def test_in_another_cluster_all_is_there_and_what_is_new_stands_behind(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xids, "AHEAD", 1000)
    told: list[tuple[int, int]] = []
    async with open_nodes(postgres_url) as (node,):
        old = [await node.create("ann") for _ in range(3)]
        await node.expand_all()
        for table in ("history", "message"):
            await execute(postgres_url, f"UPDATE {table} SET xid = xid + 30000")
        assert (await node.storage.changes(ORG.id, after=None, size=10)).changes == ()
        await node.storage.restored(progress=lambda done, whole: told.append((done, whole)))
        new = await node.create("ann")
        await node.expand_all()
        page = await node.storage.changes(ORG.id, after=None, size=10)
        assert [one.meeting_id for one in page.changes] == [*old, new]
        assert sorted(one.meeting_id for one in (await node.inbox("ann"))[:3]) == old
        assert [one.meeting_id for one in (await node.inbox("ann"))[3:]] == [new]
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert len({whole for _, whole in told}) == 1
    assert told[-1][0] == told[-1][1] > 30_000
