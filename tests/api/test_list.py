"""The cards on a person's workbench, page by page (contract section 6, list)."""

from typing import Any

import pytest

from huiyao.model import Person
from tests.api.world import BEGIN, HOUR, ORG, World, creation, data, members, refusal


async def listed(world: World, uid: str = "a", **wanted: Any) -> dict[str, Any]:
    return data(await world.call("list", {"requesterUid": uid, **wanted}))


async def ids(world: World, uid: str = "a", **wanted: Any) -> list[int]:
    return [one["meetingInviteId"] for one in (await listed(world, uid, **wanted))["items"]]


async def pages(world: World, uid: str = "a", **wanted: Any) -> list[list[int]]:
    """The ids of every page."""
    found = []
    cursor: dict[str, Any] = {}
    while True:
        page = await listed(world, uid, **wanted, **cursor)
        found.append([one["meetingInviteId"] for one in page["items"]])
        if "nextCursor" not in page:
            return found
        cursor = {"cursor": page["nextCursor"]}


async def act(world: World, name: str, meeting_id: int, uid: str = "a", **more: Any) -> None:
    answer = await world.call(name, {"requesterUid": uid, "meetingInviteId": meeting_id, **more})
    assert answer.json() == {"status": 0}


async def test_an_item_is_the_meeting_with_the_requesters_own_part(either: World) -> None:
    meeting_id = await either.create(remindType=1)
    await either.dispatch()
    await act(either, "respond", meeting_id, msgStatus=2, reply="准时到")
    await act(either, "remind", meeting_id, remind=False)
    item = {
        "meetingInviteId": meeting_id,
        "orgId": ORG,
        "createrId": "boss",
        "createrName": "老板",
        "pushStatus": 1,
        "sequence": 0,
        "content": "预算讨论",
        "address": "三楼",
        "beginTime": BEGIN,
        "endTime": BEGIN + HOUR,
        "remindMin": 15,
        "remindType": 1,
        "msgStatus": 2,
        "remind": False,
        "isRemind": False,
        "reply": "准时到",
    }
    assert await listed(either) == {"items": [item]}
    other = item | {"msgStatus": 0, "remind": True, "isRemind": True, "reply": ""}
    assert await listed(either, "b") == {"items": [other]}


async def test_a_creator_has_an_answer_only_as_a_member(here: World) -> None:
    await here.create(members=members("a"))
    await here.create(members=members("a", "boss"))
    as_member, as_creator = (await listed(here, "boss"))["items"]
    assert as_member["msgStatus"] == 0
    assert "msgStatus" not in as_creator
    assert (as_creator["remind"], as_creator["isRemind"], as_creator["reply"]) == (True, True, "")


async def test_who_has_no_cards_gets_an_empty_list(here: World) -> None:
    await here.create()
    assert await listed(here, "stranger") == {"items": []}


async def test_the_newest_meeting_comes_first_whenever_it_begins(either: World) -> None:
    made = [await either.create(beginTime=BEGIN - one * HOUR) for one in range(3)]
    assert await ids(either) == made[::-1]


@pytest.mark.parametrize("number", [4, 5])
async def test_pages_follow_each_other_to_the_end_which_has_no_cursor(either: World, number: int) -> None:
    made = [await either.create() for _ in range(number)][::-1]
    assert await pages(either, size=2) == [made[start : start + 2] for start in range(0, number, 2)]
    assert await pages(either, size=200) == [made]


async def test_a_page_has_50_cards_unless_size_says_otherwise(here: World) -> None:
    for _ in range(51):
        await here.create(members=members("a"))
    assert [len(page) for page in await pages(here)] == [50, 1]


async def test_pages_stay_stable_while_meetings_come_and_go(either: World) -> None:
    made = [await either.create() for _ in range(6)]
    first = await listed(either, size=2)
    await either.create()
    await act(either, "delete", made[4])  # the last one given
    await act(either, "delete", made[2])
    await act(either, "respond", made[3], msgStatus=3)
    second = await listed(either, size=2, cursor=first["nextCursor"])
    rest = await listed(either, size=2, cursor=second["nextCursor"])
    found = [one["meetingInviteId"] for page in (first, second, rest) for one in page["items"]]
    assert found == [made[5], made[4], made[3], made[1], made[0]]
    assert "nextCursor" not in rest


