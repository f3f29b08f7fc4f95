"""The shape of every answer: keys, HTTP status, headers, language; and what is logged of it (contract section 1)."""

import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from huiyao import errors, telemetry
from huiyao.openapi.reading import LARGEST_TOGETHER
from huiyao.openapi.request import Message
from tests.api.world import APP, ORG, SDK, SECRET, World, creation

SAID = "秘密的名字"
PATH = "workbench/meetinginvite/detail"
DETAIL = {"requesterUid": "a", "meetingInviteId": 1}


@pytest.fixture
def log() -> io.StringIO:
    """What is logged, as JSON lines."""
    stream = io.StringIO()
    telemetry.log_to_stderr("debug", stream)
    return stream


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


async def test_a_success_has_status_and_data_and_no_other_key(here: World) -> None:
    answer = await here.call("create", creation())
    meeting_id = answer.json()["data"]["meetingInviteId"]
    assert answer.text == f'{{"status":0,"data":{{"meetingInviteId":{meeting_id}}}}}'
    one = {"requesterUid": "boss", "meetingInviteId": meeting_id}
    assert (await here.call("cancel", one)).content == b'{"status":0}'


async def test_a_failure_has_status_and_message_and_never_data(here: World) -> None:
    answer = await here.call("detail", {"requesterUid": "a"})
    assert answer.json() == {"status": 4600, "message": "参数错误: meetingInviteId 不能为空"}
    assert answer.status_code == 200


async def test_the_java_client_finds_success_in_every_answer(here: World) -> None:
    made = await here.call("create", creation(), headers=SDK)
    assert made.json()["success"] is True
    one = {"requesterUid": "boss", "meetingInviteId": made.json()["data"]["meetingInviteId"]}
    assert (await here.call("cancel", one, headers=SDK)).json() == {"status": 0, "success": True}
    refused = await here.call("detail", {}, headers=SDK)
    assert refused.json().keys() == {"status", "message", "success"}
    assert refused.json()["success"] is False
    unknown = await here.post("no/such/call", {}, headers=SDK)
    assert (unknown.status_code, unknown.json()["success"]) == (404, False)
    token = await here.http.get("token/get", params={"appId": APP, "appSecret": SECRET}, headers=SDK)
    assert token.json()["success"] is True


@pytest.mark.parametrize("agent", ["curl/8", "my-open-api-sdk(1.0.3)", "open-api-sdk", ""])
async def test_nobody_else_finds_success(here: World, agent: str) -> None:
    answer = await here.call("detail", {}, headers={"User-Agent": agent})
    assert "success" not in answer.json()


@pytest.mark.parametrize(
    ("language", "english"),
    [
        ("en", True),
        ("en-GB,zh;q=0.5", True),
        ("EN", True),
        ("zh-CN,en;q=0.8", False),
        ("", False),
        ("de", False),
    ],
)
async def test_the_message_is_chinese_or_english(here: World, language: str, english: bool) -> None:
    answer = await here.call("detail", {"requesterUid": "a"}, headers={"Accept-Language": language})
    expected = (
        "invalid parameter: meetingInviteId is required" if english else "参数错误: meetingInviteId 不能为空"
    )
    assert answer.json()["message"] == expected


@pytest.mark.parametrize("own", ["abc-123", "9f2c:7/x=", "a" * 128])
async def test_a_plausible_request_id_comes_back(here: World, own: str) -> None:
    for path in (PATH, "no/such/call", "openapi.json"):
        answer = await here.post(path, {}, headers={"X-Request-Id": own})
        assert answer.headers["X-Request-Id"] == own


