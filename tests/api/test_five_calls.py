"""The calls of the first generation, end to end on both databases (contract sections 4 and 6)."""

from typing import Any

import pytest

from huiyao.model import Person
from tests.api.world import BEGIN, HOUR, MINUTE, NOW, World, creation, data, detail_of, members, refusal

ONE = {"status": 0}


async def act(world: World, name: str, uid: str, meeting_id: int, **rest: Any) -> dict[str, Any]:
    """A call on one meeting; the whole envelope."""
    answer = await world.call(name, {"requesterUid": uid, "meetingInviteId": meeting_id, **rest})
    whole = answer.json()
    assert isinstance(whole, dict)
    return whole


async def update(world: World, meeting_id: int, *, uid: str = "boss", **changes: Any) -> dict[str, Any]:
    top = {key: changes.pop(key) for key in ("sequence", "notify") if key in changes}
    return await act(world, "update", uid, meeting_id, detail=detail_of(**changes), **top)


async def states(world: World, meeting_id: int) -> dict[str, tuple[int, bool]]:
    found = (await world.detail(meeting_id))["detail"]["members"]
    return {one["uid"]: (one["msgStatus"], one["remind"]) for one in found}


async def kinds(world: World, uid: str) -> list[str]:
    await world.dispatch()
    return [one["kind"] for one in (await world.inbox(uid))["items"]]


