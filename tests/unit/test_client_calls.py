"""The client's table against the server's own, and its two surfaces against each other."""

import inspect
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from types import NoneType
from typing import Any

import msgspec
import pytest

from huiyao import errors as server_errors
from huiyao.client import AsyncHuiyao, AsyncPerson, Huiyao, Person, calls, errors, reading
from huiyao.openapi import personal, workbench
from huiyao.openapi.call import Call
from tests.unit import client_surface

SERVER: dict[str, Call] = {one.name: one for one in (*workbench.calls(10_000), *personal.calls(""))}
TABLE: list[calls.Call[Any, Any]] = [one for one in vars(calls).values() if isinstance(one, calls.Call)]
# The server's classes that one answer cannot be told from another's by: what the client raises for them.
SAME_ANSWER = {
    "ForgedToken": "BadToken",
    "QuotaSpent": "TooOften",
    "OutcomeUnknown": "Unavailable",
    "Overloaded": "Unavailable",
    "NotListed": "BadParameter",
    "NudgedLately": "BadParameter",
    "NoSuchMessage": "BadParameter",
    "MeetingOver": "MeetingCancelled",
}
NOT_TO_APPS = {"ApiError"}
# Header Idempotency-Key says the same.
LEFT_OUT = {"create": {"clientToken"}}


def every(root: type[Any]) -> list[type[Any]]:
    return [root, *(found for one in root.__subclasses__() for found in every(one))]


def fields(struct: Any) -> set[str]:
    return set(struct.__struct_encode_fields__)


def test_the_table_has_every_call_of_the_server_and_no_other() -> None:
    assert {one.path for one in TABLE} == set(SERVER)


@pytest.mark.parametrize("call", TABLE, ids=lambda one: one.name)
def test_a_call_takes_what_the_server_takes(call: calls.Call[Any, Any]) -> None:
    form = SERVER[call.path].body
    assert form
    left_out = LEFT_OUT.get(call.name, set())
    assert fields(call.parameters) == {key.name for key in form.keys} - left_out
    detail = next((key.field for key in form.keys if key.name == "detail"), None)
    if detail:
        assert fields(calls.Detail) == {key.name for key in getattr(detail, "keys")}  # noqa: B009


@pytest.mark.parametrize("call", TABLE, ids=lambda one: one.name)
def test_a_call_answers_what_the_server_answers(call: calls.Call[Any, Any]) -> None:
    theirs = SERVER[call.path]
    if call.answer is NoneType:
        assert theirs.answer_schema is None
        return
    assert left_out(theirs.answer_schema, call.answer) <= {"isRemind"}
    reading.read(msgspec.json.encode(theirs.answer), call.answer)


def left_out(theirs: Any, ours: Any) -> set[str]:
    """Fields of the server's answer, to any depth, that the client's has not."""
    missing = fields(theirs) - fields(ours)
    own = dict(zip(ours.__struct_encode_fields__, ours.__struct_fields__, strict=True))
    for name, wire in zip(theirs.__struct_fields__, theirs.__struct_encode_fields__, strict=True):
        if wire in own:
            below = [struct_in(one, name) for one in ((theirs, name), (ours, own[wire]))]
            if all(below):
                missing |= left_out(*below)
    return missing


def struct_in(place: tuple[Any, str], name: str) -> Any:
    """The struct that a field holds, itself or in a list; None for anything else."""
    kind = next(one.type for one in msgspec.structs.fields(place[0]) if one.name == place[1])
    return next(
        (one for one in (kind, *getattr(kind, "__args__", ())) if hasattr(one, "__struct_fields__")), None
    )


@pytest.mark.parametrize("theirs", every(server_errors.ApiError), ids=lambda one: one.__name__)
def test_every_error_of_the_server_is_one_here_under_its_own_name(theirs: Any) -> None:
    if theirs.__name__ in NOT_TO_APPS:
        return
    raised = errors.refusal(theirs.code, "…", http_status=theirs.http_status, request_id="", retry_after=None)
    assert type(raised).__name__ == SAME_ANSWER.get(theirs.__name__, theirs.__name__)
    assert (raised.code, raised.http_status) == (theirs.code, theirs.http_status)


def test_no_error_here_is_unknown_to_the_server() -> None:
    theirs = {one.__name__ for one in every(server_errors.ApiError)}
    ours = {one.__name__ for one in every(errors.ApiError)}
    assert ours - theirs == set(SAME_ANSWER.values()) - theirs


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert errors.__doc__
    drawn = set(re.findall(r"── (\w+)", errors.__doc__))
    assert drawn == {one.__name__ for one in every(errors.HuiyaoError)} - {"HuiyaoError"}
    codes = re.findall(r"── (\w+) +(-?\d+)(?:, HTTP (\d+))?", errors.__doc__)
    found = {(name, int(code), int(http or 200)) for name, code, http in codes}
    assert found == {(one.__name__, one.code, one.http_status) for one in every(errors.ApiError)[1:]}


def test_the_surface_for_threads_is_up_to_date() -> None:
    source = client_surface.SOURCE.read_text(encoding="utf-8")
    assert client_surface.WRITTEN.read_text(encoding="utf-8") == client_surface.written(source), (
        "`make client`"
    )


@pytest.mark.parametrize(("for_tasks", "for_threads"), [(AsyncHuiyao, Huiyao), (AsyncPerson, Person)])
def test_both_surfaces_have_the_same_methods_with_the_same_parameters(
    for_tasks: type[Any], for_threads: type[Any]
) -> None:
    def public(kind: type[Any]) -> dict[str, list[str]]:
        found = inspect.getmembers(kind, inspect.isfunction)
        return {name: list(inspect.signature(one).parameters) for name, one in found if name[0] != "_"}

    assert public(for_tasks) == public(for_threads)


@pytest.mark.parametrize("module", ["huiyao.client", "huiyao.client.callbacks"])
def test_importing_it_imports_nothing_of_the_server(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert not {one for one in loaded if re.match(r"huiyao\.(?!client(\.|$))", one)}
    assert not loaded & {"starlette", "uvicorn", "sqlalchemy", "asyncpg", "structlog", "typer"}
    assert ("cryptography" in loaded) == (module == "huiyao.client.callbacks")


def test_moments_are_exact_to_the_millisecond_in_any_zone() -> None:
    for at in (0, 1_800_000_000_123, 4_102_444_799_999):
        [found] = reading.read(b"[%d]" % at, list[reading.Moment])
        assert found.utcoffset() == timedelta(0)
        assert reading.milliseconds(found) == at
        assert reading.milliseconds(found.astimezone(timezone(timedelta(hours=8)))) == at
    assert reading.milliseconds(datetime(2027, 1, 15, 8, tzinfo=UTC)) == 1_800_000_000_000


def test_a_datetime_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        reading.milliseconds(datetime(2027, 1, 15, 8))  # noqa: DTZ001


@pytest.mark.parametrize("spoilt", [b"1e30", b'"1"', b"null", b"1.5", b"9" * 30])
def test_what_is_no_moment_is_not_taken_for_one(spoilt: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        reading.read(b"[%b]" % spoilt, list[reading.Moment])
