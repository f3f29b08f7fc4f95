"""The contract of expand, on both databases: which notices become texts, and for whom (design section 4)."""

import pytest

from huiyao.model import Kind, RemindType
from huiyao.rules import commands, timing
from huiyao.rules.announce import Audience, Notice
from huiyao.service import meetings
from tests.storage.node import BOSS, HOUR, MINUTE, NOW, Node, caller, detail

SMS = RemindType.SMS
BEGIN = NOW + 24 * HOUR
REMINDER = BEGIN - 15 * MINUTE


async def texts(node: Node) -> dict[str, list[str]]:
    """The kinds of each person's deliveries, in order; who has none is not there."""
    found: dict[str, list[str]] = {}
    for one in await node.deliveries():
        found.setdefault(one.uid, []).append(one.kind)
    return found


async def announced(node: Node, *uids: str) -> int:
    """A meeting whose invitations are out, and nobody's texts among what is found later."""
    meeting_id = await node.create(*uids, remind_type=SMS)
    await node.expand_all()
    return meeting_id


async def test_an_invitation_is_texted_to_members_but_the_creator(node: Node) -> None:
    await node.create("ann", BOSS, "bob", remind_type=SMS)
    done = await node.expand()
    assert (done.messages, done.deliveries) == (2, 2)
    assert await texts(node) == {"ann": ["invited"], "bob": ["invited"]}
    assert (await node.expand()).deliveries == 0


async def test_a_meeting_that_tells_in_the_app_texts_nobody(node: Node) -> None:
    meeting_id = await node.create("ann", "bob")
    await node.expand_all()
    await node.update(meeting_id, "ann", "cat", begin_at=BEGIN + HOUR)
    await node.expand_all()
    await node.nudge(meeting_id)
    await node.expand_all()
    node.clock.moment = REMINDER + HOUR
    await node.expand_all()
    await node.cancel(meeting_id)
    await node.expand_all()
    assert await node.kinds("ann") == ["invited", "updated", "nudged", "reminder", "cancelled"]
    assert await texts(node) == {}


async def test_a_silent_create_texts_nobody(node: Node) -> None:
    command = commands.Create(requester_name="boss", detail=detail("ann", remind_type=SMS), silent=True)
    await meetings.create(node.services, caller(BOSS), command)
    await node.expand_all()
    assert await texts(node) == {}


async def test_who_is_added_is_invited_and_who_is_removed_hears_of_it_unless_they_declined(
    node: Node,
) -> None:
    meeting_id = await announced(node, "ann", "bob", "cat")
    await node.respond(meeting_id, "bob", declined=True)
    await node.update(meeting_id, "cat", "dan", remind_type=SMS)
    await node.expand_all()
    assert await texts(node) == {
        "ann": ["invited", "removed"],
        "bob": ["invited"],
        "cat": ["invited"],
        "dan": ["invited"],
    }


async def test_a_move_is_texted_to_all_who_remain_the_declined_too(node: Node) -> None:
    meeting_id = await announced(node, "ann", "bob", BOSS)
    await node.respond(meeting_id, "bob", declined=True)
    await node.update(meeting_id, "ann", "bob", BOSS, begin_at=BEGIN + HOUR, remind_type=SMS)
    await node.expand_all()
    assert await texts(node) == {"ann": ["invited", "updated"], "bob": ["invited", "updated"]}


async def test_another_place_is_texted_to_those_who_have_not_declined(node: Node) -> None:
    meeting_id = await announced(node, "ann", "bob")
    await node.respond(meeting_id, "bob", declined=True)
    await node.update(meeting_id, "ann", "bob", address="hall", remind_type=SMS)
    await node.expand_all()
    assert await texts(node) == {"ann": ["invited", "updated"], "bob": ["invited"]}