async def test_detail_answers_what_create_was_given(either: World) -> None:
    meeting_id = await either.create(members=members("c", "a"), createTime=str(NOW // 1000), address="")
    assert 0 < meeting_id < 2**53
    assert await either.detail(meeting_id, "a") == {
        "meetingInviteId": meeting_id,
        "orgId": 84000,
        "createrId": "boss",
        "createrName": "老板",
        "pushStatus": 0,
        "sequence": 0,
        "detail": {
            "createTime": NOW,
            "content": "预算讨论",
            "address": "",
            "beginTime": BEGIN,
            "endTime": BEGIN + HOUR,
            "remindMin": 15,
            "remindType": 0,
            "members": [
                {"uid": "c", "name": "name of c", "msgStatus": 0, "remind": True, "isRemind": True},
                {"uid": "a", "name": "name of a", "msgStatus": 0, "remind": True, "isRemind": True},
            ],
        },
    }


async def test_push_status_goes_from_0_to_1_and_with_cancel_to_2(either: World) -> None:
    meeting_id = await either.create()
    assert (await either.detail(meeting_id))["pushStatus"] == 0
    await either.dispatch()
    assert (await either.detail(meeting_id))["pushStatus"] == 1
    assert await act(either, "cancel", "boss", meeting_id) == ONE
    assert (await either.detail(meeting_id))["pushStatus"] == 2


async def test_an_invitation_is_in_the_inbox_with_its_text(either: World) -> None:
    meeting_id = await either.create()
    await either.dispatch()
    inbox = await either.inbox("a")
    item = inbox["items"][0]
    assert {key: item[key] for key in ("kind", "meetingInviteId", "text", "createTime", "read")} == {
        "kind": "invited",
        "meetingInviteId": meeting_id,
        "text": "老板邀请您参加会议：预算讨论。时间：11月24日 周二 16:00–17:00，地点：三楼",
        "createTime": NOW,
        "read": False,
    }
    assert inbox.keys() == {"items", "unread", "nextCursor"}
    assert inbox["unread"] == 1
    assert (await either.inbox("boss"))["items"] == []


async def test_an_inbox_is_read_page_by_page_and_marked_up_to_a_message(either: World) -> None:
    for number in range(5):
        await either.create(content=f"meeting {number}")
        await either.dispatch()
    newest = await either.inbox("a", size=2)
    texts = [one["text"] for one in newest["items"]]
    assert ["meeting 3" in texts[0], "meeting 4" in texts[1], len(texts)] == [True, True, 2]
    assert (await either.inbox("a", cursor=newest["nextCursor"]))["items"] == []
    everything = await either.inbox("a")
    ids = [one["messageId"] for one in everything["items"]]
    assert len(ids) == 5
    answer = await either.call("inboxread", {"requesterUid": "a", "messageId": str(ids[2])})
    assert answer.json() == ONE
    marked = await either.inbox("a")
    assert [one["read"] for one in marked["items"]] == [True, True, True, False, False]
    assert marked["unread"] == 2
    answer = await either.call("inboxread", {"requesterUid": "b", "messageId": ids[2]})
    assert refusal(answer) == (4600, "参数错误: messageId 不存在")


async def test_a_message_is_in_its_readers_language_and_zone_else_the_organisations(either: World) -> None:
    await either.add_org(84003, timezone="Europe/Berlin")
    await either.add_app(9, orgs=(84003,))
    either.token = await either.get_token(9)
    people = [
        Person(org_id=84003, uid="a", name="A", timezone="UTC"),
        Person(org_id=84003, uid="b", name="B", locale="en"),
    ]
    await either.storage.import_people(people)
    await either.create()
    await either.dispatch()
    shown = {uid: (await either.inbox(uid))["items"][0]["text"] for uid in "abc"}
    assert "时间：11月24日 周二 08:00–09:00" in shown["a"]
    assert "Tue 24 Nov 09:00–10:00" in shown["b"]
    assert "时间：11月24日 周二 09:00–10:00" in shown["c"]


async def test_an_inbox_cursor_goes_on_where_it_stood(either: World) -> None:
    start = (await either.inbox("a"))["nextCursor"]
    first = await either.create()
    await either.dispatch()
    page = await either.inbox("a", cursor=start)
    assert [one["meetingInviteId"] for one in page["items"]] == [first]
    second = await either.create()
    await either.dispatch()
    page = await either.inbox("a", cursor=page["nextCursor"], size=1)
    assert [one["meetingInviteId"] for one in page["items"]] == [second]


async def test_a_member_reads_then_accepts_and_the_creator_hears_of_it(either: World) -> None:
    meeting_id = await either.create()
    assert await act(either, "read", "a", meeting_id) == ONE
    assert (await states(either, meeting_id))["a"] == (1, True)
    assert await act(either, "respond", "a", meeting_id, msgStatus="2", reply="好") == ONE
    assert await act(either, "respond", "b", meeting_id, msgStatus=3) == ONE
    assert await act(either, "read", "a", meeting_id) == ONE
    assert await states(either, meeting_id) == {"a": (2, True), "b": (3, True), "c": (0, True)}
    await either.dispatch()
    either.clock.at += 10_000
    await either.dispatch()
    items = (await either.inbox("boss"))["items"]
    assert [one["kind"] for one in items] == ["answered"]
    assert items[0]["text"] == "name of a已接受（好），name of b已拒绝：预算讨论"


async def test_an_answer_may_change_until_the_meeting_ends(either: World) -> None:
    meeting_id = await either.create()
    await act(either, "respond", "a", meeting_id, msgStatus=2)
    assert await act(either, "respond", "a", meeting_id, msgStatus=3) == ONE
    either.clock.at = BEGIN + HOUR + 1
    assert (await act(either, "respond", "a", meeting_id, msgStatus=2))["status"] == 4603
    assert (await states(either, meeting_id))["a"][0] == 3


async def test_a_moved_meeting_takes_all_answers_back_and_an_edited_one_none(either: World) -> None:
    meeting_id = await either.create()
    await act(either, "respond", "a", meeting_id, msgStatus=2, reply="好")
    assert await update(either, meeting_id, address="四楼") == ONE
    assert (await states(either, meeting_id))["a"][0] == 2
    assert await update(either, meeting_id, address="四楼", beginTime=BEGIN + MINUTE) == ONE
    assert (await states(either, meeting_id))["a"][0] == 0
    after = await either.detail(meeting_id)
    assert (after["sequence"], after["detail"]["address"]) == (2, "四楼")


async def test_of_two_changes_before_anybody_was_told_only_the_outcome_is_told(either: World) -> None:
    meeting_id = await either.create()
    await update(either, meeting_id, address="四楼")
    assert await kinds(either, "a") == ["invited"]
    assert "地点：四楼" in (await either.inbox("a"))["items"][0]["text"]


async def test_an_update_tells_each_person_what_it_means_to_them(either: World) -> None:
    meeting_id = await either.create()
    await either.dispatch()
    await act(either, "respond", "b", meeting_id, msgStatus=3)
    await update(either, meeting_id, address="四楼", members=members("a", "b", "d"))
    assert await kinds(either, "a") == ["invited", "updated"]
    assert await kinds(either, "b") == ["invited"]
    assert await kinds(either, "c") == ["invited", "removed"]
    assert await kinds(either, "d") == ["invited"]
    assert set(await states(either, meeting_id)) == {"a", "b", "d"}
    updated = (await either.inbox("a"))["items"][1]
    assert updated["text"] == "会议有变更：预算讨论。时间：11月24日 周二 16:00–17:00；地点由 三楼 改为 四楼"
    assert (await act(either, "detail", "c", meeting_id))["status"] == 4601


async def test_notify_none_tells_nobody_but_moves_the_push_status(either: World) -> None:
    answer = await either.call("create", creation() | {"notify": "none"})
    meeting_id = data(answer)["meetingInviteId"]
    assert await update(either, meeting_id, address="四楼", notify="none") == ONE
    assert await kinds(either, "a") == []
    assert (await either.detail(meeting_id))["pushStatus"] == 1


async def test_cancel_is_idempotent_and_closes_the_meeting(either: World) -> None:
    meeting_id = await either.create()
    await either.dispatch()
    assert await act(either, "cancel", "boss", meeting_id) == ONE
    assert await act(either, "cancel", "boss", meeting_id) == ONE
    assert await kinds(either, "a") == ["invited", "cancelled"]
    assert (await update(either, meeting_id))["status"] == 4603
    assert (await act(either, "respond", "a", meeting_id, msgStatus=2))["status"] == 4603
    assert (await act(either, "remindagain", "boss", meeting_id))["status"] == 4603
    for name, rest in (("read", {}), ("remind", {"remind": False}), ("delete", {}), ("detail", {})):
        assert (await act(either, name, "a", meeting_id, **rest))["status"] == 0, name


async def test_delete_takes_only_ones_own_card_and_detail_still_works(either: World) -> None:
    meeting_id = await either.create()
    assert await act(either, "delete", "a", meeting_id) == ONE
    assert await act(either, "delete", "a", meeting_id) == ONE
    assert await act(either, "delete", "boss", meeting_id) == ONE
    assert (await either.detail(meeting_id, "a"))["pushStatus"] == 0


async def test_only_the_creator_updates_cancels_and_nudges(either: World) -> None:
    meeting_id = await either.create()
    assert await update(either, meeting_id, uid="a") == {"status": 4602, "message": "仅限会议创建者调用"}
    assert (await act(either, "cancel", "a", meeting_id))["status"] == 4602
    assert (await act(either, "remindagain", "a", meeting_id))["status"] == 4602


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("detail", {}),
        ("read", {}),
        ("delete", {}),
        ("cancel", {}),
        ("remindagain", {}),
        ("remind", {"remind": 0}),
        ("respond", {"msgStatus": 2}),
        ("update", {"detail": detail_of()}),
    ],
)
async def test_who_is_no_part_of_a_meeting_cannot_tell_it_from_none(
    here: World, name: str, rest: dict[str, Any]
) -> None:
    meeting_id = await here.create()
    stranger = await act(here, name, "stranger", meeting_id, **rest)
    nothing = await act(here, name, "boss", meeting_id + 1, **rest)
    assert stranger == nothing == {"status": 4601, "message": "会议邀请不存在"}


