"""The OpenAPI document says what the server does (contract sections 1 to 6)."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate

from huiyao import errors
from huiyao.model import Grant
from huiyao.openapi import chinese, meeting, personal, token, workbench
from huiyao.openapi.call import Call, Style
from huiyao.openapi.document import document
from huiyao.wire import body
from tests.api.world import HOUR, NOW, World, creation, data, detail_of

CALLS = (*token.CALLS, *workbench.calls(10_000), *personal.calls(""), *meeting.calls(10_000))
DOCUMENT: dict[str, Any] = json.loads(document(CALLS, public_url="https://huiyao.example/"))
WITH_BODY = [call for call in CALLS if call.body]
ROOT = Path(__file__).parents[2]


def answer_schema(path: str) -> dict[str, Any]:
    """What a call may answer with HTTP 200; references lead into the document."""
    operation = next(iter(DOCUMENT["paths"][path].values()))
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    return {**schema, "components": DOCUMENT["components"]}


def body_schema(call: Call) -> dict[str, Any]:
    operation = DOCUMENT["paths"][call.path][call.method.lower()]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert isinstance(schema, dict)
    return schema


async def test_it_is_served_as_it_is(here: World) -> None:
    answer = await here.get("openapi.json", token=None)
    assert answer.json() == json.loads(document(CALLS, public_url=""))


def test_it_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    validate(DOCUMENT)


def test_it_has_every_call_of_the_table_and_names_the_public_address() -> None:
    assert set(DOCUMENT["paths"]) == {call.path for call in CALLS}
    assert len(CALLS) == 21
    assert DOCUMENT["servers"] == [{"url": "https://huiyao.example"}]


@pytest.mark.parametrize("call", WITH_BODY, ids=lambda call: call.name)
def test_the_example_of_a_body_is_accepted_by_schema_and_server_alike(call: Call) -> None:
    jsonschema.validate(call.example, body_schema(call))
    assert call.body
    body.parse(call.body, call.example)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_the_examples_of_answers_are_as_the_schema_says(call: Call) -> None:
    operation = DOCUMENT["paths"][call.path][call.method.lower()]
    examples = operation["responses"]["200"]["content"]["application/json"]["examples"]
    for example in examples.values():
        jsonschema.validate(example["value"], answer_schema(call.path))


async def test_what_the_server_answers_is_as_the_schema_says(here: World) -> None:
    await here.add_app(8, grants=frozenset(Grant))
    here.token = await here.get_token(8)
    one = {"requesterUid": "boss", "meetingInviteId": await here.create()}
    await here.create()
    await here.dispatch()
    prefix = "/openapi/workbench/meetinginvite/"
    for name, sent in (
        ("create", creation()),
        ("detail", one),
        ("read", one | {"requesterUid": "a"}),
        ("respond", one | {"requesterUid": "a", "msgStatus": 2}),
        ("remind", one | {"remind": True}),
        ("remindagain", one),
        ("inbox", {"requesterUid": "a"}),
        ("list", {"requesterUid": "a", "size": 1}),
        ("list", {"requesterUid": "boss"}),
        ("freebusy", {"requesterUid": "c", "uids": ["a", "b"], "beginTime": NOW, "endTime": NOW + 5 * HOUR}),
        ("changes", {"requesterUid": "a"}),
        ("ticket", {"requesterUid": "a"}),
        ("update", one | {"detail": detail_of()}),
        ("cancel", one),
        ("delete", one),
    ):
        answer = (await here.call(name, sent)).json()
        assert answer["status"] == 0, name
        jsonschema.validate(answer, answer_schema(prefix + name))
        jsonschema.validate((await here.call(name, {})).json(), answer_schema(prefix + name))
    headers = {"uid": "a", "name": "A"}
    made = await here.post("meeting/create", detail_of(), headers=headers)
    jsonschema.validate(made.json(), answer_schema("/openapi/meeting/create"))
    found = await here.get("meeting/detail", {"meetingId": data(made)["meetingId"]}, uid="a")
    jsonschema.validate(found.json(), answer_schema("/openapi/meeting/detail"))


@pytest.mark.parametrize("call", WITH_BODY, ids=lambda call: call.name)
def test_the_schema_marks_as_required_what_the_server_requires(call: Call) -> None:
    assert call.body
    schema = body_schema(call)
    for key in call.body.keys:
        without = {name: value for name, value in call.example.items() if name != key.name}
        accepted = True
        try:
            body.parse(call.body, without)
        except errors.BadParameter:
            accepted = False
        late = key.name == "requesterUid"  # told as 4501, after the form
        assert accepted == (late or key.name not in schema["required"]), key.name


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object's schema in a schema."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def codes(call: Call, http_status: str = "200") -> set[int]:
    """What the document says the call may refuse with."""
    operation = DOCUMENT["paths"][call.path][call.method.lower()]
    schema = operation["responses"][http_status]["content"]["application/json"]["schema"]
    refused = schema["oneOf"][1] if "oneOf" in schema else schema
    return set(refused["allOf"][1]["properties"]["status"]["enum"])


def test_no_answer_has_another_key_than_the_document_says() -> None:
    answers = [schema for name, schema in DOCUMENT["components"]["schemas"].items()]
    for path in DOCUMENT["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                answers += response["content"]["application/json"]["schema"].get("oneOf", [])[:1]
    found = [one for schema in answers for one in objects(schema)]
    assert len(found) > 20
    assert [one for one in found if one.get("additionalProperties") is not False] == []


def test_each_call_has_the_codes_it_can_answer_and_no_other() -> None:
    by_name = {call.name: call for call in CALLS}
    for call in CALLS:
        wrong_method = {errors.GetNeeded.code} if call.method == "GET" else {errors.PostNeeded.code}
        assert codes(call) & {4009, 4010} == wrong_method, call.name
        assert (4012 in codes(call)) == (call.body is not None), call.name
        # Whoever asks must be in a closed directory (contract section 3), whatever the call.
        assert (4500 in codes(call)) == (call.style is not Style.TOKEN), call.name
        assert codes(call, "413") == {4600}
        assert codes(call, "503") == {-1}
    assert not codes(by_name["token/get"]) & {4001, 4002, 4003, 4004, 4005}
    assert 4605 in codes(by_name["workbench/meetinginvite/update"])
    assert 4605 not in codes(by_name["meeting/update"])
    assert 4602 not in codes(by_name["workbench/meetinginvite/respond"])


async def test_refusals_that_are_no_http_200_are_as_the_document_says(here: World) -> None:
    responses = DOCUMENT["paths"]["/openapi/workbench/meetinginvite/create"]["post"]["responses"]
    await here.add_app(8, rate=1)
    crowded, narrow, hasty = (
        here.restarted(max_waiting=0),
        here.restarted(max_body_bytes=10),
        here.restarted(),
    )
    hasty.token = await hasty.get_token(8)
    await hasty.call("create", creation())
    for world, http_status in ((crowded, "503"), (narrow, "413"), (hasty, "200")):
        answer = await world.call("create", creation())
        assert answer.status_code == int(http_status)
        assert answer.json()["status"] != 0
        declared = responses[http_status]
        schema = declared["content"]["application/json"]["schema"] | {"components": DOCUMENT["components"]}
        jsonschema.validate(answer.json(), schema)
        for name, header in declared["headers"].items():
            value: str | int | None = answer.headers.get(name)
            assert value is not None or not header.get("required"), name
            if value is not None:
                kind = header["schema"]["type"]
                jsonschema.validate(int(value) if kind == "integer" else value, header["schema"])
    assert "Retry-After" in answer.headers
    assert "X-RateLimit-Limit" in answer.headers


@pytest.mark.parametrize("call", [call for call in CALLS if call.answer_schema], ids=lambda call: call.name)
def test_an_answer_with_a_text_for_a_number_or_an_undeclared_key_does_not_fit(call: Call) -> None:
    schema = answer_schema(call.path)
    jsonschema.validate({"status": 0, "data": call.answer, "success": True}, schema)
    for wrong in (
        {"status": "0", "data": call.answer},
        {"status": 0, "data": call.answer, "more": 1},
        {"status": 0, "data": {**call.answer, "more": 1}},
        {"status": 0, "data": {name: str(value) for name, value in call.answer.items()} | {"x": 1}},
        {"status": 0},
        {"status": 4999, "message": "x"},
        {"status": 4600, "message": ""},
        {"status": 4600, "message": "x", "data": call.answer},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def words(part: Any) -> Iterator[str]:
    """Every summary and description in a document."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name in ("summary", "description") and isinstance(value, str):
                yield value
            else:
                yield from words(value)
    elif isinstance(part, list):
        for value in part:
            yield from words(value)


