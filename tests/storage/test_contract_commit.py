"""The contract of commit, on both databases: guards, what a Change writes, and what it leaves alone."""

import asyncio
import itertools

import msgspec
import pytest

from huiyao import errors
from huiyao.model import Attendee, Meeting, MsgStatus
from huiyao.rules import attend, commands, organize
from huiyao.rules.change import Change, Place
from huiyao.service import meetings
from huiyao.storage.contract import Committed, Conflict, Repeated
from huiyao.storage.opening import open_storage
from tests.storage.node import APP, BOSS, HOUR, NOW, ORG, Node, caller, detail
from tests.storage.rows import fetch


async def whole(node: Node, meeting_id: int) -> tuple[Meeting, dict[str, Attendee]]:
    found = await node.storage.whole_meeting(ORG.id, meeting_id)
    assert found
    return found[0], {one.uid: one for one in found[1]}


async def creation(node: Node, *uids: str, key: str | None = None, org_id: int = ORG.id) -> Change:
    command = commands.Create(
        requester_name="boss", detail=detail(*uids), repeat_key=key, repeat_for=HOUR, fingerprint=b"one"
    )
    ids = await node.services.ids.take(organize.IDS_NEEDED)
    return organize.create(command, org_id=org_id, app_id=APP.id, uid=BOSS, ids=ids, now=node.clock.now())


async def moving(node: Node, meeting_id: int, *uids: str, address: str = "room 1", later: int = 0) -> Change:
    found = await node.storage.whole_meeting(ORG.id, meeting_id)
    assert found
    what = detail(*uids, address=address, begin_at=NOW + 24 * HOUR + later)
    change = organize.update(
        commands.Update(detail=what),
        before=found[0],
        attendees=found[1],
        app_id=APP.id,
        uid=BOSS,
        ids=await node.services.ids.take(organize.IDS_NEEDED),
        now=node.clock.now(),
    )
    assert change
    return change


async def answering(node: Node, meeting_id: int, uid: str, status: MsgStatus = MsgStatus.ACCEPTED) -> Change:
    found = await node.storage.meeting(ORG.id, meeting_id, uid)
    assert found
    command = commands.Respond(msg_status=status, reply="as it is")
    ids = await node.services.ids.take(attend.IDS_NEEDED)
    change = attend.respond(command, *found, app_id=APP.id, ids=ids, now=node.clock.now())
    assert change
    return change


async def test_what_was_created_is_read_back_field_by_field(node: Node) -> None:
    change = await creation(node, "ann", "博")
    assert await node.storage.commit(change) == Committed()
    found = await node.storage.whole_meeting(ORG.id, change.meeting_id)
    assert found
    assert found[0] == change.meeting
    assert sorted(found[1], key=lambda one: one.uid) == sorted(change.added, key=lambda one: one.uid)
    assert [one.position for one in found[1]] == [-1, 0, 1]
    mine = await node.storage.meeting(ORG.id, change.meeting_id, "博")
    assert mine == (change.meeting, next(one for one in change.added if one.uid == "博"))


async def test_nothing_is_found_under_another_organisation_id_or_uid(node: Node) -> None:
    meeting_id = await node.create("ann")
    assert await node.storage.whole_meeting(ORG.id + 1, meeting_id) is None
    assert await node.storage.whole_meeting(ORG.id, meeting_id + 999) is None
    assert await node.storage.meeting(ORG.id + 1, meeting_id, "ann") is None
    assert await node.storage.meeting(ORG.id, meeting_id, "stranger") is None


async def test_of_two_updates_of_one_state_one_is_in_conflict_and_writes_nothing(node: Node) -> None:
    meeting_id = await node.create("ann")
    first = await moving(node, meeting_id, "ann", "bob", address="hall")
    second = await moving(node, meeting_id, "ann", "cat", address="roof")
    verdicts = await asyncio.gather(node.storage.commit(first), node.storage.commit(second))
    assert sorted(type(one).__name__ for one in verdicts) == ["Committed", "Conflict"]
    meeting, rows = await whole(node, meeting_id)
    assert meeting.sequence == 1
    won = "bob" if isinstance(verdicts[0], Committed) else "cat"
    assert set(rows) == {BOSS, "ann", won}


