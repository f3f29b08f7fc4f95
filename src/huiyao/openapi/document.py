"""The OpenAPI 3.1 document, made from the table of calls, the forms of `wire` and the errors with their remedies."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

import huiyao
from huiyao import errors
from huiyao.openapi.call import Call, Style
from huiyao.wire import requests
from huiyao.wire.fields import Schema

_EVERYWHERE: Final = (errors.SystemFailure, errors.GetNeeded, errors.PostNeeded, errors.HttpsNeeded)
_WITH_TOKEN: Final = (
    errors.BadToken,
    errors.ExpiredToken,
    errors.MissingToken,
    errors.AddressNotListed,
    errors.Forbidden,
    errors.TooOften,
    errors.QuotaSpent,
    errors.NotAuthorised,
    errors.RequesterMissing,
    errors.BadParameter,
)
_LIMITS: Final = {
    "X-RateLimit-Limit": "Where a rate or daily quota applies: how many calls it has.",
    "X-RateLimit-Remaining": "How many of them are left, as far as the process that answers knows.",
    "X-RateLimit-Reset": "Seconds until all of them are there again.",
    "Retry-After": "With 4006 and HTTP 503: seconds to wait.",
}
_DESCRIPTION: Final = """\
Every call of the API itself answers HTTP 200 with `{"status":0}`, `{"status":0,"data":{…}}` or
`{"status":CODE,"message":"…"}`; the message is Chinese, or English with `Accept-Language: en`.

Scalars may arrive as JSON numbers or as strings, `null` counts as absent, unknown fields are ignored, and moments are
milliseconds since 1970-01-01 UTC (a value below 100,000,000,000 is taken as seconds).

Return codes:

"""


def document(calls: Iterable[Call], *, public_url: str) -> bytes:
    """The document as JSON. `public_url` is where clients find the server, or ""."""
    calls = tuple(calls)
    shapes = [call.answer_schema for call in calls if call.answer_schema]
    _, components = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
    whole = {
        "openapi": "3.1.0",
        "info": {
            "title": "Huiyao Open API",
            "version": huiyao.__version__,
            "description": _DESCRIPTION + "\n".join(_codes()),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": public_url.rstrip("/") or "/"}],
        "paths": {call.path: {call.method.lower(): _operation(call)} for call in calls},
        "components": {
            "schemas": {**components, "Failure": _failure()},
            "securitySchemes": {
                "tokenInQuery": {"type": "apiKey", "in": "query", "name": "accessToken"},
                "tokenInHeader": {"type": "apiKey", "in": "header", "name": "accessToken"},
            },
        },
    }
    return msgspec.json.encode(whole)


def _codes() -> Iterator[str]:
    """One line per return code: what it means and what to do."""
    kinds = sorted(_errors(errors.ApiError), key=lambda kind: (kind.code, kind.http_status, kind.__name__))
    for kind in kinds:
        status = "" if kind.http_status == 200 else f", HTTP {kind.http_status}"
        yield f"- `{kind.code}`{status}: {kind.en}. {kind.remedy}"


def _errors(root: type[errors.ApiError]) -> Iterator[type[errors.ApiError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _errors(kind)


def _operation(call: Call) -> Schema:
    operation: Schema = {
        "operationId": call.name.replace("/", "_"),
        "tags": [call.name.rpartition("/")[0]],
        "summary": call.summary,
        "parameters": list(_parameters(call)),
        "responses": _responses(call),
        "security": [] if call.style is Style.TOKEN else [{"tokenInQuery": []}, {"tokenInHeader": []}],
    }
    permission = f"Needs the API permission {call.grant}." if call.grant else ""
    if call.description or permission:
        operation["description"] = f"{call.description} {permission}".strip()
    if call.body:
        schema = call.body.schema()
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": call.example}},
        }
    return operation


def _parameters(call: Call) -> Iterator[Schema]:
    if call.style is Style.TOKEN:
        for name in ("appId", "appSecret"):
            for place in ("query", "header"):
                yield _parameter(name, place, {"type": "string"}, "In the query or in the header.")
        yield _parameter(
            "flags",
            "query",
            requests.FLAGS.schema() | {"default": 1},
            "0: the current token if it has at least 5 minutes left, 1: a new one.",
        )
    else:
        yield _parameter("orgId", "header", {"type": "string"}, "Digits, or URL-safe base64 of 10 bytes.")
        yield _parameter("orgSecret", "header", {"type": "string"}, "Digits, or URL-safe base64 of 18 bytes.")
    if call.style is Style.MEETING:
        yield _parameter(
            "uid", "header", requests.REQUESTER.schema(), "Who is asking; 4501 where blank.", required=True
        )
        text = "The requester's name; URL-encoded UTF-8 beside orgSecret, plain otherwise."
        yield _parameter("name", "header", requests.NAME.schema(), text, required=call.named)
    for key in call.query.keys if call.query else ():
        yield _parameter(key.name, "query", key.schema(), key.doc, required=True)
    if call.repeatable:
        text = "Within 24 h the same key answers the first result again and creates nothing."
        yield _parameter("Idempotency-Key", "header", requests.IDEMPOTENCY_KEY.schema(), text)
    yield _parameter("Accept-Language", "header", {"type": "string"}, "en for English messages.")
    yield _parameter("X-Request-Id", "header", {"type": "string"}, "Comes back with the answer.")


def _parameter(name: str, place: str, schema: Schema, text: str, *, required: bool = False) -> Schema:
    return {"name": name, "in": place, "required": required, "schema": schema, "description": text}


def _responses(call: Call) -> Schema:
    refusals = [*_EVERYWHERE, *(() if call.style is Style.TOKEN else _WITH_TOKEN), *call.refusals]
    if call.body:
        refusals.append(errors.EmptyBody)
    success: Schema = {"type": "object", "properties": {"status": {"const": 0}}, "required": ["status"]}
    example: Schema = {"status": 0}
    if call.answer_schema:
        success["properties"]["data"] = {"$ref": f"#/components/schemas/{call.answer_schema.__name__}"}
        success["required"] = ["status", "data"]
        example["data"] = call.answer
    examples: Schema = {"done": {"value": example}}
    codes = {0}
    for kind in sorted(refusals, key=lambda kind: kind.code):
        codes.add(kind.code)
        examples[kind.__name__] = {
            "summary": kind.remedy,
            "value": {"status": kind.code, "message": _example_message(kind)},
        }
    return {
        "200": _response(
            "Done or refused; `status` tells: " + ", ".join(map(str, sorted(codes))),
            {"oneOf": [success, {"$ref": "#/components/schemas/Failure"}]},
            examples,
        ),
        "413": _response("The body is too large.", {"$ref": "#/components/schemas/Failure"}, {}),
        "503": _response(
            "Overload, or a commit of unknown outcome; with Retry-After.",
            {"$ref": "#/components/schemas/Failure"},
            {},
        ),
    }


def _response(text: str, schema: Schema, examples: Schema) -> Schema:
    content: dict[str, Any] = {"schema": schema}
    if examples:
        content["examples"] = examples
    header = {"schema": {"type": "string"}, "description": "The client's own if it sent a plausible one."}
    limits = {name: {"schema": {"type": "integer"}, "description": text} for name, text in _LIMITS.items()}
    return {
        "description": text,
        "headers": {"X-Request-Id": header, **limits},
        "content": {"application/json": content},
    }


def _example_message(kind: type[errors.ApiError]) -> str:
    facts = {"field": "detail.beginTime", "fault_zh": "不能为空", "uid": "u2", "sequence": 3, "seconds": 1}
    if kind is errors.RequesterMissing:
        facts["field"] = "requesterUid"
    return kind.zh.format(**facts)


def _failure() -> Schema:
    return {
        "type": "object",
        "properties": {"status": {"type": "integer", "not": {"const": 0}}, "message": {"type": "string"}},
        "required": ["status", "message"],
    }
