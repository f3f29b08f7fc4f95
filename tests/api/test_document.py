"""The OpenAPI document says what the server does (contract sections 1 to 6)."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate

from huiyao import errors
from huiyao.model import Grant
from huiyao.openapi import meeting, personal, token, workbench
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
