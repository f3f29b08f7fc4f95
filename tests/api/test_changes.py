"""What was changed in an organisation, for another system that follows it (contract section 6, changes)."""

from typing import Any

import pytest

from huiyao.model import Grant
from tests.api.world import APP, BEGIN, HOUR, MINUTE, NOW, World, creation, data, members, refusal


@pytest.fixture
async def granted(either: World) -> World:
    """A world, on each database in turn, whose app may follow what is changed."""
    await either.add_app(8, grants=frozenset({Grant.CHANGES}))
    either.token = await either.get_token(8)
    return either


async def changes(world: World, **changes: Any) -> tuple[list[dict[str, Any]], str]:
    """The items as the wire has them, and the cursor."""
    found = data(await world.call("changes", {"requesterUid": "z", **changes}))
    assert found.keys() == {"items", "nextCursor"}
    return found["items"], found["nextCursor"]


async def done(world: World, name: str, uid: str, meeting_id: int, **rest: Any) -> None:
    sent = {"requesterUid": uid, "meetingInviteId": meeting_id, **rest}
    assert (await world.call(name, sent)).json() == {"status": 0}


async def test_an_app_without_the_permission_learns_nothing(here: World) -> None:
    await here.add_app(8, grants=frozenset({Grant.TICKET, Grant.FREEBUSY}))
    await here.create()
    for app_id in (APP, 8):
        token = await here.get_token(app_id)
        answer = await here.call("changes", {"requesterUid": "boss"}, token=token)
        assert refusal(answer) == (4013, "应用无权调用该接口")


async def test_the_permission_shows_the_whole_organisation_whoever_asks(granted: World) -> None:
    made = [await granted.create(), await granted.create(uid="chief", members=members("x"))]
    for uid in ("boss", "nobody"):
        items, _ = await changes(granted, requesterUid=uid)
        assert [one["meetingInviteId"] for one in items] == made


async def test_a_change_is_told_as_it_was_and_its_meeting_as_it_is(granted: World) -> None:
    meeting_id = await granted.create()
    granted.clock.at += MINUTE
    await done(granted, "respond", "a", meeting_id, msgStatus=3, reply="my secret reason")
    await granted.dispatch()
    items, _ = await changes(granted)
    created, responded = items
    now = {
        "createrId": "boss",
        "pushStatus": 1,
        "sequence": 0,
        "beginTime": BEGIN,
        "endTime": BEGIN + HOUR,
    }
    assert created == {
        "changeId": created["changeId"],
        "meetingInviteId": meeting_id,
        "kind": "created",
        "uid": "boss",
        "time": NOW,
        "meeting": now,
        "member": {"remind": True, "isDelete": False},
    }
    assert responded == {
        "changeId": responded["changeId"],
        "meetingInviteId": meeting_id,
        "kind": "responded",
        "uid": "a",
        "time": NOW + MINUTE,
        "meeting": now,
        "member": {"remind": True, "isDelete": False, "msgStatus": 3},
    }
    assert created["changeId"] != responded["changeId"]


async def test_moves_cancellations_and_removed_cards_are_followed(granted: World) -> None:
    meeting_id = await granted.create()
    await done(granted, "respond", "a", meeting_id, msgStatus=2)
    _, cursor = await changes(granted)
    moved = creation(beginTime=BEGIN + HOUR, endTime=BEGIN + 2 * HOUR, members=members("a", "b"))["detail"]
    await done(granted, "update", "boss", meeting_id, detail=moved)
    await done(granted, "delete", "a", meeting_id)
    await done(granted, "remindagain", "boss", meeting_id)
    await done(granted, "cancel", "boss", meeting_id)
    items, _ = await changes(granted, cursor=cursor)
    assert [one["kind"] for one in items] == ["updated", "deleted", "nudged", "cancelled"]
    for one in items:
        assert (one["meeting"]["pushStatus"], one["meeting"]["sequence"]) == (2, 2)
        assert one["meeting"]["beginTime"] == BEGIN + HOUR
    assert items[1]["member"] == {"remind": True, "isDelete": True, "msgStatus": 0}


async def test_who_was_removed_has_no_part_any_more(granted: World) -> None:
    meeting_id = await granted.create()
    await done(granted, "respond", "c", meeting_id, msgStatus=2)
    detail = creation(members=members("a", "b"))["detail"]
    await done(granted, "update", "boss", meeting_id, detail=detail)
    items, _ = await changes(granted)
    assert [(one["kind"], "member" in one) for one in items] == [
        ("created", True),
        ("responded", False),
        ("updated", True),
    ]


async def test_pages_follow_each_other_and_the_cursor_goes_on_from_the_end(granted: World) -> None:
    made = [await granted.create() for _ in range(5)]
    seen: list[int] = []
    sent: dict[str, Any] = {"size": 2}
    while True:
        items, cursor = await changes(granted, **sent)
        sent["cursor"] = cursor
        if not items:
            break
        seen += [one["meetingInviteId"] for one in items]
    assert seen == made
    assert await changes(granted, **sent) == ([], sent["cursor"])
    later = await granted.create()
    assert [one["meetingInviteId"] for one in (await changes(granted, **sent))[0]] == [later]


async def test_an_organisation_without_meetings_has_a_cursor_too(granted: World) -> None:
    items, cursor = await changes(granted)
    assert items == []
    meeting_id = await granted.create()
    assert [one["meetingInviteId"] for one in (await changes(granted, cursor=cursor))[0]] == [meeting_id]


async def test_no_word_of_anybody_is_told(granted: World) -> None:
    meeting_id = await granted.create(content="secret plan", address="secret place")
    await done(granted, "respond", "a", meeting_id, msgStatus=3, reply="secret reason")
    detail = creation(content="secret other", address="secret room", members=members("a"))["detail"]
    await done(granted, "update", "boss", meeting_id, detail=detail)
    answer = await granted.call("changes", {"requesterUid": "z"})
    assert len(data(answer)["items"]) == 3
    assert "secret" not in answer.text
    assert "name of" not in answer.text


async def test_a_missed_reminder_is_no_change(granted: World) -> None:
    await granted.create()
    await granted.dispatch()
    granted.clock.at = BEGIN + 10 * MINUTE
    await granted.dispatch()
    items, _ = await changes(granted)
    assert [one["kind"] for one in items] == ["created"]


async def test_another_organisations_changes_stay_there(granted: World) -> None:
    await granted.add_org(84001)
    await granted.add_app(9, orgs=(84001,), grants=frozenset({Grant.CHANGES}))
    await granted.create()
    granted.token = await granted.get_token(9)
    assert (await changes(granted))[0] == []


async def test_a_closed_directory_must_know_who_asks(here: World) -> None:
    await here.add_org(84001, closed=True)
    await here.add_app(9, orgs=(84001,), grants=frozenset({Grant.CHANGES}))
    here.token = await here.get_token(9)
    assert refusal(await here.call("changes", {"requesterUid": "x"})) == (4500, "用户不存在: x")


async def test_a_cursor_of_an_inbox_is_refused_by_name(granted: World) -> None:
    await granted.create()
    await granted.dispatch()
    cursor = (await granted.inbox("a"))["nextCursor"]
    sent = {"requesterUid": "z", "cursor": cursor}
    assert refusal(await granted.call("changes", sent)) == (4600, "参数错误: cursor 不是有效的游标")
