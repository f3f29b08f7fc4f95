"""The contract of expand, on both databases: a task that cannot be told is put off and holds up no other."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from huiyao.model import Kind, Meeting, RemindType, Task
from huiyao.rules import announce, timing
from huiyao.rules.announce import Answer, Audience, Notice
from huiyao.storage.contract import Decide, Expanded
from tests.storage.node import NOW, Node
from tests.storage.rows import fetch

SECRET = "王芳"
Breaking = Callable[[], Sequence[Notice]]


def breaks() -> Sequence[Notice]:
    """Our own code at fault."""
    raise ArithmeticError(SECRET)


def of_no_kind() -> Sequence[Notice]:
    """Refused by a CHECK of the database."""
    return [Notice("nonsense", Audience.INVITED, "0", SECRET)]


def without_a_message() -> Sequence[Notice]:
    """Its texts could be written, its messages cannot."""
    params: Any = None
    return [Notice(Kind.INVITED, Audience.INVITED, SECRET, params, sms=Audience.INVITED)]


def that_cannot_be_written() -> Sequence[Notice]:
    """No value of a database."""
    return [Notice(Kind.INVITED, Audience.INVITED, SECRET, "\ud800")]


FAULTS = [breaks, of_no_kind, without_a_message, that_cannot_be_written]


def failing(meeting_id: int, fault: Breaking) -> Decide:
    """Decides as usual, but for this meeting."""

    def decide(
        task: Task, meeting: Meeting, answers: Sequence[Answer], answer_count: int
    ) -> Sequence[Notice]:
        if task.meeting_id == meeting_id:
            return fault()
        return announce.notices(task, meeting, answers, answer_count, now=NOW)

    return decide


async def expand_all(node: Node, decide: Decide, *, rows: int = 2000) -> list[Expanded]:
    """Until nothing is due."""
    done = []
    async with asyncio.timeout(10):
        while True:
            done.append(await node.expand(decide=decide, rows=rows))
            if not done[-1].more:
                return done


async def attempts(url: str, meeting_id: int) -> list[tuple[Any, ...]]:
    query = (
        f"SELECT sequence, due_at, attempt FROM task WHERE meeting_id = {meeting_id} AND kind = 'announce'"
    )
    return await fetch(url, f"{query} ORDER BY sequence")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("place", [0, 4, 8])
async def test_a_task_that_cannot_be_told_is_put_off_and_its_neighbours_are_told(
    node: Node, url: str, fault: Breaking, place: int
) -> None:
    meetings = [await node.create(f"p{number}", remind_type=RemindType.SMS) for number in range(9)]
    done = await expand_all(node, failing(meetings[place], fault))
    assert sum(one.failed for one in done) == 1
    assert (sum(one.tasks for one in done), sum(one.messages for one in done)) == (8, 8)
    assert sum(one.deliveries for one in done) == len(await node.deliveries()) == 8
    for number in range(9):
        assert await node.kinds(f"p{number}") == ([] if number == place else ["invited"])
    assert await attempts(url, meetings[place]) == [(0, NOW + 10_000, 1)]
    assert done[-1].next_due_at == NOW + 10_000


async def test_it_waits_longer_each_time_and_is_told_once_it_can_be(node: Node, url: str) -> None:
    meeting_id = await node.create("ann")
    pauses = []
    for number in range(1, 11):
        assert [one.failed for one in await expand_all(node, failing(meeting_id, breaks))] == [1]
        ((_, due_at, attempt),) = await attempts(url, meeting_id)
        assert attempt == number
        pauses.append((due_at - node.clock.moment) // 1000)
        node.clock.moment = due_at - 1
        assert (await node.expand()).tasks == 0
        node.clock.moment = due_at
    assert pauses == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600]
    done = await node.expand()
    assert (done.tasks, done.messages, done.failed) == (1, 1, 0)
    assert await node.kinds("ann") == ["invited"]


async def test_later_announcements_of_its_meeting_wait_for_it_and_others_do_not(node: Node, url: str) -> None:
    meeting_id = await node.create("ann")
    other = await node.create("bob")
    await expand_all(node, failing(meeting_id, breaks))
    await node.update(meeting_id, "ann", "cat", address="hall")
    await node.update(other, "bob", address="hall")
    done = await expand_all(node, failing(meeting_id, breaks))
    assert sum(one.failed for one in done) == 0
    assert [await node.kinds(uid) for uid in ("ann", "bob", "cat")] == [[], ["invited", "updated"], []]
    assert await attempts(url, meeting_id) == [(0, NOW + 10_000, 1), (1, NOW, 0)]
    node.clock.moment = NOW + 10_000
    await node.expand_all()
    assert [await node.kinds(uid) for uid in ("ann", "cat")] == [["invited"], ["invited"]]


async def test_where_nothing_can_be_told_everything_is_put_off_one_by_one(node: Node, url: str) -> None:
    for number in range(5):
        await node.create(f"p{number}")
    done = await expand_all(node, lambda *_: breaks())
    assert sum(one.failed for one in done) == 5
    assert sum(one.tasks for one in done) == 0
    assert await fetch(url, "SELECT DISTINCT due_at, attempt FROM task WHERE kind = 'announce'") == [
        (NOW + 10_000, 1)
    ]
    node.clock.moment = NOW + 10_000
    assert await node.expand_all() == 5


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_large_meeting_that_fails_midway_goes_on_where_it_stood(
    node: Node, url: str, fault: Breaking
) -> None:
    uids = [f"p{number}" for number in range(9)]
    meeting_id = await node.create(*uids)
    await node.expand(rows=4)
    served = [uid for uid in uids if await node.kinds(uid)]
    assert 0 < len(served) < 9
    failed = await node.expand(rows=4, decide=failing(meeting_id, fault))
    assert (failed.failed, failed.tasks, failed.messages, failed.deliveries) == (1, 0, 0, 0)
    assert [uid for uid in uids if await node.kinds(uid)] == served
    node.clock.moment = NOW + 10_000
    assert await node.expand_all(rows=4) == 9 - len(served)
    assert [await node.kinds(uid) for uid in uids] == [["invited"]] * 9


async def test_a_reminder_that_cannot_be_told_is_missed_when_it_has_become_useless(
    node: Node, url: str
) -> None:
    meeting_id = await node.create("ann", begin_at=NOW + 60_000, remind_min=0)
    await node.expand_all()
    node.clock.moment = NOW + 60_000
    for _ in range(8):
        await expand_all(node, failing(meeting_id, breaks))
        ((due_at,),) = await fetch(url, "SELECT due_at FROM task WHERE kind = 'remind'")
        node.clock.moment = due_at
    assert node.clock.moment > NOW + 60_000 + timing.LATE_REMINDER_MS
    await node.expand_all()
    assert await fetch(url, "SELECT count(*) FROM task") == [(0,)]


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_is_logged_of_it_names_the_task_and_quotes_nothing(
    node: Node, url: str, fault: Breaking
) -> None:
    meetings = [await node.create("ann") for _ in range(3)]
    [(task_id,)] = await fetch(
        url, f"SELECT id FROM task WHERE meeting_id = {meetings[1]} AND kind = 'announce'"
    )
    with capture_logs() as lines:
        await expand_all(node, failing(meetings[1], fault))
    (put_off,) = [line for line in lines if line["event"] == "task put off"]
    assert (put_off["log_level"], put_off["org_id"], put_off["task_id"]) == ("error", 1, task_id)
    assert SECRET not in str(lines)
