"""Whatever is sent, the answer is a documented one, and a refused call has stored nothing (contract sections 1, 3)."""

import json
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huiyao import errors
from huiyao.model import Grant
from huiyao.openapi import meeting, personal, workbench
from huiyao.openapi.call import Call
from huiyao.wire import body
from tests.api.forms import ANY_JSON, changed, near, paths
from tests.api.world import NOW, World, creation, detail_of, members, refusal

CALLS = (*workbench.calls(10_000), *personal.calls(""), *meeting.calls(10_000))
WITH_BODY = [call for call in CALLS if call.body]
CONTEXT = {"uid": "u1", "name": "B"}
some = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Kept:
    """A world whose commits are counted."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.commits = 0
        commit = world.storage.commit

        async def counted(change: Any) -> Any:
            self.commits += 1
            return await commit(change)

        monkeypatch.setattr(world.storage, "commit", counted)

    async def send(self, call: Call, content: bytes, meeting_id: int) -> int:
        """The code of the answer, which must be one the call may give."""
        before = self.commits
        query = {"meetingId": meeting_id} if call.query else {}
        answer = await self.world.http.request(
            call.method,
            call.name,
            params={"accessToken": self.world.token, **query},
            headers=CONTEXT,
            content=content,
        )
        assert answer.status_code == 200, answer.text
        status = answer.json()["status"]
        assert status in allowed(call), answer.text
        assert status == 0 or self.commits == before, "refused, and yet something was committed"
        return int(status)


@pytest.fixture
async def kept(here: World, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """Its app may make every call."""
    await here.add_app(8, grants=frozenset(Grant))
    here.token = await here.get_token(8)
    return Kept(here, monkeypatch)


def allowed(call: Call) -> set[int]:
    usual = {0, errors.NotAuthorised.code, errors.EmptyBody.code, errors.BadParameter.code}
    return usual | {errors.RequesterMissing.code} | {kind.code for kind in call.refusals}


def example(call: Call, meeting_id: int) -> dict[str, Any]:
    """A right body of the call, about a meeting that u1 made and u2 is invited to."""
    whole: dict[str, Any] = call.example | {}
    if "meetingInviteId" in whole:
        whole["meetingInviteId"] = meeting_id
    if call.name.endswith(("/read", "/respond")):
        whole["requesterUid"] = "u2"
    return whole


@pytest.mark.parametrize("call", WITH_BODY, ids=lambda call: call.name)
@some
@given(choice=st.data())
async def test_any_value_in_any_field_is_answered_as_documented(
    kept: Kept, call: Call, choice: st.DataObject
) -> None:
    assert call.body
    meeting_id = await kept.world.create(uid="u1", members=members("u2", "u3"))
    sent = choice.draw(changed(call.body, example(call, meeting_id)))
    await kept.send(call, msgspec.json.encode(sent), meeting_id)


@pytest.mark.parametrize("call", WITH_BODY, ids=lambda call: call.name)
async def test_the_example_that_is_changed_is_a_right_one(kept: Kept, call: Call) -> None:
    meeting_id = await kept.world.create(uid="u1", members=members("u2", "u3"))
    await kept.world.dispatch()
    sent = example(call, meeting_id)
    if "messageId" in sent:
        sent["messageId"] = (await kept.world.inbox("u2"))["items"][0]["messageId"]
    assert await kept.send(call, msgspec.json.encode(sent), meeting_id) == 0


@some
@given(raw=st.binary(max_size=200) | ANY_JSON.map(msgspec.json.encode))
async def test_any_body_at_all_is_answered_as_documented(kept: Kept, raw: bytes) -> None:
    for call in WITH_BODY:
        await kept.send(call, raw, 1)


HEADERS = (
    "uid",
    "name",
    "orgId",
    "orgSecret",
    "Idempotency-Key",
    "accessToken",
    "X-Request-Id",
    "Accept-Language",
)
HEADER_VALUES = st.dictionaries(
    st.sampled_from(HEADERS),
    st.binary(max_size=40).map(lambda raw: raw.translate(None, b"\r\n\0"))
    | st.text("%0A+b9_-=", max_size=30),
)


@some
@given(headers=HEADER_VALUES, query=st.text(st.characters(max_codepoint=255), max_size=60))
async def test_any_header_and_query_is_answered_as_documented(
    kept: Kept, headers: dict[str, bytes | str], query: str
) -> None:
    raw = {
        name.lower().encode(): value.encode() if isinstance(value, str) else value
        for name, value in headers.items()
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    for call in CALLS:
        scope = {
            "type": "http",
            "scheme": "http",
            "method": call.method,
            "path": call.path,
            "query_string": query.encode("latin-1"),
            "headers": list(
                {b"accesstoken": kept.world.token.encode(), b"content-length": b"2", **raw}.items()
            ),
            "client": None,
        }
        before = kept.commits
        await kept.world.api(scope, receive, send)
        assert sent[-2]["status"] == 200, sent
        answer = json.loads(sent[-1]["body"])
        assert answer["status"] in allowed(call) | {4002, 4008}, answer
        assert answer["status"] == 0 or kept.commits == before


@pytest.mark.parametrize("call", WITH_BODY, ids=lambda call: call.name)
@some
@given(choice=st.data())
def test_what_the_server_takes_the_documents_schema_takes_too(call: Call, choice: st.DataObject) -> None:
    assert call.body
    sent = choice.draw(changed(call.body, call.example))
    try:
        body.parse(call.body, body.decode(msgspec.json.encode(sent)))
    except errors.BadParameter:
        return
    requester = sent.get("requesterUid")
    if "requesterUid" in call.example and (requester is None or not str(requester).strip()):
        return  # told after the form, as 4501
    jsonschema.validate(sent, call.body.schema())


@pytest.mark.parametrize(
    ("path", "field"),
    [pytest.param(path, field, id=".".join(map(str, path))) for path, field in paths(CALLS[0].body)],  # type: ignore[arg-type]
)
@some
@given(choice=st.data())
def test_a_value_at_the_edge_is_taken_or_named(
    path: tuple[Any, ...], field: Any, choice: st.DataObject
) -> None:
    value = choice.draw(near(field))
    named = "x" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    refused: errors.BadParameter | None = None
    try:
        body.parse(field, value, path=named)
    except errors.BadParameter as error:
        refused = error
    if refused:
        assert refused.message().startswith(f"参数错误: {refused.field} ")
        assert refused.field.startswith(named)
        assert not refused.message().endswith("。")


HOSTILE: dict[str, tuple[bytes, str]] = {
    "nested deeply": (b'{"requesterUid":' + b"[" * 200_000, "body"),
    "nested deeply, and whole": (b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "body"),
    "no UTF-8": (b'{"requesterUid":"\xff\xfe"}', "body"),
    "GBK": ('{"requesterUid":"会"}'.encode("gbk"), "body"),
    "a lone surrogate": (b'{"requesterUid":"\\ud800"}', "body"),
    "NaN": (b'{"requesterUid":NaN}', "body"),
    "1e400": (b'{"requesterUid":1e400}', "body"),
    "NUL in a text": (b'{"requesterUid":"a\\u0000"}', "requesterUid"),
    "a C1 control": (b'{"requesterUid":"\xc2\x85"}', "requesterUid"),
    "an escape sequence": (b'{"requesterUid":"\\u001b[31m"}', "requesterUid"),
    "a number of 5,000 digits": (b'{"requesterUid":' + b"9" * 5000 + b"}", "body"),
    "a number of 4,000 digits": (b'{"requesterUid":' + b"9" * 4000 + b"}", "requesterUid"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_bodies_name_what_is_wrong(kept: Kept, name: str) -> None:
    raw, field = HOSTILE[name]
    code, message = refusal(await kept.world.call("create", raw))
    assert code == 4600
    assert message.startswith(f"参数错误: {field} ")
    assert kept.commits == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"beginTime": 253_402_300_799_000}, "beginTime"),
        ({"beginTime": 2**63}, "beginTime"),
        ({"remindMin": -(2**63) - 1}, "remindMin"),
        ({"remindMin": "1e2"}, "remindMin"),
        ({"members": [{"uid": f"u{number}", "name": "n"} for number in range(10_001)]}, "members"),
        ({"members": {"uid": "u", "name": "n"}}, "members"),
        ({"content": "会" * 5001}, "content"),
    ],
)
async def test_values_beyond_their_range_are_refused(kept: Kept, changes: dict[str, Any], field: str) -> None:
    code, message = refusal(await kept.world.call("create", creation(**changes)))
    assert code == 4600
    assert message.startswith(f"参数错误: detail.{field} ")
    assert kept.commits == 0


async def test_ten_thousand_members_are_welcome(kept: Kept) -> None:
    everyone = [{"uid": f"u{number}", "name": "n"} for number in range(10_000)]
    meeting_id = await kept.world.create(members=everyone)
    assert len((await kept.world.detail(meeting_id))["detail"]["members"]) == 10_000


async def test_an_id_that_no_meeting_can_have_is_no_meeting(kept: Kept) -> None:
    for meeting_id in (2**53, 2**63 - 1):
        answer = await kept.world.call("detail", {"requesterUid": "a", "meetingInviteId": meeting_id})
        assert refusal(answer)[0] == 4601


async def test_of_a_repeated_key_the_last_counts_and_unknown_ones_are_ignored(kept: Kept) -> None:
    raw = msgspec.json.encode(creation() | {"x": {"y": [None]}})
    raw = raw.replace(b'"requesterName":', b'"requesterName":null,"requesterName":"first","requesterName":')
    answer = await kept.world.call("create", raw)
    found = await kept.world.detail(answer.json()["data"]["meetingInviteId"])
    assert found["createrName"] == "老板"


async def test_a_time_in_seconds_is_stored_as_milliseconds(kept: Kept) -> None:
    answer = await kept.world.call("create", {**creation(), "detail": detail_of(beginTime=NOW // 1000)})
    found = await kept.world.detail(answer.json()["data"]["meetingInviteId"])
    assert found["detail"]["beginTime"] == NOW
