"""The contract of expand, on both databases: each audience, order, parts, pushStatus, what comes too late."""

import json

import pytest

from huiyao.model import Kind
from huiyao.rules import commands
from huiyao.service import meetings
from tests.storage.node import BOSS, HOUR, MINUTE, NOW, ORG, Node, caller, detail
from tests.storage.rows import fetch

BEGIN = NOW + 24 * HOUR
REMINDER = BEGIN - 15 * MINUTE


async def told(node: Node, *uids: str) -> dict[str, list[str]]:
    return {uid: await node.kinds(uid) for uid in uids}


async def silently(node: Node, *uids: str) -> int:
    command = commands.Create(requester_name="boss", detail=detail(*uids), silent=True)
    return await meetings.create(node.services, caller(BOSS), command)


async def push_status(node: Node, meeting_id: int) -> int:
    found = await node.storage.meeting(ORG.id, meeting_id, BOSS)
    assert found
    return found[0].push_status


async def test_an_invitation_reaches_members_but_the_creator(node: Node) -> None:
    meeting_id = await node.create("ann", BOSS, "bob")
    assert await push_status(node, meeting_id) == 0
    assert await node.expand_all() == 2
    assert await told(node, "ann", "bob", BOSS) == {"ann": ["invited"], "bob": ["invited"], BOSS: []}
    assert await push_status(node, meeting_id) == 1
    assert await node.expand_all() == 0


async def test_a_silent_create_reaches_nobody_and_is_pushed(node: Node) -> None:
    meeting_id = await silently(node, "ann")
    await node.expand_all()
    assert await told(node, "ann") == {"ann": []}
    assert await push_status(node, meeting_id) == 1


async def test_who_was_removed_hears_of_it_unless_they_declined(node: Node) -> None:
    meeting_id = await node.create("ann", "bob", "cat")
    await node.expand_all()
    await node.respond(meeting_id, "bob", declined=True)
    await node.update(meeting_id, "cat")
    await node.expand_all()
    assert await told(node, "ann", "bob", "cat") == {
        "ann": ["invited", "removed"],
        "bob": ["invited"],
        "cat": ["invited"],
    }


async def test_who_was_removed_and_is_back_before_it_was_told_hears_only_the_new_invitation(
    node: Node,
) -> None:
    meeting_id = await node.create("ann", "bob")
    await node.expand_all()
    await node.update(meeting_id, "bob")
    await node.update(meeting_id, "bob", "ann")
    await node.expand_all()
    assert await told(node, "ann") == {"ann": ["invited", "invited"]}


async def test_who_was_removed_before_the_invitation_went_out_hears_of_neither(node: Node) -> None:
    meeting_id = await node.create("ann", "bob")
    await node.update(meeting_id, "bob")
    await node.expand_all()
    assert await told(node, "ann", "bob") == {"ann": [], "bob": ["invited"]}


async def test_who_came_back_and_went_again_before_either_was_told_hears_of_neither(node: Node) -> None:
    meeting_id = await node.create("ann", "bob")
    await node.expand_all()
    await node.update(meeting_id, "bob")
    await node.expand_all()
    await node.update(meeting_id, "bob", "ann")
    await node.update(meeting_id, "bob")
    await node.expand_all()
    # The first invitation says nothing of the second membership.
    assert await told(node, "ann") == {"ann": ["invited", "removed"]}


async def test_who_was_meant_to_get_no_invitation_still_hears_of_removal_and_cancellation(node: Node) -> None:
    meeting_id = await silently(node, "ann", "bob")
    await node.expand_all()
    await node.update(meeting_id, "bob")
    await node.cancel(meeting_id)
    await node.expand_all()
    assert await told(node, "ann", "bob") == {"ann": ["removed"], "bob": ["cancelled"]}


async def test_a_move_reaches_all_who_remain_and_an_edit_those_who_have_not_declined(node: Node) -> None:
    meeting_id = await node.create("ann", "bob")
    await node.expand_all()
    await node.respond(meeting_id, "bob", declined=True)
    await node.update(meeting_id, "ann", "bob", address="hall")
    await node.expand_all()
    assert await told(node, "ann", "bob") == {"ann": ["invited", "updated"], "bob": ["invited"]}
    await node.update(meeting_id, "ann", "bob", address="hall", begin_at=BEGIN + HOUR)
    await node.expand_all()
    assert await told(node, "ann", "bob", BOSS) == {
        "ann": ["invited", "updated", "updated"],
        "bob": ["invited", "updated"],
        BOSS: [],
    }


