"""The contract of the feed of changes and of one meeting's history, on both databases."""

import json

from huiyao.model import Changed, MsgStatus, Part, PushStatus
from huiyao.rules import commands
from huiyao.service import meetings
from huiyao.service.caller import Caller
from huiyao.storage.contract import START, Position
from tests.storage.node import APP, BOSS, HOUR, MINUTE, NOW, ORG, Node, caller

MOVED = NOW + 30 * HOUR


async def feed(node: Node, *, size: int = 3, after: Position | None = None) -> list[Changed]:
    """All of it behind `after`, page by page."""
    found: list[Changed] = []
    while True:
        page = await node.storage.changes(ORG.id, after=after, size=size)
        if not page.changes:
            assert page.end == (after or START)
            return found
        found += page.changes
        after = page.end


async def kinds(node: Node) -> list[tuple[str, str]]:
    return [(one.kind, one.actor_uid) for one in await feed(node)]


async def test_everything_that_was_done_to_a_meeting_is_in_the_feed_once_and_in_order(node: Node) -> None:
    meeting_id = await node.create("ann", "bob")
    await meetings.read(node.services, caller("ann"), meeting_id)
    await node.respond(meeting_id, "ann", declined=True)
    await node.remind(meeting_id, "bob", wanted=False)
    await node.nudge(meeting_id)
    await meetings.delete(node.services, caller("bob"), meeting_id)
    await node.update(meeting_id, "ann", "bob", begin_at=MOVED)
    await node.cancel(meeting_id)
    await meetings.delete(node.services, caller("ann"), meeting_id)
    assert await kinds(node) == [
        ("created", BOSS),
        ("read", "ann"),
        ("responded", "ann"),
        ("remind", "bob"),
        ("nudged", BOSS),
        ("deleted", "bob"),
        ("updated", BOSS),
        ("cancelled", BOSS),
        ("deleted", "ann"),
    ]
    assert {one.meeting_id for one in await feed(node)} == {meeting_id}
    assert len({one.id for one in await feed(node)}) == 9


async def test_every_entry_comes_with_its_meeting_as_it_is_now(node: Node) -> None:
    meeting_id = await node.create("ann")
    node.clock.moment += MINUTE
    await node.respond(meeting_id, "ann")
    first, _ = await feed(node)
    assert (first.at, first.organizer_uid, first.sequence, first.push_status) == (
        NOW,
        BOSS,
        0,
        PushStatus.PENDING,
    )
    await node.expand_all()
    await node.update(meeting_id, "ann", begin_at=MOVED)
    await node.cancel(meeting_id)
    found = await feed(node)
    assert [(one.kind, one.at) for one in found][:2] == [("created", NOW), ("responded", NOW + MINUTE)]
    assert {(one.push_status, one.sequence, one.begin_at, one.end_at) for one in found} == {
        (PushStatus.CANCELLED, 2, MOVED, MOVED + HOUR)
    }


async def test_every_entry_comes_with_its_actors_part_as_it_is_now(node: Node) -> None:
    meeting_id = await node.create("ann", "bob")
    await node.respond(meeting_id, "ann", declined=True)
    await node.remind(meeting_id, "ann", wanted=False)
    await meetings.delete(node.services, caller("bob"), meeting_id)

    async def parts() -> list[tuple[str, Part | None]]:
        return [(one.actor_uid, one.part) for one in await feed(node)]

    boss = (BOSS, Part(None, remind=True, card_removed=False))
    ann = ("ann", Part(MsgStatus.DECLINED, remind=False, card_removed=False))
    bob = ("bob", Part(MsgStatus.UNREAD, remind=True, card_removed=True))
    assert await parts() == [boss, ann, ann, bob]
    await meetings.restore(node.services, caller("bob"), meeting_id)
    await node.update(meeting_id, "bob", BOSS)
    boss = (BOSS, Part(MsgStatus.UNREAD, remind=True, card_removed=False))
    bob = ("bob", Part(MsgStatus.UNREAD, remind=True, card_removed=False))
    assert await parts() == [boss, ("ann", None), ("ann", None), bob, bob, boss]