async def test_an_update_of_a_meeting_cancelled_meanwhile_is_in_conflict(node: Node) -> None:
    meeting_id = await node.create("ann")
    change = await moving(node, meeting_id, "ann", address="hall")
    await node.cancel(meeting_id)
    assert await node.storage.commit(change) == Conflict()
    assert (await whole(node, meeting_id))[0].address == "room 1"


async def test_an_update_decided_before_the_announcement_leaves_push_status_and_an_erased_name(
    node: Node,
) -> None:
    meeting_id = await node.create("ann")
    change = await moving(node, meeting_id, "ann", address="hall")
    await node.expand_all()
    await node.storage.erase_person(ORG.id, BOSS)
    assert await node.storage.commit(change) == Committed()
    meeting, _ = await whole(node, meeting_id)
    assert (meeting.push_status, meeting.address, meeting.organizer_name) == (1, "hall", "-")
    await node.cancel(meeting_id)
    assert (await whole(node, meeting_id))[0].push_status == 2


async def test_an_answer_to_the_state_before_a_move_is_in_conflict(node: Node) -> None:
    meeting_id = await node.create("ann")
    answer = await answering(node, meeting_id, "ann")
    await node.update(meeting_id, "ann", begin_at=NOW + 30 * HOUR)
    assert await node.storage.commit(answer) == Conflict()
    assert await node.status(meeting_id, "ann") == MsgStatus.UNREAD


async def test_reading_never_takes_an_answer_back(node: Node) -> None:
    meeting_id = await node.create("ann")
    found = await node.storage.meeting(ORG.id, meeting_id, "ann")
    assert found
    ids = await node.services.ids.take(attend.IDS_NEEDED)
    reading = attend.read(*found, app_id=APP.id, ids=ids, now=NOW)
    assert reading
    await node.respond(meeting_id, "ann")
    assert await node.storage.commit(reading) == Conflict()
    assert await node.status(meeting_id, "ann") == MsgStatus.ACCEPTED


async def own_changes(node: Node, meeting_id: int) -> dict[str, Change]:
    """What ann may do to her own row, each decided on the row as it is now."""
    found = await node.storage.meeting(ORG.id, meeting_id, "ann")
    assert found
    ids = await node.services.ids.take(8)
    changes = {
        "answer": await answering(node, meeting_id, "ann"),
        "remind": attend.remind(
            commands.Remind(remind=False), *found, app_id=APP.id, ids=ids, now=node.clock.now()
        ),
        "delete": attend.remove_card(*found, app_id=APP.id, ids=ids, now=node.clock.now()),
    }
    return {name: change for name, change in changes.items() if change}


@pytest.mark.parametrize("first", ["answer", "remind", "delete"])
@pytest.mark.parametrize("second", ["answer", "remind", "delete"])
async def test_of_two_things_one_person_decides_on_one_state_the_second_starts_over(
    node: Node, first: str, second: str
) -> None:
    meeting_id = await node.create("ann")
    changes = await own_changes(node, meeting_id)
    assert await node.storage.commit(changes[first]) == Committed()
    assert await node.storage.commit(changes[second]) == Conflict()
    assert (await whole(node, meeting_id))[1]["ann"] == changes[first].attendee


async def test_another_reply_to_the_same_answer_is_a_new_state(node: Node) -> None:
    meeting_id = await node.create("ann")
    await node.respond(meeting_id, "ann")
    changes = await own_changes(node, meeting_id)
    assert await node.storage.commit(changes["answer"]) == Committed()
    assert await node.storage.commit(changes["remind"]) == Conflict()
    ann = (await whole(node, meeting_id))[1]["ann"]
    assert (ann.reply, ann.remind) == ("as it is", True)


async def test_two_nudges_at_once_are_one(node: Node) -> None:
    meeting_id = await node.create("ann")
    before, _ = await whole(node, meeting_id)
    nudges = [
        organize.nudge(before=before, app_id=APP.id, uid=BOSS, ids=await node.services.ids.take(4), now=NOW)
        for _ in range(2)
    ]
    verdicts = await asyncio.gather(*map(node.storage.commit, nudges))
    assert sorted(type(one).__name__ for one in verdicts) == ["Committed", "Conflict"]


