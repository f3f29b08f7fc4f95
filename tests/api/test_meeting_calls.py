"""The client's later generation of the same calls (contract section 5)."""

from typing import Any
from urllib.parse import quote_plus

import httpx

from tests.api.world import BEGIN, HOUR, NOW, World, data, detail_of, members, refusal

SECRET_OF_84000 = "AQB3AQAAAAAAACBIAQAAAAAA"


def context(uid: str = "boss", name: str = "老板", **rest: str) -> dict[str, str]:
    """The headers of a caller who names the organisation by orgSecret."""
    return {"uid": uid, "name": quote_plus(name), "orgSecret": SECRET_OF_84000, **rest}


async def create(world: World, *, headers: dict[str, str] | None = None, **changes: Any) -> int:
    answer = await world.post("meeting/create", detail_of(**changes), headers=headers or context())
    found = data(answer)
    assert found == {"meetingInviteId": found["meetingId"], "meetingId": found["meetingId"]}
    return int(found["meetingId"])


async def detail(world: World, meeting_id: int, uid: str = "boss") -> dict[str, Any]:
    return data(await world.get("meeting/detail", {"meetingId": meeting_id}, uid=uid))


async def on(
    world: World, name: str, meeting_id: int, *, uid: str = "boss", body: object = None
) -> httpx.Response:
    return await world.post(f"meeting/{name}", body, query={"meetingId": meeting_id}, headers=context(uid))


async def test_detail_answers_everything_the_platforms_does(either: World) -> None:
    meeting_id = await create(either, members=members("a"), createTime=0)
    assert await detail(either, meeting_id) == {
        "creator": {
            "uid": "boss",
            "name": "老板",
            "isRemind": True,
            "isDelete": False,
            "isBindingMail": False,
        },
        "status": 0,
        "detail": {
            "createTime": NOW,
            "content": "预算讨论",
            "address": "三楼",
            "beginTime": BEGIN,
            "endTime": BEGIN + HOUR,
            "remindMin": 15,
            "remindType": 0,
            "members": [
                {
                    "uid": "a",
                    "name": "name of a",
                    "status": 0,
                    "isRemind": True,
                    "gmtReply": "",
                    "isDelete": False,
                    "isBindingMail": False,
                }
            ],
            "orgId": 84000,
            "voiceLength": 0,
            "comments": 0,
            "signs": 0,
            "meetingRoomId": 0,
            "roomOrgId": 0,
            "roomAddrId": 0,
            "meetRoomApproveStatus": -1,
            "isPermitOtherSign": 0,
        },
        "signModel": 0,
        "isSign": False,
        "remindAgainTime": 0,
    }


async def test_a_reply_shows_with_its_moment_in_the_organisations_zone(here: World) -> None:
    meeting_id = await create(here)
    body = {"requesterUid": "a", "meetingInviteId": meeting_id, "msgStatus": 2, "reply": "好"}
    await here.call("respond", body)
    await here.call("delete", {"requesterUid": "a", "meetingInviteId": meeting_id})
    member = (await detail(here, meeting_id))["detail"]["members"][0]
    assert (member["status"], member["reply"], member["gmtReply"]) == (2, "好", "2026-11-24 14:00:00")
    assert member["isDelete"] is True


async def test_the_times_of_nudge_and_creators_card_show(here: World) -> None:
    meeting_id = await create(here)
    await here.call("remindagain", {"requesterUid": "boss", "meetingInviteId": meeting_id})
    await here.call("remind", {"requesterUid": "boss", "meetingInviteId": meeting_id, "remind": False})
    assert (await on(here, "delete", meeting_id)).json() == {"status": 0}
    found = await detail(here, meeting_id)
    assert found["remindAgainTime"] == NOW
    assert (found["creator"]["isRemind"], found["creator"]["isDelete"]) == (False, True)


async def test_a_meeting_made_on_one_path_is_seen_on_the_other(either: World) -> None:
    made_here = await create(either)
    assert (await either.detail(made_here))["createrName"] == "老板"
    made_there = await either.create()
    assert (await detail(either, made_there, "a"))["creator"]["uid"] == "boss"


async def test_update_and_cancel_take_the_meeting_from_the_query_and_answer_no_data(either: World) -> None:
    meeting_id = await create(either, createTime=NOW - HOUR)
    changed = detail_of(address="四楼", createTime=0, members=members("a", "d"))
    assert (await on(either, "update", meeting_id, body=changed)).json() == {"status": 0}
    found = (await detail(either, meeting_id))["detail"]
    assert (found["address"], found["createTime"]) == ("四楼", NOW - HOUR)
    assert [one["uid"] for one in found["members"]] == ["a", "d"]
    assert (await on(either, "cancel", meeting_id)).json() == {"status": 0}
    assert (await detail(either, meeting_id))["status"] == 2


