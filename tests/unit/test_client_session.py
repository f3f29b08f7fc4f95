"""What the client repeats, how long it tries, and what it tells of what it does not know."""

import json
from types import NoneType
from typing import Any

import httpx
import pytest

from huiyao.client import (
    ApiError,
    Patience,
    RemindType,
    TransportError,
    Unanswered,
    Unreachable,
    calls,
    errors,
)
from huiyao.client.session import LONGEST_PAUSE_SECONDS
from tests.unit.fake_huiyao import (
    FakeHuiyao,
    Fault,
    HandGround,
    answering,
    away,
    bad_gateway,
    late,
    lost,
    session_on,
    well,
)

READ = calls.OneMeeting(requester_uid="u1", meeting_invite_id=1)
BUSY = answering(-1, http_status=503, retry_after=1)


class Case:
    """One client on one fake server."""

    def __init__(self, *faults: Fault, patience: Patience | None = None) -> None:
        self.server = FakeHuiyao()
        self.server.faults.extend(faults)
        self.ground = HandGround(self.server)
        self.session = session_on(self.ground, patience)

    def run(self, call: calls.Call[Any, Any] = calls.READ, given: Any = READ, *, key: str = "") -> Any:
        return self.ground.drive(self.session.run(call, given, key=key))


def create(case: Case) -> int:
    detail = calls.Detail(
        create_time=1,
        content="c",
        address="",
        begin_time=2,
        end_time=3,
        remind_min=0,
        remind_type=RemindType.IN_APP,
        members=[],
    )
    given = calls.Create(requester_uid="u1", requester_name="王芳", detail=detail)
    return int(case.run(calls.CREATE, given, key="key-1").meeting_invite_id)


@pytest.mark.parametrize("fault", [away, lost, late, bad_gateway, BUSY], ids=lambda one: one.__name__)
def test_a_create_that_fails_midway_is_repeated_and_made_once(fault: Fault) -> None:
    case = Case(fault, fault)
    assert create(case) == 1
    assert len(case.server.meetings) == 1
    assert len(case.ground.waits) == 2


def test_a_repetition_is_the_same_to_the_byte_under_the_same_key() -> None:
    case = Case(lost, BUSY, well)
    create(case)
    assert len({(one.headers["Idempotency-Key"], one.content) for one in case.server.sent("create")}) == 1
    assert case.server.seen["create"] == 3


@pytest.mark.parametrize(
    ("fault", "raised"),
    [(lost, Unanswered), (late, Unanswered), (bad_gateway, Unanswered), (BUSY, errors.Unavailable)],
)
def test_a_nudge_of_unknown_outcome_is_not_repeated(fault: Fault, raised: type[Exception]) -> None:
    case = Case(fault)
    with pytest.raises(raised):
        case.run(calls.NUDGE)
    assert case.server.seen["remindagain"] == 1
    assert case.ground.waits == []


def test_a_nudge_that_was_never_sent_is_repeated() -> None:
    case = Case(away, away)
    case.run(calls.NUDGE)
    assert case.server.seen["remindagain"] == 1


def test_every_call_but_the_nudge_is_safe_to_repeat() -> None:
    table = [one for one in vars(calls).values() if isinstance(one, calls.Call)]
    assert [one.name for one in table if not one.safe] == ["remindagain"]


def test_pauses_grow_and_stay_below_their_limit() -> None:
    case = Case(*[away] * 40, patience=Patience(deadline_seconds=1000))
    case.run()
    assert max(case.ground.waits[:3]) <= 0.4
    # Some thirty of them are drawn anew below the limit: one is in the upper half.
    assert LONGEST_PAUSE_SECONDS / 2 < max(case.ground.waits) <= LONGEST_PAUSE_SECONDS


def test_retry_after_of_an_overloaded_server_is_waited_for() -> None:
    case = Case(answering(-1, http_status=503, retry_after=3))
    case.run()
    [waited] = case.ground.waits
    assert 3 <= waited <= 3 + LONGEST_PAUSE_SECONDS


def test_nothing_is_tried_past_the_deadline() -> None:
    case = Case(*[away] * 1000, patience=Patience(deadline_seconds=5))
    began_at = case.ground.at
    with pytest.raises(Unreachable):
        case.run()
    assert case.ground.at - began_at <= 5


def test_what_was_sent_once_and_lost_stays_unknown_though_the_server_is_gone_afterwards() -> None:
    case = Case(lost, *[away] * 1000)
    with pytest.raises(Unanswered):
        case.run()


def test_a_refusal_after_a_lost_answer_says_so() -> None:
    case = Case(lost, answering(4605))
    with pytest.raises(errors.SequenceChanged) as raised:
        case.run(calls.CANCEL, calls.Cancel(requester_uid="u1", meeting_invite_id=1, sequence=3))
    assert raised.value.after_unanswered
    with pytest.raises(errors.SequenceChanged) as raised:
        Case(answering(4605)).run()
    assert not raised.value.after_unanswered


def test_the_apps_rate_is_waited_for() -> None:
    case = Case(answering(4006, retry_after=4))
    case.run()
    assert case.ground.waits[0] >= 4


@pytest.mark.parametrize("retry_after", [11, None])
def test_a_quota_that_takes_longer_is_raised_at_once_with_its_wait(retry_after: int | None) -> None:
    case = Case(answering(4006, retry_after=retry_after))
    with pytest.raises(errors.TooOften) as raised:
        case.run()
    assert raised.value.retry_after == retry_after
    assert case.ground.waits == []


def test_a_refusal_is_raised_at_once_with_everything_the_answer_tells() -> None:
    case = Case(answering(4601))
    with pytest.raises(errors.NoSuchMeeting) as raised:
        case.run()
    error = raised.value
    assert (error.code, error.message, error.request_id) == (4601, "refused with 4601", "r-1")
    assert str(error) == "refused with 4601 (code 4601, request r-1)"
    assert case.server.seen["read"] == 1


def test_a_code_of_a_newer_server_is_an_api_error_with_that_code() -> None:
    with pytest.raises(ApiError) as raised:
        Case(answering(4699)).run()
    assert type(raised.value) is ApiError
    assert raised.value.code == 4699


@pytest.mark.parametrize("http_status", [200, 301, 404, 413])
def test_an_answer_that_is_not_huiyaos_is_no_success_and_not_repeated(http_status: int) -> None:
    case = Case(lambda server, name, request: httpx.Response(http_status, text="<html>"))
    with pytest.raises(TransportError):
        case.run()
    assert case.ground.waits == []


def test_what_a_newer_server_adds_to_an_answer_is_ignored() -> None:
    case = Case()
    case.server.answers = {
        "read": {"more": 1},
        "inbox": {"items": [], "unread": 0, "nextCursor": "c", "more": 1},
    }
    assert case.run() is None
    assert case.run(calls.INBOX, calls.Inbox(requester_uid="u1")).cursor == "c"
    assert calls.READ.answer is NoneType


def test_what_is_none_is_left_out_of_the_body() -> None:
    case = Case()
    case.run(calls.CANCEL, calls.Cancel(requester_uid="u1", meeting_invite_id=1))
    [request] = case.server.sent("cancel")
    assert json.loads(request.content) == {"requesterUid": "u1", "meetingInviteId": 1}


def test_neither_secret_nor_token_is_in_an_address() -> None:
    case = Case()
    case.run()
    assert [one.url.query for one in case.server.requests] == [b"flags=0", b""]