async def test_an_edit_leaves_alone_an_answer_given_after_it_was_decided(node: Node) -> None:
    meeting_id = await node.create("ann", "bob")
    edit = await moving(node, meeting_id, "bob", "ann", address="hall")
    edit = msgspec.structs.replace(edit, placed=tuple(_renamed(place) for place in edit.placed))
    await node.respond(meeting_id, "ann")
    assert await node.storage.commit(edit) == Committed()
    _, rows = await whole(node, meeting_id)
    assert (rows["ann"].position, rows["ann"].msg_status) == (1, MsgStatus.ACCEPTED)
    assert rows["ann"].name == "new name of ann"


def _renamed(place: Place) -> Place:
    return msgspec.structs.replace(place, name=f"new name of {place.uid}")


async def test_a_move_resets_who_stays_and_keeps_the_answer_of_who_goes(node: Node) -> None:
    meeting_id = await node.create("ann", "bob")
    for uid in ("ann", "bob"):
        await node.storage.commit(await answering(node, meeting_id, uid, MsgStatus.DECLINED))
        await meetings.delete(node.services, caller(uid), meeting_id)
    await node.update(meeting_id, "ann", begin_at=NOW + 30 * HOUR)
    _, rows = await whole(node, meeting_id)
    ann, bob = rows["ann"], rows["bob"]
    assert (ann.msg_status, ann.reply, ann.answered_at, ann.read_at, ann.card_removed_at) == (
        0,
        "",
        None,
        None,
        None,
    )
    assert (bob.msg_status, bob.removed_sequence, bob.listed) == (MsgStatus.DECLINED, 1, False)
    assert bob.reply == "as it is"
    assert bob.card_removed_at is not None


async def test_who_is_invited_again_starts_anew_in_the_same_row(node: Node) -> None:
    meeting_id = await node.create("ann", "bob")
    await node.respond(meeting_id, "bob")
    await node.update(meeting_id, "ann")
    await node.update(meeting_id, "ann", "bob")
    meeting, rows = await whole(node, meeting_id)
    bob = rows["bob"]
    assert (bob.listed, bob.membership, bob.msg_status, bob.invited_sequence) == (True, 2, 0, 2)
    assert bob.removed_sequence is None
    assert meeting.size == len(rows) == 3


async def test_two_hundred_people_answer_one_meeting_at_once(node: Node) -> None:
    uids = [f"p{number}" for number in range(200)]
    meeting_id = await node.create(*uids)
    answers = [await answering(node, meeting_id, uid) for uid in uids]
    assert set(await asyncio.gather(*map(node.storage.commit, answers))) == {Committed()}
    _, rows = await whole(node, meeting_id)
    assert {rows[uid].msg_status for uid in uids} == {MsgStatus.ACCEPTED}


async def test_a_change_that_fails_alone_fails_alone(node: Node) -> None:
    good = [await creation(node, "ann") for _ in range(10)]
    bad = await creation(node, "ann", org_id=404)
    verdicts = await asyncio.gather(
        *map(node.storage.commit, [*good[:5], bad, *good[5:]]), return_exceptions=True
    )
    assert isinstance(verdicts.pop(5), errors.SystemFailure)
    assert verdicts == [Committed()] * 10
    for change in good:
        assert await node.storage.whole_meeting(ORG.id, change.meeting_id)


async def test_creates_with_one_key_at_once_make_one_meeting(node: Node) -> None:
    changes = [await creation(node, "ann", key="k") for _ in range(20)]
    verdicts = await asyncio.gather(*map(node.storage.commit, changes))
    (won,) = [change for change, one in zip(changes, verdicts, strict=True) if isinstance(one, Committed)]
    assert verdicts.count(Repeated(won.meeting_id, b"one")) == 19
    made = [await node.storage.whole_meeting(ORG.id, change.meeting_id) for change in changes]
    assert sum(one is not None for one in made) == 1