async def test_another_organisations_meeting_does_not_exist(either: World) -> None:
    await either.add_org(84001)
    await either.add_app(8, orgs=(84000, 84001))
    other = await either.get_token(8)
    meeting_id = await either.create()
    body = {"requesterUid": "boss", "meetingInviteId": meeting_id}
    assert refusal(await either.call("detail", body, token=other, headers={"orgId": "84001"}))[0] == 4601
    assert data(await either.call("detail", body, token=other, headers={"orgId": "84000"}))["orgId"] == 84000


async def test_remind_turns_ones_own_reminders_off_and_on(either: World) -> None:
    meeting_id = await either.create()
    assert await act(either, "remind", "a", meeting_id, remind="FALSE") == ONE
    assert (await states(either, meeting_id))["a"] == (0, False)
    await update(either, meeting_id, beginTime=BEGIN + MINUTE)
    assert (await states(either, meeting_id))["a"] == (0, False)
    assert await act(either, "remind", "a", meeting_id, remind=1) == ONE
    assert (await states(either, meeting_id))["a"] == (0, True)


async def test_remindagain_nudges_the_unanswered_once_in_five_minutes(either: World) -> None:
    meeting_id = await either.create()
    await act(either, "respond", "a", meeting_id, msgStatus=2)
    assert await act(either, "remindagain", "boss", meeting_id) == ONE
    either.clock.at += 60_000
    assert await act(either, "remindagain", "boss", meeting_id) == {
        "status": 4600,
        "message": "参数错误: meetingInviteId 请在240秒后再提醒",
    }
    assert await kinds(either, "a") == ["invited"]
    assert await kinds(either, "b") == ["invited", "nudged"]
    either.clock.at += 240_000
    assert await act(either, "remindagain", "boss", meeting_id) == ONE