@pytest.mark.parametrize("own", ["", "a b", "a" * 129, '"x"', "<script>"])
async def test_any_other_request_id_is_replaced_by_a_new_one(here: World, own: str) -> None:
    first = await here.post(PATH, {}, headers={"X-Request-Id": own})
    second = await here.post(PATH, {})
    ids = {answer.headers["X-Request-Id"] for answer in (first, second)}
    assert len(ids) == 2
    assert own not in ids


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "nonsense", None]
)
async def test_any_content_type_is_accepted(here: World, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert (await here.call("create", creation(), headers=headers)).json()["status"] == 0


@pytest.mark.parametrize(
    "path", ["", "token", "token/get/", "workbench/meetinginvite/lists", "x" * 5000, "meeting/%00"]
)
async def test_an_unknown_path_is_404_with_the_envelope(here: World, path: str) -> None:
    answer = await here.post(path, {})
    assert answer.status_code == 404
    assert answer.json() == {"status": -1, "message": "接口不存在"}


async def test_answers_are_json_with_their_length(here: World) -> None:
    answer = await here.call("create", creation())
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert int(answer.headers["Content-Length"]) == len(answer.content)


async def test_an_announced_body_over_the_limit_is_413_before_it_is_read(here: World) -> None:
    small = here.restarted(max_body_bytes=1024)
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        sent.append(message)

    await small.api(scope(headers=[(b"content-length", b"1025")]), receive, send)
    assert sent[0]["status"] == 413
    assert json.loads(sent[1]["body"]) == {"status": 4600, "message": "参数错误: body 不能超过1024字节"}


async def test_a_body_that_grows_over_the_limit_is_413_as_soon_as_it_does(here: World) -> None:
    small = here.restarted(max_body_bytes=1024)
    sent: list[Message] = []
    chunks = iter([b"x" * 1000, b"x" * 24, b"x"])

    async def receive() -> Message:
        return {"type": "http.request", "body": next(chunks), "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    await small.api(scope(headers=[(b"transfer-encoding", b"chunked")]), receive, send)
    assert sent[0]["status"] == 413
    assert list(chunks) == []


async def test_a_body_in_pieces_is_put_together(here: World) -> None:
    raw = json.dumps(creation()).encode()

    async def pieces() -> Any:
        for start in range(0, len(raw), 50):
            yield raw[start : start + 50]

    url = f"workbench/meetinginvite/create?accessToken={here.token}"
    answer = await here.http.post(url, content=pieces())
    assert answer.json()["status"] == 0


async def test_a_client_that_leaves_while_sending_is_not_answered(here: World, log: io.StringIO) -> None:
    node = here.restarted()
    messages: list[Message] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        raise AssertionError(message)

    await node.api(scope(headers=[(b"content-length", b"100")]), receive, send)
    assert not messages
    assert lines(log) == []


async def test_more_calls_than_the_server_wants_to_hold_are_503(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = here.restarted(max_waiting=1)
    answers: list[int] = []

    async def whole_meeting(org_id: int, meeting_id: int) -> object:
        over = await one.call("detail", DETAIL)
        assert over.json() == {"status": -1, "message": "系统繁忙，请稍后重试"}
        assert over.headers["Retry-After"] == "1"
        answers.append(over.status_code)
        return None

    monkeypatch.setattr(here.storage, "whole_meeting", whole_meeting)
    assert (await one.call("detail", DETAIL)).json()["status"] == errors.NoSuchMeeting.code
    assert answers == [503]
    monkeypatch.undo()
    assert (await one.call("detail", DETAIL)).status_code == 200, "who was answered is not counted any more"


async def test_a_request_that_is_still_coming_takes_no_calls_place(here: World) -> None:
    one = here.restarted(max_waiting=1)
    answers: list[int] = []

    async def receive() -> Message:
        answers.append((await one.call("detail", DETAIL)).status_code)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    await one.api(scope(headers=[(b"content-length", b"9")]), receive, send)
    assert answers == [200]


async def test_long_bodies_hold_so_much_together_and_what_comes_on_top_is_503(here: World) -> None:
    one = here.restarted(max_body_bytes=1024)
    statuses: list[int] = []

    def sending(deep: int) -> Callable[[], Awaitable[Message]]:
        messages: list[Message] = [{"type": "http.request", "body": b" " * 1000, "more_body": True}]

        async def receive() -> Message:
            if messages:
                return messages.pop()
            if deep < LARGEST_TOGETHER:
                await begin(deep + 1)
            return {"type": "http.disconnect"}

        return receive

    async def begin(deep: int) -> None:
        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await one.api(scope(headers=[(b"transfer-encoding", b"chunked")]), sending(deep), send)

    await begin(0)
    assert statuses == [503], "the ninth is over the limit, and the others' clients went away"
    await begin(LARGEST_TOGETHER)
    assert statuses == [503], "who has gone holds nothing any more"


async def test_a_commit_of_unknown_outcome_is_503_with_retry_after(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def commit(change: object) -> object:
        raise errors.OutcomeUnknown

    monkeypatch.setattr(here.storage, "commit", commit)
    answer = await here.call("create", creation())
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"
    assert answer.json() == {"status": -1, "message": "系统错误: 结果未知，请稍后重试"}


async def test_an_unexpected_failure_is_minus_1_and_logged_without_what_it_said(
    here: World, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    async def whole_meeting(org_id: int, meeting_id: int) -> object:
        try:
            raise KeyError(SAID)
        except KeyError as error:
            raise ValueError(SAID) from error

    monkeypatch.setattr(here.storage, "whole_meeting", whole_meeting)
    node = here.restarted()
    answer = await node.call(
        "detail", {"requesterUid": "a", "meetingInviteId": 1}, headers={"X-Request-Id": "r-1"}
    )
    assert (answer.status_code, answer.json()) == (200, {"status": -1, "message": "系统错误"})
    (failure,) = lines(log)
    assert (failure["level"], failure["request_id"]) == ("error", "r-1")
    assert "ValueError" in failure["trace"]
    assert "KeyError" in failure["trace"]
    assert "in whole_meeting" in failure["trace"]
    assert SAID not in failure["trace"]


async def test_one_line_is_logged_per_call_and_nothing_of_what_was_sent(
    here: World, log: io.StringIO
) -> None:
    node = here.restarted(log_level="debug")
    await node.call("create", creation(), headers={"X-Request-Id": "r-1"})
    await node.call("detail", {"requesterUid": "悟空"}, headers={"X-Request-Id": "r-2"})
    await node.get("token/get", {"appId": APP, "appSecret": SECRET}, token=None)
    await node.get(f"no/such/{SECRET}", {"q": SECRET})
    found = [(line["level"], line["call"], line["status"], line["request_id"]) for line in lines(log)]
    assert found[:2] == [
        ("debug", "workbench/meetinginvite/create", 0, "r-1"),
        ("info", "workbench/meetinginvite/detail", 4600, "r-2"),
    ]
    assert [line[:3] for line in found[2:]] == [("debug", "token/get", 0), ("info", "unknown", -1)]
    for word in (here.token, SECRET, "老板", "boss", "悟空", "预算", str(ORG)):
        assert word not in log.getvalue()


async def test_calls_are_counted_by_name_and_code(here: World) -> None:
    def count(status: int) -> float:
        labels = {"call": "workbench/meetinginvite/detail", "status": str(status)}
        return REGISTRY.get_sample_value("huiyao_calls_total", labels) or 0

    before = count(4600)
    await here.call("detail", {})
    assert count(4600) == before + 1


def scope(*, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": "http",
        "scheme": "http",
        "method": "POST",
        "path": f"/openapi/{PATH}",
        "query_string": b"",
        "headers": headers,
        "client": ("192.0.2.7", 1),
    }