async def test_a_key_is_remembered_as_long_as_it_says_and_then_used_anew(node: Node) -> None:
    first, second = await creation(node, "ann", key="k"), await creation(node, "ann", key="k")
    await node.storage.commit(first)
    found = await node.storage.find_repeated(ORG.id, APP.id, BOSS, "k", now=NOW + HOUR - 1)
    assert found == Repeated(first.meeting_id, b"one")
    assert await node.storage.find_repeated(ORG.id, APP.id, BOSS, "k", now=NOW + HOUR) is None
    assert await node.storage.find_repeated(ORG.id, APP.id, "ann", "k", now=NOW) is None
    assert second.idempotency
    later = msgspec.structs.replace(second.idempotency, created_at=NOW + HOUR, expires_at=NOW + 2 * HOUR)
    assert await node.storage.commit(msgspec.structs.replace(second, idempotency=later)) == Committed()
    found = await node.storage.find_repeated(ORG.id, APP.id, BOSS, "k", now=NOW + HOUR)
    assert found == Repeated(second.meeting_id, b"one")


async def test_ids_are_never_given_twice(node: Node) -> None:
    blocks = await asyncio.gather(*(node.storage.reserve_ids(count) for count in (1, 1000, 7, 1000, 3)))
    ids = list(itertools.chain(*blocks))
    assert len(set(ids)) == len(ids) == 2011
    assert min(ids) > 0
    assert max(ids) < 2**53


async def test_two_that_share_a_database_are_never_given_the_same_id(node: Node, url: str) -> None:
    other = await open_storage(url)
    ids: list[int] = []
    for storage in (node.storage, other, node.storage, other):
        ids += await storage.reserve_ids(100)
    await other.close()
    assert len(set(ids)) == 400
    # Nor by one that starts after them.
    later = await open_storage(url)
    assert not set(ids) & set(await later.reserve_ids(100))
    await later.close()


async def test_a_moved_meetings_reminder_is_the_same_task_at_its_new_moment(node: Node, url: str) -> None:
    meeting_id = await node.create("ann")
    await node.update(meeting_id, "ann", begin_at=NOW + 30 * HOUR)
    query = "SELECT due_at, sequence, dedup_key FROM task WHERE kind = 'remind'"
    assert await fetch(url, query) == [(NOW + 30 * HOUR - 15 * 60_000, 1, f"remind:{meeting_id}")]


async def test_each_change_is_one_line_of_history(node: Node, url: str) -> None:
    meeting_id = await node.create("ann")
    await node.respond(meeting_id, "ann")
    await node.update(meeting_id, "ann", address="hall")
    await node.cancel(meeting_id)
    query = (
        f"SELECT kind, actor_uid, app_id, at FROM history WHERE meeting_id = {meeting_id} ORDER BY xid, id"
    )
    assert await fetch(url, query) == [
        ("created", BOSS, APP.id, NOW),
        ("responded", "ann", APP.id, NOW),
        ("updated", BOSS, APP.id, NOW),
        ("cancelled", BOSS, APP.id, NOW),
    ]


async def test_a_change_in_conflict_leaves_no_line_of_history_task_or_person(node: Node, url: str) -> None:
    meeting_id = await node.create("ann")
    late = await moving(node, meeting_id, "ann", "new", address="hall")
    await node.update(meeting_id, "ann", address="roof")
    assert await node.storage.commit(late) == Conflict()
    assert await fetch(url, f"SELECT 1 FROM history WHERE id = {late.entry.id}") == []
    assert await fetch(url, f"SELECT 1 FROM task WHERE id = {late.tasks[0].id}") == []
    assert await node.storage.person(ORG.id, "new") is None


async def test_ten_thousand_attendees_are_written_and_read(node: Node) -> None:
    uids = [f"p{number:05}" for number in range(10_000)]
    meeting_id = await node.create(*uids)
    found = await node.storage.whole_meeting(ORG.id, meeting_id)
    assert found
    assert [one.uid for one in found[1]] == [BOSS, *uids]


@pytest.mark.parametrize("size", [1, 40])
async def test_a_caller_who_goes_away_breaks_nobody_elses_commit(node: Node, size: int) -> None:
    changes = [await creation(node, "ann") for _ in range(size + 1)]
    tasks = [asyncio.create_task(node.storage.commit(change)) for change in changes]
    await asyncio.sleep(0)
    tasks[0].cancel()
    verdicts = await asyncio.gather(*tasks, return_exceptions=True)
    assert verdicts[1:] == [Committed()] * size