async def test_the_reminder_comes_in_time_with_the_minutes_left(either: World) -> None:
    await either.create()
    await either.dispatch()
    either.clock.at = BEGIN - 15 * MINUTE
    assert await kinds(either, "boss") == ["reminder"]
    assert (await either.inbox("a"))["items"][1]["text"].startswith("会议将在15分钟后开始：预算讨论")


async def test_a_sequence_that_is_no_longer_the_meetings_is_refused(either: World) -> None:
    meeting_id = await either.create()
    assert await update(either, meeting_id, beginTime=BEGIN + MINUTE, sequence=0) == ONE
    refused = {"status": 4605, "message": "会议已被修改，当前sequence为1"}
    assert await update(either, meeting_id, sequence="0") == refused
    assert await act(either, "cancel", "boss", meeting_id, sequence=0) == refused
    assert await act(either, "respond", "a", meeting_id, msgStatus=2, sequence=0) == refused
    assert await act(either, "respond", "a", meeting_id, msgStatus=2, sequence=1) == ONE


async def test_a_creator_who_is_no_member_neither_reads_nor_responds(either: World) -> None:
    meeting_id = await either.create()
    refused = {"status": 4600, "message": "参数错误: requesterUid 不是会议成员"}
    assert await act(either, "read", "boss", meeting_id) == refused
    assert await act(either, "respond", "boss", meeting_id, msgStatus=2) == refused


async def test_a_creator_who_is_a_member_answers_but_is_never_invited(either: World) -> None:
    meeting_id = await either.create(members=members("boss", "a"))
    assert await kinds(either, "boss") == []
    assert (await states(either, meeting_id))["boss"] == (0, True)
    assert await act(either, "respond", "boss", meeting_id, msgStatus=2) == ONE


async def test_a_closed_directory_knows_whom_it_knows(either: World) -> None:
    await either.add_org(84002, closed=True)
    await either.add_app(9, orgs=(84002,))
    token = await either.get_token(9)
    refused = refusal(await either.call("create", creation(), token=token))
    assert refused == (4500, "用户不存在: boss")
    refused = refusal(await either.call("inbox", {"requesterUid": "nobody"}, token=token))
    assert refused == (4500, "用户不存在: nobody")
    refused = refusal(await either.call("inboxread", {"requesterUid": "nobody", "messageId": 1}, token=token))
    assert refused == (4500, "用户不存在: nobody")


async def test_times_in_the_past_are_records_and_tell_only_the_inboxes(either: World) -> None:
    meeting_id = await either.create(beginTime=BEGIN - 24 * HOUR, endTime=BEGIN - 23 * HOUR)
    assert await kinds(either, "a") == ["invited"]
    assert (await either.detail(meeting_id))["pushStatus"] == 1
    assert (await act(either, "respond", "a", meeting_id, msgStatus=2))["status"] == 4603