async def test_other_reminder_settings_or_none_at_all_are_texted_to_nobody(node: Node) -> None:
    meeting_id = await announced(node, "ann")
    await node.update(meeting_id, "ann", remind_min=30, remind_type=SMS)
    await node.update(meeting_id, "ann", remind_min=30, remind_type=SMS)
    await node.update(meeting_id, "ann", remind_min=30)
    await node.expand_all()
    assert await texts(node) == {"ann": ["invited"]}


async def test_texts_that_are_turned_on_begin_with_the_next_notice(node: Node) -> None:
    meeting_id = await node.create("ann")
    await node.expand_all()
    await node.update(meeting_id, "ann", remind_type=SMS)
    await node.expand_all()
    assert await texts(node) == {}
    node.clock.moment = REMINDER
    await node.expand_all()
    assert await texts(node) == {"ann": ["reminder"], BOSS: ["reminder"]}


async def test_the_declined_hear_of_a_cancellation_in_the_app_only(node: Node) -> None:
    meeting_id = await announced(node, "ann", "bob", BOSS)
    await node.respond(meeting_id, "bob", declined=True)
    await node.cancel(meeting_id)
    await node.expand_all()
    assert await node.kinds("bob") == ["invited", "cancelled"]
    assert await texts(node) == {"ann": ["invited", "cancelled"], "bob": ["invited"]}


async def test_a_meeting_cancelled_before_it_was_announced_is_texted_to_nobody(node: Node) -> None:
    meeting_id = await node.create("ann", remind_type=SMS)
    await node.cancel(meeting_id)
    await node.expand_all()
    assert await texts(node) == {}


async def test_who_was_removed_before_the_invitation_was_told_gets_no_text(node: Node) -> None:
    meeting_id = await node.create("ann", "bob", remind_type=SMS)
    await node.update(meeting_id, "bob", address="hall", remind_type=SMS)
    await node.expand_all()
    assert await texts(node) == {"bob": ["invited"]}


async def test_a_reminder_is_texted_to_the_creator_and_the_members_who_want_it_and_have_not_declined(
    node: Node,
) -> None:
    meeting_id = await announced(node, "ann", "bob", "cat", "dan")
    await node.update(meeting_id, "ann", "bob", "cat", remind_type=SMS)
    await node.expand_all()
    await node.respond(meeting_id, "bob", declined=True)
    await node.remind(meeting_id, "cat", wanted=False)
    node.clock.moment = REMINDER
    await node.expand_all()
    assert await texts(node) == {
        "ann": ["invited", "reminder"],
        "bob": ["invited"],
        "cat": ["invited"],
        "dan": ["invited", "removed"],
        BOSS: ["reminder"],
    }


async def test_a_creator_who_wants_no_reminder_gets_no_text_of_it(node: Node) -> None:
    meeting_id = await announced(node, "ann")
    await node.remind(meeting_id, BOSS, wanted=False)
    node.clock.moment = REMINDER
    await node.expand_all()
    assert BOSS not in await texts(node)


async def test_a_nudge_is_texted_to_those_who_have_not_answered(node: Node) -> None:
    meeting_id = await announced(node, "ann", "bob", "cat", BOSS)
    await meetings.read(node.services, caller("ann"), meeting_id)
    await node.respond(meeting_id, "cat")
    await node.nudge(meeting_id)
    await node.expand_all()
    assert await texts(node) == {
        "ann": ["invited", "nudged"],
        "bob": ["invited", "nudged"],
        "cat": ["invited"],
    }


async def test_answers_are_no_matter_for_a_text(node: Node) -> None:
    meeting_id = await announced(node, "ann")
    await node.respond(meeting_id, "ann")
    node.clock.moment += 10_000
    await node.expand_all()
    assert await node.kinds(BOSS) == ["answered"]
    assert await texts(node) == {"ann": ["invited"]}


async def test_a_meeting_that_is_over_is_put_on_record_without_a_text(node: Node) -> None:
    await node.create("ann", begin_at=NOW - 2 * HOUR, remind_type=SMS)
    meeting_id = await node.create("bob", begin_at=NOW + 20 * MINUTE, remind_type=SMS)
    node.clock.moment = NOW + 3 * HOUR
    await node.expand_all()
    await node.cancel(meeting_id)
    await node.expand_all()
    assert await texts(node) == {}