async def test_numbers_that_are_not_set_have_their_defaults(here: World) -> None:
    meeting_id = await create(here, createTime=..., remindMin=..., remindType=...)
    found = (await detail(here, meeting_id))["detail"]
    assert (found["createTime"], found["remindMin"], found["remindType"]) == (NOW, 0, 0)


async def test_is_remind_false_takes_a_members_reminder_away(here: World) -> None:
    invited = [{"uid": "a", "name": "A", "isRemind": False}, {"uid": "b", "name": "B", "isRemind": True}]
    meeting_id = await create(here, members=invited)
    found = (await detail(here, meeting_id))["detail"]["members"]
    assert [one["isRemind"] for one in found] == [False, True]


async def test_beside_org_secret_the_name_is_url_encoded(here: World) -> None:
    meeting_id = await create(here, headers=context(name="王 小+二%"))
    assert (await here.detail(meeting_id))["createrName"] == "王 小+二%"


async def test_without_org_secret_the_name_is_plain_utf8_or_latin1(here: World) -> None:
    for name, raw in (("王+小%41", "王+小%41".encode()), ("Müller", "Müller".encode("latin-1"))):
        headers = {b"uid": b"boss", b"name": raw, b"orgId": b"84000"}
        answer = await here.http.post(
            "meeting/create", params={"accessToken": here.token}, json=detail_of(), headers=headers
        )
        assert (await here.detail(data(answer)["meetingId"]))["createrName"] == name


async def test_a_name_that_is_no_utf8_is_refused(here: World) -> None:
    answer = await here.post("meeting/create", detail_of(), headers=context() | {"name": "%ff%fe"})
    assert refusal(answer) == (4600, "参数错误: name 不是UTF-8编码")


async def test_create_needs_a_name_and_the_other_calls_do_not(here: World) -> None:
    headers = {"uid": "boss"}
    assert refusal(await here.post("meeting/create", detail_of(), headers=headers)) == (
        4600,
        "参数错误: name 不能为空",
    )
    meeting_id = await create(here)
    for name, body in (("update", detail_of()), ("delete", None), ("cancel", None)):
        answer = await here.post(f"meeting/{name}", body, query={"meetingId": meeting_id}, headers=headers)
        assert answer.json() == {"status": 0}, name


async def test_a_missing_uid_is_told_last(here: World) -> None:
    assert refusal(await here.get("meeting/detail", {"meetingId": "x"}))[0] == 4600
    assert refusal(await here.get("meeting/detail", {"meetingId": 1})) == (4501, "请求者不能为空: uid")
    assert refusal(await here.get("meeting/detail", {"meetingId": 1}, uid=" "))[0] == 4501


async def test_a_meeting_id_that_is_missing_or_no_number_names_itself(here: World) -> None:
    assert refusal(await here.get("meeting/detail", uid="a")) == (4600, "参数错误: meetingId 不能为空")
    for wrong in ("", "x", "0", "1.5", "9" * 30):
        answer = await here.get("meeting/detail", {"meetingId": wrong}, uid="a")
        assert refusal(answer)[1].startswith("参数错误: meetingId "), wrong


async def test_the_body_is_the_detail_and_faults_are_named_without_it(here: World) -> None:
    wrong = detail_of(members=[{"uid": "a", "name": "A"}, {"name": "B"}])
    answer = await here.post("meeting/create", wrong, headers=context())
    assert refusal(answer) == (4600, "参数错误: members[1].uid 不能为空")


async def test_only_calls_with_a_body_answer_4012(here: World) -> None:
    meeting_id = await create(here)
    assert refusal(await here.post("meeting/create", headers=context()))[0] == 4012
    assert refusal(await on(here, "update", meeting_id))[0] == 4012
    assert (await on(here, "cancel", meeting_id, body=b"garbage")).json() == {"status": 0}


async def test_an_org_id_of_0_in_the_body_is_one_not_set(here: World) -> None:
    for org_id in (0, 84000, "84000"):
        answer = await here.post(
            "meeting/create", detail_of(orgId=org_id), headers={"uid": "boss", "name": "B"}
        )
        assert answer.json()["status"] == 0
    answer = await here.post("meeting/create", detail_of(orgId=1), headers={"uid": "boss", "name": "B"})
    assert refusal(answer)[0] == 4016