def test_all_of_it_is_there_in_chinese_and_nothing_is_translated_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used: set[str] = set()
    say = chinese.say

    def noting(text: str) -> str:
        used.add(text)
        return say(text)

    monkeypatch.setattr(chinese, "say", noting)
    told = json.loads(document(CALLS, public_url="", in_chinese=True))
    assert used == set(chinese.TEXTS)
    assert [one for one in words(told) if not re.search("[一-鿿]", one)] == []


async def test_it_is_served_in_either_language_and_zipped_where_that_is_welcome(here: World) -> None:
    english = await here.get("openapi.json", token=None)
    told = await here.get("openapi.json", {"lang": "zh"}, token=None)
    assert told.json() == json.loads(document(CALLS, public_url="", in_chinese=True))
    assert told.headers["content-encoding"] == "gzip"
    assert int(told.headers["content-length"]) < len(told.content) / 10
    plain = await here.get("openapi.json", token=None, accept_encoding="identity")
    assert "content-encoding" not in plain.headers
    assert plain.json() == english.json()


def test_every_return_code_is_explained_with_its_remedy() -> None:
    text = DOCUMENT["info"]["description"]
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.ApiError) and kind.remedy:
            assert f"- `{kind.code}`" in text
            assert kind.remedy in text


def test_calls_of_the_later_generation_ask_for_their_headers() -> None:
    for call in CALLS:
        operation = DOCUMENT["paths"][call.path][call.method.lower()]
        required = {one["name"] for one in operation["parameters"] if one["required"]}
        expected = {"uid"} if call.style is Style.MEETING else set()
        expected |= {"name"} if call.name == "meeting/create" else set()
        expected |= {"meetingId"} if call.query else set()
        assert required == expected, call.name


def test_a_call_that_needs_a_permission_says_so() -> None:
    for call in CALLS:
        operation = DOCUMENT["paths"][call.path][call.method.lower()]
        examples = operation["responses"]["200"]["content"]["application/json"]["examples"]
        assert ("Forbidden" in examples) == (call.style is not Style.TOKEN), call.name
        assert not call.grant or f"API permission {call.grant}" in operation["description"]


def test_the_platforms_page_and_the_table_name_the_same_five_calls() -> None:
    five = {f"workbench/meetinginvite/{name}" for name in ("create", "cancel", "delete", "update", "detail")}
    assert five <= {call.name for call in CALLS}
    assert all(re.fullmatch(r"[a-z/]+", call.name) for call in CALLS)