async def test_a_role_is_the_requesters_own_meetings_or_others(either: World) -> None:
    own = await either.create(uid="a", members=members("a", "b"))
    other = await either.create()
    assert await ids(either, role="created") == [own]
    assert await ids(either, role="invited") == [other]
    assert await ids(either) == [other, own]


async def test_an_answer_is_the_requesters_own_as_a_member(either: World) -> None:
    unread, read, accepted, declined = [await either.create() for _ in range(4)]
    await act(either, "read", read)
    await act(either, "respond", accepted, msgStatus=2)
    await act(either, "respond", declined, msgStatus=3)
    await act(either, "respond", unread, "b", msgStatus=2)
    for status, meeting_id in enumerate((unread, read, accepted, declined)):
        assert await ids(either, msgStatus=status) == [meeting_id]
    assert await ids(either, "boss", msgStatus=0) == []


async def test_a_window_holds_what_reaches_into_it(either: World) -> None:
    made = [
        await either.create(beginTime=begin, endTime=begin + HOUR)
        for begin in range(BEGIN, BEGIN + 5 * HOUR, HOUR)
    ]
    assert await ids(either, beginTime=BEGIN + HOUR) == made[:0:-1]
    assert await ids(either, endTime=BEGIN + HOUR) == [made[0]]
    assert await ids(either, beginTime=BEGIN + HOUR + 1, endTime=BEGIN + 3 * HOUR) == [made[2], made[1]]
    assert await ids(either, beginTime=BEGIN + 5 * HOUR) == []
    half = BEGIN + HOUR // 2
    assert await ids(either, beginTime=half, endTime=half) == [made[0]]


async def test_everything_wanted_holds_at_once_and_on_every_page(either: World) -> None:
    wanted: list[int] = []
    for number in range(4):
        meeting_id = await either.create()
        await either.create(uid="a")
        if number != 2:
            await act(either, "respond", meeting_id, msgStatus=2)
            wanted.insert(0, meeting_id)
    assert await pages(either, size=2, role="invited", msgStatus=2) == [wanted[:2], wanted[2:]]


async def test_cancelled_meetings_stay_and_removed_cards_and_members_do_not(either: World) -> None:
    cancelled, deleted, removed = [await either.create() for _ in range(3)]
    await act(either, "cancel", cancelled, "boss")
    await act(either, "delete", deleted)
    detail = creation(members=members("b"))["detail"]
    await act(either, "update", removed, "boss", detail=detail)
    (item,) = (await listed(either))["items"]
    assert (item["meetingInviteId"], item["pushStatus"], item["sequence"]) == (cancelled, 2, 1)
    assert await ids(either, "boss") == [removed, deleted, cancelled]


async def test_another_organisations_meetings_are_not_shown(either: World) -> None:
    await either.add_org(84001)
    await either.add_app(8, orgs=(84001,))
    await either.create()
    other = await either.get_token(8)
    answer = await either.call("list", {"requesterUid": "a"}, token=other)
    assert data(answer) == {"items": []}


async def test_a_closed_directory_lists_for_the_people_it_knows(here: World) -> None:
    await here.add_org(84001, closed=True)
    await here.add_app(8, orgs=(84001,))
    here.token = await here.get_token(8)
    await here.storage.import_people([Person(org_id=84001, uid="known", name="known")])
    assert await listed(here, "known") == {"items": []}
    assert refusal(await here.call("list", {"requesterUid": "a"})) == (4500, "用户不存在: a")


async def test_a_wrong_window_or_cursor_is_named(here: World) -> None:
    window = {"requesterUid": "a", "beginTime": BEGIN, "endTime": BEGIN - 1}
    assert refusal(await here.call("list", window)) == (4600, "参数错误: endTime 不能早于beginTime")
    cursor = {"requesterUid": "a", "cursor": "AAAA"}
    assert refusal(await here.call("list", cursor)) == (4600, "参数错误: cursor 不是有效的游标")
    assert refusal(await here.call("list", {}))[0] == 4501
