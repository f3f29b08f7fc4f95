"""The OpenAPI 3.1 document, made from the table of calls, the forms of `wire` and the errors with their remedies.

It promises exactly what is answered: no other key, no other code. Its words are English, or Chinese from `chinese`.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

import huiyao
from huiyao import errors
from huiyao.openapi import chinese
from huiyao.openapi.call import Call, Style
from huiyao.wire import requests
from huiyao.wire.fields import LARGEST_ID, Schema

Say = Callable[[str], str]  # from English into the document's language

_WITH_TOKEN: Final = (
    errors.BadToken,
    errors.ExpiredToken,
    errors.MissingToken,
    errors.AddressNotListed,
    errors.Forbidden,
    errors.TooOften,
    errors.QuotaSpent,
    errors.NotAuthorised,
    errors.UnknownPerson,
    errors.RequesterMissing,
    errors.BadParameter,
)
_RATE_LIMITS: Final = {
    "X-RateLimit-Limit": "Where a rate or daily quota applies: how many calls it has.",
    "X-RateLimit-Remaining": "How many of them are left, as far as the process that answers knows.",
    "X-RateLimit-Reset": "Seconds until all of them are there again.",
}
_ANY: Final = {
    "seconds": "N",
    "sequence": "N",
    "uid": "UID",
    "field": "FIELD",
    "fault_zh": "…",
    "fault_en": "…",
}
_ORGANISATION: Final = "The organisation the call is for: digits, or URL-safe base64 of 10 bytes."
_DESCRIPTION: Final = (
    'Every call of the API itself answers HTTP 200 with `{"status":0}`, `{"status":0,"data":{…}}` or'
    ' `{"status":CODE,"message":"…"}`; the message is Chinese, or English with `Accept-Language: en`. To a'
    " `User-Agent` that begins with `open-api-sdk(` every answer also has `success`. Unknown paths get HTTP 404 and"
    " status -1.",
    "Scalars may arrive as JSON numbers or as strings, `null` counts as absent, unknown fields are ignored, and"
    " moments are milliseconds since 1970-01-01 UTC (a value below 100,000,000,000 is taken as seconds).",
    "Return codes:",
)


def document(calls: Iterable[Call], *, public_url: str, in_chinese: bool = False) -> bytes:
    """The document as JSON. `public_url` is where clients find the server, or ""."""
    say: Say = chinese.say if in_chinese else str
    calls = tuple(calls)
    shapes = [call.answer_schema for call in calls if call.answer_schema]
    _, components = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
    whole = {
        "openapi": "3.1.0",
        "info": {
            "title": say("Huiyao Open API"),
            "version": huiyao.__version__,
            "description": "\n\n".join([*map(say, _DESCRIPTION), "\n".join(_codes(say, in_chinese))]),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url.rstrip("/") or "/"}],
        "paths": {call.path: {call.method.lower(): _operation(call, say)} for call in calls},
        "components": {
            "schemas": {**_undescribed(components), "Failure": _failure()},
            "securitySchemes": {
                "tokenInQuery": {"type": "apiKey", "in": "query", "name": "accessToken"},
                "tokenInHeader": {"type": "apiKey", "in": "header", "name": "accessToken"},
            },
        },
    }
    return msgspec.json.encode(whole)


def _codes(say: Say, in_chinese: bool) -> Iterator[str]:
    """One line per return code: what it means and what to do."""
    kinds = sorted(_errors(errors.ApiError), key=lambda kind: (kind.code, kind.http_status, kind.__name__))
    lines: dict[str, None] = {}  # some classes are told apart only by us
    for kind in kinds:
        status = "" if kind.http_status == 200 else f", HTTP {kind.http_status}"
        if in_chinese:
            lines[f"- `{kind.code}`{status}：{kind.zh.format(**_ANY)}。{say(kind.remedy)}"] = None
        else:
            lines[f"- `{kind.code}`{status}: {kind.en.format(**_ANY)}. {kind.remedy}"] = None
    yield from lines


def _errors(root: type[errors.ApiError]) -> Iterator[type[errors.ApiError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _errors(kind)


def _operation(call: Call, say: Say) -> Schema:
    operation: Schema = {
        "operationId": call.name.replace("/", "_"),
        "tags": [call.name.rpartition("/")[0]],
        "summary": say(call.summary),
        "parameters": list(_parameters(call, say)),
        "responses": _responses(call, say),
        "security": [] if call.style is Style.TOKEN else [{"tokenInHeader": []}, {"tokenInQuery": []}],
    }
    permission = say("Needs the API permission") + f" {call.grant}" if call.grant else ""
    described = [say(call.description)] if call.description else []
    if permission:
        described.append(f"{permission}{say('.')}")
    if described:
        operation["description"] = " ".join(described)
    if call.body:
        schema = call.body.schema()
        # (no field of the form: it is read before the others, and its mistakes are told with a code of their own)
        schema["properties"]["orgId"] = _org_id("integer", "null") | {"description": _ORGANISATION}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _said(schema, say), "example": call.example}},
        }
    return operation


def _org_id(*others: str) -> Schema:
    kinds = ["string", *others]
    return {"type": kinds if others else "string"} | ({"minimum": 1, "maximum": LARGEST_ID} if others else {})


def _parameters(call: Call, say: Say) -> Iterator[Schema]:
    def parameter(name: str, place: str, schema: Schema, text: str, *, required: bool = False) -> Schema:
        return {"name": name, "in": place, "required": required, "schema": schema, "description": say(text)}

    if call.style is Style.TOKEN:
        for place in ("query", "header"):
            yield parameter("appId", place, {"type": "string"}, "In the query or in the header.")
            yield parameter(
                "appSecret", place, {"type": "string", "format": "password"}, "In the query or in the header."
            )
        yield parameter(
            "flags",
            "query",
            requests.FLAGS.schema() | {"default": 1},
            "0: the current token if it has at least 5 minutes left, 1: a new one.",
        )
    else:
        yield parameter("orgId", "header", _org_id(), _ORGANISATION)
        text = "The same as digits, or URL-safe base64 of 18 bytes; orgId wins."
        yield parameter("orgSecret", "header", {"type": "string"}, text)
    if call.style is Style.MEETING:
        yield parameter(
            "uid", "header", requests.REQUESTER.schema(), "Who is asking; 4501 where blank.", required=True
        )
        text = "The requester's name; URL-encoded UTF-8 beside orgSecret, plain otherwise."
        if call.named:
            yield parameter("name", "header", requests.NAME.schema(), text, required=True)
        else:
            yield parameter("name", "header", {"type": "string"}, "Not looked at.")
    for key in call.query.keys if call.query else ():
        yield parameter(key.name, "query", key.field.schema(), key.doc, required=True)
    if call.repeatable:
        text = "Within 24 h the same key answers the first result again and creates nothing."
        yield parameter("Idempotency-Key", "header", requests.IDEMPOTENCY_KEY.schema(), text)
    yield parameter("Accept-Language", "header", {"type": "string"}, "en for English messages.")
    yield parameter("X-Request-Id", "header", {"type": "string"}, "Comes back with the answer.")


def _responses(call: Call, say: Say) -> Schema:
    refusals: set[type[errors.ApiError]] = {errors.SystemFailure, errors.HttpsNeeded, *call.refusals}
    refusals.add(errors.GetNeeded if call.method == "GET" else errors.PostNeeded)
    if call.style is not Style.TOKEN:
        refusals.update(_WITH_TOKEN)
    if call.body:
        refusals.add(errors.EmptyBody)
    ordered = sorted(refusals, key=lambda kind: (kind.code, kind.__name__))
    codes = sorted({kind.code for kind in ordered})
    success: Schema = {
        "type": "object",
        "properties": {"status": {"const": 0}, "success": {"const": True}},
        "required": ["status"],
        "additionalProperties": False,
    }
    example: Schema = {"status": 0}
    if call.answer_schema:
        success["properties"]["data"] = {"$ref": f"#/components/schemas/{call.answer_schema.__name__}"}
        success["required"] = ["status", "data"]
        example["data"] = call.answer
    examples: Schema = {"done": {"value": example}}
    for kind in ordered:
        examples[kind.__name__] = {
            "summary": say(kind.remedy),
            "value": {"status": kind.code, "message": _example_message(kind)},
        }
    retry = _header("integer", "With 4006: seconds to wait.", say, minimum=1)
    limits = {name: _header("integer", text, say, minimum=0) for name, text in _RATE_LIMITS.items()}
    return {
        "200": _response(
            say("Done or refused; `status` tells:") + " " + ", ".join(map(str, [0, *codes])),
            {"oneOf": [success, _one_of(codes)]},
            {**limits, "Retry-After": retry},
            say,
            examples,
        ),
        "413": _response(
            say("The body is too large."),
            _one_of([errors.BodyTooLarge.code]),
            {},
            say,
            _refused(errors.BodyTooLarge(8_388_608), say),
        ),
        "503": _response(
            say("Overload, or a commit of unknown outcome; with Retry-After."),
            _one_of([errors.Overloaded.code]),
            {**limits, "Retry-After": retry | {"required": True, "description": say("Seconds to wait.")}},
            say,
            _refused(errors.Overloaded(), say) | _refused(errors.OutcomeUnknown(), say),
        ),
    }


def _refused(error: errors.ApiError, say: Say) -> Schema:
    value = {"status": error.code, "message": error.message()}
    return {type(error).__name__: {"summary": say(error.remedy), "value": value}}


def _response(text: str, schema: Schema, headers: Schema, say: Say, examples: Schema) -> Schema:
    request_id = _header("string", "The client's own if it sent a plausible one.", say)
    request_id["required"] = True
    request_id["schema"] |= {"pattern": "^[A-Za-z0-9._:/+=@-]{1,128}$"}
    return {
        "description": text,
        "headers": {"X-Request-Id": request_id, **headers},
        "content": {"application/json": {"schema": schema, "examples": examples}},
    }


def _header(kind: str, text: str, say: Say, **bounds: int) -> Schema:
    return {"schema": {"type": kind, **bounds}, "description": say(text)}


def _example_message(kind: type[errors.ApiError]) -> str:
    facts = {"field": "detail.beginTime", "fault_zh": "不能为空", "uid": "u2", "sequence": 3, "seconds": 1}
    if kind is errors.RequesterMissing:
        facts["field"] = "requesterUid"
    return kind.zh.format(**facts)


def _failure() -> Schema:
    return {
        "type": "object",
        "properties": {
            "status": {"type": "integer", "not": {"const": 0}},
            "message": {"type": "string", "minLength": 1},  # a uid may end it, and anything may end a uid
            "success": {"const": False},
        },
        "required": ["status", "message"],
        "additionalProperties": False,
    }


def _one_of(codes: list[int]) -> Schema:
    """A failure with one of these codes."""
    return {
        "allOf": [
            {"$ref": "#/components/schemas/Failure"},
            {"type": "object", "properties": {"status": {"enum": codes}}},
        ]
    }


def _said(schema: Any, say: Say) -> Any:
    """A form's schema with its descriptions in the document's language."""
    if isinstance(schema, list):
        return [_said(one, say) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: say(value) if name == "description" and isinstance(value, str) else _said(value, say)
        for name, value in schema.items()
    }


def _undescribed(components: Schema) -> Schema:
    """Without the docstrings of the structs, which speak to us."""
    return {
        name: {key: value for key, value in schema.items() if key != "description"}
        for name, schema in components.items()
    }
