"""The traffic of the platform's Java client, both generations, as it is seen on the wire.

It says who it is in User-Agent, sends every scalar of the first generation as a string, what is not set in the later
one as 0, and gives members back with everything `detail` told of them. Of the answers it believes `success` first.
"""

import json
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest

from tests.api.world import BEGIN, HOUR, NOW, SECRET, World

ORG_SECRET = "AQB3AQAAAAAAAKlMAQAAAAAA"
AGENT = "open-api-sdk(1.0.3)"


class JavaClient:
    """What the client does with a base URL, app id and secret."""

    def __init__(self, world: World, app_id: int) -> None:
        self._world = world
        self._app_id = app_id
        self._token = ""
        self._expire_time = 0

    async def _send(self, method: str, path: str, headers: dict[str, str], body: str = "") -> Any:
        """The data of a success; what the client throws otherwise is an AssertionError."""
        answer = await self._world.http.request(
            method, path, headers={"User-Agent": AGENT, **headers}, content=body.encode()
        )
        assert answer.status_code == 200, "anything else is a transport failure to it"
        whole = answer.json()
        assert whole["success"] is True, whole
        assert whole["status"] == 0
        return whole.get("data")

    async def token(self) -> str:
        """A token that has 60 seconds left at the least."""
        if self._expire_time - self._world.clock.now() < 60_000:
            path = f"token/get?appId={self._app_id}&appSecret={SECRET}&flags=0"
            found = await self._send("GET", path, {})
            self._token, self._expire_time = found["accessToken"], found["expireTime"]
        return self._token

    async def first(self, name: str, body: dict[str, Any]) -> Any:
        """A call of the first generation: a form's content type, token in the query, scalars as strings."""
        path = f"workbench/meetinginvite/{name}?accessToken={await self.token()}"
        headers = {"Content-Type": "application/json; charset=utf-8", "orgSecret": ORG_SECRET}
        return await self._send("POST", path, headers, json.dumps(body, ensure_ascii=False))

    async def later(
        self, method: str, name: str, uid: str, body: dict[str, Any] | None = None, query: str = ""
    ) -> Any:
        """A call of the later generation: context in headers."""
        headers = {
            "accessToken": await self.token(),
            "uid": uid,
            "name": quote_plus("王 小二"),
            "orgSecret": ORG_SECRET,
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = "" if body is None else json.dumps(body)
        return await self._send(method, f"meeting/{name}{query}", headers, content)


@pytest.fixture
async def client(here: World) -> JavaClient:
    await here.add_org(85161)
    await here.add_app(8, orgs=(84000, 85161), default_org=84000)
    return JavaClient(here, 8)


async def test_the_first_generation_lives_through_a_whole_meeting(here: World, client: JavaClient) -> None:
    detail = {
        "createTime": str(NOW),
        "content": "预算讨论",
        "address": "三楼",
        "beginTime": str(BEGIN),
        "endTime": str(BEGIN + HOUR),
        "remindMin": "15",
        "remindType": "0",
        "members": [{"uid": "13800138001", "name": "李四"}, {"uid": "13800138002", "name": "王五"}],
    }
    requester = {"requesterUid": "13800138000"}
    made = await client.first("create", requester | {"requesterName": "张三", "detail": detail})
    one = requester | {"meetingInviteId": str(made["meetingInviteId"])}
    found = await client.first("detail", one)
    assert (found["createrName"], found["orgId"], found["pushStatus"]) == ("张三", 85161, 0)
    assert all(type(member["remind"]) is bool for member in found["detail"]["members"])
    # It sends back what it was given, with what it added to it.
    again = found["detail"] | {"address": "四楼"}
    assert await client.first("update", one | {"detail": again}) is None
    found = await client.first("detail", one)
    assert (found["detail"]["address"], found["sequence"]) == ("四楼", 1)
    assert [member["uid"] for member in found["detail"]["members"]] == ["13800138001", "13800138002"]
    assert await client.first("cancel", one) is None
    assert await client.first("delete", one) is None
    assert (await client.first("detail", one))["pushStatus"] == 2


async def test_the_later_generation_lives_through_a_whole_meeting(here: World, client: JavaClient) -> None:
    body = {
        "content": "预算讨论",
        "address": "三楼",
        "beginTime": BEGIN,
        "endTime": BEGIN + HOUR,
        "createTime": 0,
        "remindMin": 0,
        "remindType": 0,
        "voiceLength": 0,
        "meetingRoomId": 0,
        "orgId": 0,
        "members": [
            {
                "uid": "u2",
                "name": "李四",
                "status": 0,
                "isRemind": True,
                "isDelete": False,
                "isBindingMail": False,
            }
        ],
    }
    made = await client.later("POST", "create", "u1", body)
    query = f"?meetingId={made['meetingId']}"
    found = await client.later("GET", "detail", "u1", query=query)
    assert (found["creator"]["name"], found["detail"]["createTime"]) == ("王 小二", NOW)
    _check_types(found)
    # The members go back as they came, and reply, status and gmtReply mean nothing on the way in.
    again = found["detail"] | {"createTime": 0, "address": "四楼"}
    again["members"][0] |= {"status": 3, "reply": "x", "gmtReply": "2026-01-01 00:00:00"}
    assert await client.later("POST", "update", "u1", again, query) is None
    found = await client.later("GET", "detail", "u2", query=query)
    assert (found["detail"]["address"], found["detail"]["members"][0]["status"]) == ("四楼", 0)
    assert await client.later("POST", "cancel", "u1", query=query) is None
    assert await client.later("POST", "delete", "u2", query=query) is None
    found = await client.later("GET", "detail", "u2", query=query)
    assert (found["status"], found["detail"]["members"][0]["isDelete"]) == (2, True)


async def test_a_post_it_sends_again_makes_no_second_meeting(here: World, client: JavaClient) -> None:
    body = {
        "content": "一",
        "address": "",
        "beginTime": BEGIN,
        "endTime": BEGIN,
        "members": [{"uid": "u2", "name": "李四"}],
    }
    made = [await client.later("POST", "create", "u1", body) for _ in range(3)]
    assert len({one["meetingId"] for one in made}) == 1


async def test_it_gets_a_new_token_when_its_own_runs_out(here: World, client: JavaClient) -> None:
    first = await client.token()
    here.clock.at += 31 * 86_400_000
    assert await client.token() != first
    assert await client.first("inbox", {"requesterUid": "u1"})


async def test_a_refusal_reaches_it_with_its_message(here: World, client: JavaClient) -> None:
    answer: httpx.Response = await here.http.get(
        "meeting/detail?meetingId=1",
        headers={
            "User-Agent": AGENT,
            "accessToken": await client.token(),
            "uid": "u1",
            "orgSecret": ORG_SECRET,
        },
    )
    assert answer.status_code == 200
    assert answer.json() == {"status": 4601, "message": "会议邀请不存在", "success": False}


def _check_types(found: dict[str, Any]) -> None:
    """Where it expects a boolean, number or string, it takes nothing else; gmtReply is a string even if empty."""
    booleans = {"isRemind", "isDelete", "isBindingMail", "isSign"}
    texts = {"uid", "name", "content", "address", "reply", "gmtReply"}
    nested = {"creator", "detail", "members"}

    def check(one: dict[str, Any]) -> None:
        for key, value in one.items():
            if key in booleans:
                assert type(value) is bool, key
            elif key in texts:
                assert type(value) is str, key
            elif key not in nested:
                assert type(value) is int, key

    for part in (found, found["creator"], found["detail"], *found["detail"]["members"]):
        check(part)
    assert all(member["gmtReply"] == "" for member in found["detail"]["members"])
