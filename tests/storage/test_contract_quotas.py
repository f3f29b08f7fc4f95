"""Blocks of daily quotas, and what apps may do: both databases keep them alike."""

import asyncio

import msgspec

from huiyao.model import App
from huiyao.storage.contract import Leased
from tests.storage.node import APP, Node
from tests.storage.rows import fetch

DAY = 20_000


async def test_blocks_are_granted_until_the_quota_is_used_up(node: Node) -> None:
    lease = node.storage.lease_quota
    assert await lease(APP.id, day=DAY, want=4, quota=10) == Leased(4, 4)
    assert await lease(APP.id, day=DAY, want=4, quota=10) == Leased(4, 8)
    assert await lease(APP.id, day=DAY, want=4, quota=10) == Leased(2, 10)
    assert await lease(APP.id, day=DAY, want=4, quota=10) == Leased(0, 10)
    assert await lease(APP.id, day=DAY + 1, want=40, quota=10) == Leased(10, 10)


async def test_a_quota_may_be_changed_while_the_day_goes_on(node: Node) -> None:
    lease = node.storage.lease_quota
    assert await lease(APP.id, day=DAY, want=10, quota=10) == Leased(10, 10)
    assert await lease(APP.id, day=DAY, want=10, quota=5) == Leased(0, 10)
    assert await lease(APP.id, day=DAY, want=10, quota=12) == Leased(2, 12)


async def test_however_many_ask_at_once_never_more_than_the_quota_is_granted(node: Node) -> None:
    lease = node.storage.lease_quota
    blocks = await asyncio.gather(*(lease(APP.id, day=DAY, want=7, quota=100) for _ in range(40)))
    assert sum(one.granted for one in blocks) == 100
    assert max(one.taken for one in blocks) == 100


async def test_days_long_past_are_forgotten(node: Node, url: str) -> None:
    for day in (DAY, DAY + 1, DAY + 31):
        await node.storage.lease_quota(APP.id, day=day, want=1, quota=9)
    assert await fetch(url, "SELECT day FROM quota ORDER BY day") == [(DAY + 1,), (DAY + 31,)]


async def test_what_an_app_may_do_is_kept_and_replaced(node: Node) -> None:
    app = App(
        id=APP.id,
        name="limited",
        secret=APP.secret,
        ip_list=("203.0.113.0/24", "2001:db8::/32"),
        api_list=frozenset({"create", "detail"}),
        rate=50,
        quota=10**12,
    )
    await node.storage.put_app(app)
    assert await node.storage.app(APP.id) == app
    free = msgspec.structs.replace(app, ip_list=(), api_list=frozenset(), rate=0, quota=0)
    await node.storage.put_app(free)
    assert await node.storage.apps() == [free]