async def test_an_update_not_yet_told_is_texted_with_the_invitation_and_two_of_them_once(node: Node) -> None:
    meeting_id = await node.create("ann", remind_type=SMS)
    await node.update(meeting_id, "ann", address="hall", remind_type=SMS)
    await node.expand_all()
    assert await texts(node) == {"ann": ["invited"]}
    await node.update(meeting_id, "ann", address="roof", remind_type=SMS)
    await node.update(meeting_id, "ann", address="cellar", remind_type=SMS)
    await node.expand_all()
    assert await texts(node) == {"ann": ["invited", "updated"]}


async def test_who_was_removed_and_is_invited_again_gets_both_texts_and_a_second_invitation(
    node: Node,
) -> None:
    meeting_id = await announced(node, "ann", "bob")
    await node.update(meeting_id, "bob", remind_type=SMS)
    await node.expand_all()
    await node.update(meeting_id, "bob", "ann", remind_type=SMS)
    await node.expand_all()
    assert await texts(node) == {"ann": ["invited", "removed", "invited"], "bob": ["invited"]}


@pytest.mark.parametrize("rows", [1, 3, 4, 2000])
async def test_everybody_gets_each_text_once_in_parts_however_small(node: Node, rows: int) -> None:
    uids = [f"p{number}" for number in range(9)]
    await node.create(*uids, remind_type=SMS)
    await node.expand_all(rows=rows)
    node.clock.moment = REMINDER
    await node.expand_all(rows=rows)
    found = await texts(node)
    assert found.pop(BOSS) == ["reminder"]
    assert found == {uid: ["invited", "reminder"] for uid in uids}


async def test_a_text_that_is_there_already_is_not_written_again(node: Node) -> None:
    meeting_id = await announced(node, "ann", "bob")
    same = Notice(Kind.NUDGED, Audience.UNANSWERED, "same", "{}", sms=Audience.UNANSWERED)
    for expected in (2, 0):
        await node.nudge(meeting_id)
        done = await node.expand(decide=lambda *_: [same])
        assert (done.tasks, done.messages, done.deliveries) == (1, expected, expected)
        node.clock.moment += timing.NUDGE_PAUSE_MS
    assert await texts(node) == {"ann": ["invited", "nudged"], "bob": ["invited", "nudged"]}


async def test_a_new_delivery_says_what_it_is_about_and_when_it_is_due(node: Node) -> None:
    meeting_id = await node.create("ann", remind_type=SMS)
    node.clock.moment = NOW + 7_000
    await node.expand_all()
    node.clock.moment = REMINDER + 2_000
    await node.expand_all()
    invited, reminder = await node.deliveries("ann")
    assert (invited.org_id, invited.channel, invited.uid, invited.meeting_id) == (1, "sms", "ann", meeting_id)
    assert (invited.kind, invited.occasion, invited.sequence) == (Kind.INVITED, "0", 0)
    assert (invited.created_at, invited.due_at, invited.give_up_at) == (
        NOW + 7_000,
        NOW,
        NOW + 7_000 + timing.DAY_MS,
    )
    assert (invited.state, invited.attempt, invited.failures, invited.uncertain) == ("pending", 0, 0, 0)
    assert (invited.lease_until, invited.sent_at, invited.as_of, invited.ended_at) == (None, None, -1, None)
    assert (invited.address, invited.text, invited.provider_id, invited.reason) == ("", "", "", "")
    assert (reminder.kind, reminder.occasion, reminder.due_at) == (Kind.REMINDER, f"{BEGIN}:15", REMINDER)
    assert reminder.id > invited.id
    assert await node.storage.delivery(1, invited.id) == invited
    assert await node.storage.delivery(2, invited.id) is None
    assert await node.storage.delivery(1, reminder.id + 99) is None