async def test_a_reader_that_comes_back_gets_what_is_new_and_nothing_twice(node: Node) -> None:
    first = await node.create("ann")
    page = await node.storage.changes(ORG.id, after=None, size=10)
    assert [one.meeting_id for one in page.changes] == [first]
    again = await node.storage.changes(ORG.id, after=page.end, size=10)
    assert (again.changes, again.end) == ((), page.end)
    second = await node.create("ann")
    assert [one.meeting_id for one in await feed(node, after=again.end)] == [second]


async def test_an_empty_feed_has_a_beginning_to_start_from(node: Node) -> None:
    page = await node.storage.changes(ORG.id, after=None, size=10)
    assert (page.changes, page.end) == ((), START)


async def test_another_organisation_reads_nothing_of_it(node: Node) -> None:
    meeting_id = await node.create("ann")
    assert (await node.storage.changes(ORG.id + 1, after=None, size=10)).changes == ()
    assert (await node.storage.history(ORG.id + 1, meeting_id, after=None, size=10)).entries == ()
    assert (await node.storage.history(ORG.id, meeting_id + 1, after=None, size=10)).entries == ()


async def test_a_missed_reminder_is_in_the_history_and_not_in_the_feed(node: Node) -> None:
    meeting_id = await node.create("ann", begin_at=NOW + HOUR)
    await node.expand_all()
    node.clock.moment = NOW + 2 * HOUR
    await node.expand_all()
    assert await kinds(node) == [("created", BOSS)]
    page = await node.storage.history(ORG.id, meeting_id, after=None, size=10)
    assert [(one.kind, one.actor_uid, one.app_id) for one in page.entries] == [
        ("created", BOSS, APP.id),
        ("missed", "", None),
    ]


async def test_history_says_who_changed_what_when_through_which_app(node: Node) -> None:
    meeting_id = await node.create("ann")
    other = await node.create("ann")
    node.clock.moment += MINUTE
    answer = commands.Respond(msg_status=MsgStatus.ACCEPTED, reply="on time")
    await meetings.respond(node.services, Caller(None, ORG, "ann"), meeting_id, answer)
    await node.update(meeting_id, "bob", begin_at=MOVED, address="hall")
    await node.cancel(other)
    page = await node.storage.history(ORG.id, meeting_id, after=None, size=2)
    created, responded = page.entries
    assert (created.kind, created.at, created.app_id, created.actor_uid) == ("created", NOW, APP.id, BOSS)
    assert (responded.kind, responded.at, responded.app_id, responded.actor_uid) == (
        "responded",
        NOW + MINUTE,
        None,
        "ann",
    )
    assert json.loads(responded.change)["reply"] == ["", "on time"]
    behind = await node.storage.history(ORG.id, meeting_id, after=page.end, size=2)
    (updated,) = behind.entries
    change = json.loads(updated.change)
    assert change["begin_at"] == [NOW + 24 * HOUR, MOVED]
    assert (change["address"], change["added"], change["removed"]) == (["room 1", "hall"], ["bob"], ["ann"])
    end = await node.storage.history(ORG.id, meeting_id, after=behind.end, size=2)
    assert (end.entries, end.end) == ((), behind.end)


async def test_an_erased_person_stays_in_both_as_a_mark_without_words(node: Node) -> None:
    meeting_id = await node.create("ann")
    answer = commands.Respond(msg_status=MsgStatus.DECLINED, reply="my secret reason")
    await meetings.respond(node.services, caller("ann"), meeting_id, answer)
    await node.storage.erase_person(ORG.id, "ann")
    assert await kinds(node) == [("created", BOSS), ("responded", "ann")]
    page = await node.storage.history(ORG.id, meeting_id, after=None, size=10)
    assert [(one.kind, one.change) for one in page.entries] == [("created", "{}"), ("responded", "{}")]
