"""When people are busy, and nothing about what with (contract section 6, freebusy)."""

from typing import Any

import pytest

from huiyao.model import Grant, Person
from tests.api.world import APP, BEGIN, HOUR, MINUTE, World, creation, data, members, refusal

WINDOW = {"beginTime": BEGIN, "endTime": BEGIN + 24 * HOUR}


@pytest.fixture
async def granted(either: World) -> World:
    """A world, on each database in turn, whose app may ask."""
    await either.add_app(8, grants=frozenset({Grant.FREEBUSY}))
    either.token = await either.get_token(8)
    return either


async def times(world: World, *uids: str, **changes: Any) -> list[dict[str, Any]]:
    """The items as the wire has them."""
    answer = await world.call("freebusy", {"requesterUid": "z", "uids": list(uids), **WINDOW, **changes})
    items = data(answer)["items"]
    assert isinstance(items, list)
    return items


def span(begin_hours: float, end_hours: float) -> dict[str, Any]:
    """As the wire has it, from the window's beginning."""
    return {"beginTime": BEGIN + int(begin_hours * HOUR), "endTime": BEGIN + int(end_hours * HOUR)}


async def meeting(world: World, begin_hours: float, end_hours: float, **changes: Any) -> int:
    return await world.create(**span(begin_hours, end_hours), **changes)


async def respond(world: World, meeting_id: int, uid: str, status: int) -> None:
    sent = {"requesterUid": uid, "meetingInviteId": meeting_id, "msgStatus": status}
    assert (await world.call("respond", sent)).json() == {"status": 0}


async def test_an_app_without_the_permission_learns_nothing(here: World) -> None:
    await here.add_app(8, grants=frozenset({Grant.TICKET, Grant.CHANGES}))
    asked = {"requesterUid": "z", "uids": ["a"], **WINDOW}
    for app_id in (APP, 8):
        token = await here.get_token(app_id)
        assert refusal(await here.call("freebusy", asked, token=token)) == (4013, "应用无权调用该接口")


async def test_each_answer_makes_busy_tentative_or_free(granted: World) -> None:
    meeting_id = await meeting(granted, 1, 2, members=members("a", "b", "c", "d"))
    await respond(granted, meeting_id, "a", 2)
    await respond(granted, meeting_id, "b", 3)
    sent = {"requesterUid": "c", "meetingInviteId": meeting_id}
    assert (await granted.call("read", sent)).json() == {"status": 0}
    there = [span(1, 2)]
    assert await times(granted, "d", "boss", "c", "b", "a", "nobody") == [
        {"uid": "d", "busy": [], "tentative": there},
        {"uid": "boss", "busy": there, "tentative": []},
        {"uid": "c", "busy": [], "tentative": there},
        {"uid": "b", "busy": [], "tentative": []},
        {"uid": "a", "busy": there, "tentative": []},
        {"uid": "nobody", "busy": [], "tentative": []},
    ]


async def test_a_creator_who_declined_their_own_meeting_is_free(granted: World) -> None:
    meeting_id = await meeting(granted, 1, 2, members=members("a", "boss"))
    assert (await times(granted, "boss"))[0]["busy"] == [span(1, 2)]
    await respond(granted, meeting_id, "boss", 3)
    assert await times(granted, "boss") == [{"uid": "boss", "busy": [], "tentative": []}]


async def test_cancelling_and_removing_set_people_free_and_removing_the_card_does_not(
    granted: World,
) -> None:
    cancelled, deleted, removed = [await meeting(granted, hour, hour + 1) for hour in (1, 3, 5)]
    for name, meeting_id, uid, more in (
        ("cancel", cancelled, "boss", {}),
        ("delete", deleted, "a", {}),
        ("update", removed, "boss", {"detail": creation(**span(5, 6), members=members("b"))["detail"]}),
    ):
        sent = {"requesterUid": uid, "meetingInviteId": meeting_id, **more}
        assert (await granted.call(name, sent)).json() == {"status": 0}
    assert await times(granted, "a") == [{"uid": "a", "busy": [], "tentative": [span(3, 4)]}]


async def test_intervals_are_joined_cut_to_the_window_and_busy_where_both(granted: World) -> None:
    for begin, end, status in ((-1, 2, 2), (1, 3, 2), (2.5, 5, 0), (5, 6, 0), (5.5, 5.75, 2), (23, 30, 0)):
        meeting_id = await meeting(granted, begin, end)
        if status:
            await respond(granted, meeting_id, "a", status)
    await meeting(granted, 8, 8)
    (found,) = await times(granted, "a")
    assert found["busy"] == [span(0, 3), span(5.5, 5.75)]
    assert found["tentative"] == [span(3, 5.5), span(5.75, 6), span(23, 24)]


async def test_a_person_asked_for_twice_is_answered_once_in_the_first_place(granted: World) -> None:
    assert [one["uid"] for one in await times(granted, "b", "a", "b")] == ["b", "a"]


async def test_neither_titles_nor_places_nor_ids_are_told(granted: World) -> None:
    meeting_id = await meeting(granted, 1, 2, content="secret plan", address="secret place")
    await respond(granted, meeting_id, "a", 2)
    answer = await granted.call("freebusy", {"requesterUid": "z", "uids": ["a", "b", "boss"], **WINDOW})
    assert len(data(answer)["items"]) == 3
    assert "secret" not in answer.text
    for item in data(answer)["items"]:
        assert item.keys() == {"uid", "busy", "tentative"}
        assert all(one.keys() == {"beginTime", "endTime"} for one in item["busy"] + item["tentative"])


async def test_another_organisations_meetings_make_nobody_busy(granted: World) -> None:
    await granted.add_org(84001)
    await granted.add_app(9, orgs=(84001,), grants=frozenset({Grant.FREEBUSY}))
    await meeting(granted, 1, 2)
    granted.token = await granted.get_token(9)
    assert await times(granted, "boss") == [{"uid": "boss", "busy": [], "tentative": []}]


async def test_a_closed_directory_names_the_requester_before_the_others(here: World) -> None:
    await here.add_org(84001, closed=True)
    await here.add_app(9, orgs=(84001,), grants=frozenset({Grant.FREEBUSY}))
    here.token = await here.get_token(9)
    await here.storage.import_people([Person(org_id=84001, uid=uid, name=uid) for uid in ("z", "a")])
    assert len(await times(here, "a")) == 1
    for requester, unknown in (("x", "x"), ("z", "b")):
        sent = {"requesterUid": requester, "uids": ["a", "b"], **WINDOW}
        assert refusal(await here.call("freebusy", sent)) == (4500, f"用户不存在: {unknown}")


async def test_a_window_of_more_than_31_days_is_refused_by_name(granted: World) -> None:
    longest = BEGIN + 31 * 24 * HOUR
    assert len(await times(granted, "a", endTime=longest)) == 1
    sent = {"requesterUid": "z", "uids": ["a"], "beginTime": BEGIN, "endTime": longest + MINUTE}
    assert refusal(await granted.call("freebusy", sent)) == (
        4600,
        "参数错误: endTime 不能晚于beginTime之后31天",
    )