async def test_an_update_before_the_invitation_went_out_is_shown_by_the_invitation(node: Node) -> None:
    meeting_id = await node.create("ann")
    await node.update(meeting_id, "ann", "bob", address="hall")
    await node.expand_all()
    assert await told(node, "ann", "bob") == {"ann": ["invited"], "bob": ["invited"]}
    (message,) = await node.inbox("ann")
    assert json.loads(message.params)["address"] == "hall"


async def test_two_updates_waiting_make_one_message_of_the_present_with_the_oldest_values(node: Node) -> None:
    meeting_id = await node.create("ann")
    await node.expand_all()
    await node.update(meeting_id, "ann", address="hall")
    await node.update(meeting_id, "ann", address="roof")
    await node.expand_all()
    messages = await node.inbox("ann")
    assert [one.kind for one in messages] == ["invited", "updated"]
    params = json.loads(messages[1].params)
    assert (params["address"], params["old"]) == ("roof", {"address": "room 1"})


async def test_an_update_between_two_parts_tells_exactly_those_served_before_it(node: Node) -> None:
    uids = [f"p{number}" for number in range(7)]
    meeting_id = await node.create(*uids)
    first = await node.expand(rows=4)
    assert (first.tasks, first.more) == (0, True)
    assert await push_status(node, meeting_id) == 0
    served = [uid for uid in uids if await node.kinds(uid)]
    assert 0 < len(served) < len(uids)
    await node.update(meeting_id, *uids, address="hall")
    await node.expand_all(rows=4)
    for uid in uids:
        assert await node.kinds(uid) == (["invited", "updated"] if uid in served else ["invited"])
    assert await push_status(node, meeting_id) == 1


async def test_parts_however_small_tell_everybody_once(node: Node) -> None:
    uids = [f"p{number}" for number in range(9)]
    await node.create(*uids)
    assert await node.expand_all(rows=1) == 9
    for uid in uids:
        assert await node.kinds(uid) == ["invited"]


async def test_a_meeting_cancelled_before_it_was_announced_is_heard_of_by_nobody(node: Node) -> None:
    meeting_id = await node.create("ann")
    await node.cancel(meeting_id)
    assert await node.expand_all() == 0
    assert await push_status(node, meeting_id) == 2


async def test_a_cancellation_reaches_the_declined_too_and_not_the_creator(node: Node) -> None:
    meeting_id = await node.create("ann", "bob", BOSS)
    await node.expand_all()
    await node.respond(meeting_id, "bob", declined=True)
    await node.cancel(meeting_id)
    await node.expand_all()
    node.clock.moment = REMINDER
    await node.expand_all()
    assert await told(node, "ann", "bob", BOSS) == {
        "ann": ["invited", "cancelled"],
        "bob": ["invited", "cancelled"],
        BOSS: [],
    }


async def test_a_reminder_reaches_the_creator_and_the_members_who_want_it_and_have_not_declined(
    node: Node,
) -> None:
    meeting_id = await node.create("ann", "bob", "cat", "gone")
    await node.update(meeting_id, "ann", "bob", "cat")
    await node.expand_all()
    await node.respond(meeting_id, "bob", declined=True)
    await meetings.remind(node.services, caller("cat"), meeting_id, commands.Remind(remind=False))
    node.clock.moment = REMINDER - 1
    await node.expand_all()
    assert "reminder" not in await node.kinds("ann")
    node.clock.moment = REMINDER
    done = await node.expand()
    assert (done.tasks, done.messages, done.more, done.next_due_at, done.lateness_ms) == (
        1,
        2,
        False,
        None,
        (("remind", 0),),
    )
    assert await told(node, "ann", "bob", "cat") == {
        "ann": ["invited", "reminder"],
        "bob": ["invited"],
        "cat": ["invited"],
    }
    assert (await node.kinds(BOSS))[-1] == "reminder"
    assert await node.kinds("gone") == []


async def test_a_moved_reminder_is_due_at_the_new_moment_only(node: Node) -> None:
    meeting_id = await node.create("ann")
    await node.expand_all()
    await node.update(meeting_id, "ann", begin_at=BEGIN + HOUR)
    await node.expand_all()
    node.clock.moment = REMINDER
    done = await node.expand()
    assert (done.tasks, done.next_due_at) == (0, REMINDER + HOUR)
    node.clock.moment = REMINDER + HOUR
    assert (await node.expand()).messages == 2


async def test_a_reminder_that_comes_too_late_tells_nobody_and_is_recorded(node: Node, url: str) -> None:
    meeting_id = await node.create("ann")
    await node.expand_all()
    node.clock.moment = BEGIN + 5 * MINUTE
    done = await node.expand()
    assert (done.tasks, done.messages, done.next_due_at) == (1, 0, None)
    assert await node.kinds("ann") == ["invited"]
    query = "SELECT meeting_id, at, app_id, actor_uid, change FROM history WHERE kind = 'missed'"
    assert await fetch(url, query) == [(meeting_id, BEGIN + 5 * MINUTE, None, "", "{}")]


async def test_a_cancelled_meeting_has_nothing_left_to_do(node: Node) -> None:
    meeting_id = await node.create("ann")
    await node.expand_all()
    await node.cancel(meeting_id)
    await node.expand_all()
    assert (await node.expand()).next_due_at is None


async def test_a_nudge_reaches_those_who_have_not_answered(node: Node) -> None:
    meeting_id = await node.create("ann", "bob", "cat", BOSS)
    await node.expand_all()
    await meetings.read(node.services, caller("ann"), meeting_id)
    await node.respond(meeting_id, "cat")
    await meetings.nudge(node.services, caller(BOSS), meeting_id)
    await node.expand_all()
    assert await told(node, "ann", "bob", "cat", BOSS) == {
        "ann": ["invited", "nudged"],
        "bob": ["invited", "nudged"],
        "cat": ["invited"],
        BOSS: [],
    }


async def test_answers_within_ten_seconds_join_one_message_to_the_creator(node: Node) -> None:
    meeting_id = await node.create("ann", "bob", "cat", "dan", "eve")
    await node.expand_all()
    for uid in ("ann", "bob", "cat", "dan"):
        await node.respond(meeting_id, uid, declined=uid == "bob")
        node.clock.moment += 2_000
    assert (await node.expand()).next_due_at == NOW + 10_000
    node.clock.moment = NOW + 10_000
    await node.expand_all()
    (message,) = await node.inbox(BOSS)
    params = json.loads(message.params)
    assert message.kind == Kind.ANSWERED
    assert params["answer_count"] == 4
    assert [one[0] if isinstance(one, list) else one["name"] for one in params["answers"]] == [
        "name of ann",
        "name of bob",
        "name of cat",
    ]
    await node.respond(meeting_id, "eve")
    node.clock.moment += 10_000
    await node.expand_all()
    _, second = await node.inbox(BOSS)
    assert (second.kind, json.loads(second.params)["answer_count"]) == (Kind.ANSWERED, 1)


async def test_only_answers_of_others_who_are_still_invited_are_reported(node: Node) -> None:
    meeting_id = await node.create("ann", "bob", BOSS)
    await node.expand_all()
    for uid in ("ann", "bob", BOSS):
        await node.respond(meeting_id, uid)
    await node.update(meeting_id, "ann", BOSS)
    node.clock.moment += 10_000
    await node.expand_all()
    (message,) = await node.inbox(BOSS)
    params = json.loads(message.params)
    assert params["answer_count"] == 1
    assert "name of ann" in str(params["answers"])


@pytest.mark.parametrize("rows", [1, 3, 2000])
async def test_announcements_of_one_meeting_run_in_their_order(node: Node, rows: int) -> None:
    meeting_id = await node.create("ann", "bob")
    await node.update(meeting_id, "ann", "bob", "cat")
    await node.update(meeting_id, "bob", "cat", begin_at=BEGIN + HOUR)
    await node.cancel(meeting_id)
    await node.expand_all(rows=rows)
    assert await told(node, "ann", "bob", "cat", BOSS) == {"ann": [], "bob": [], "cat": [], BOSS: []}
