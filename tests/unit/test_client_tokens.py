"""One refresher at a time, ahead of the end, and nobody left with a token that is refused."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from huiyao.client import AsyncHuiyao, Huiyao, calls, errors
from huiyao.client.session import Session
from huiyao.client.tokens import AGAIN_SECONDS, AHEAD_SECONDS
from tests.unit.fake_huiyao import APP, BASE, SECRET, FakeHuiyao, HandGround, answering, away, session_on

TASKS = 200


def token(ground: HandGround, session: Session) -> str:
    return ground.drive(session.token())


class SlowHuiyao(FakeHuiyao):
    """Takes a moment for a token, so that others come meanwhile."""

    async def answer(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.02 if "token" in request.url.path else 0.001)
        return self(request)


def crowded(server: SlowHuiyao) -> AsyncHuiyao:
    http = httpx.AsyncClient(transport=httpx.MockTransport(server.answer))
    return AsyncHuiyao(BASE, app_id=APP, app_secret=SECRET, http=http)


async def everybody_reads(huiyao: AsyncHuiyao) -> None:
    await asyncio.gather(*(huiyao.person(f"u{number}").read(1) for number in range(TASKS)))


async def test_two_hundred_tasks_fetch_one_token() -> None:
    server = SlowHuiyao()
    async with crowded(server) as huiyao:
        await everybody_reads(huiyao)
    assert server.seen == {"get": 1, "read": TASKS}


async def test_two_hundred_tasks_whose_token_is_superseded_fetch_one_more() -> None:
    server = SlowHuiyao()
    async with crowded(server) as huiyao:
        await huiyao.token()
        server.supersede()
        await everybody_reads(huiyao)
    assert server.seen == {"get": 2, "read": 2 * TASKS}


async def test_a_refused_secret_is_told_to_all_who_waited_after_one_request() -> None:
    server = SlowHuiyao()
    http = httpx.AsyncClient(transport=httpx.MockTransport(server.answer))
    async with AsyncHuiyao(BASE, app_id=APP, app_secret="wrong", http=http) as huiyao:
        told = await asyncio.gather(
            *(huiyao.person("u1").read(1) for _ in range(TASKS)), return_exceptions=True
        )
    assert [type(one) for one in told] == [errors.BadCredentials] * TASKS
    assert server.seen == {"get": 1}


async def test_a_refresher_that_is_cancelled_leaves_its_turn_to_the_next() -> None:
    server = SlowHuiyao()
    async with crowded(server) as huiyao:
        first = asyncio.create_task(huiyao.token())
        second = asyncio.create_task(huiyao.token())
        await asyncio.sleep(0.001)
        first.cancel()
        assert await second == "token-1"


def test_threads_share_one_token_too() -> None:
    server = FakeHuiyao()
    gate = threading.Barrier(16)

    def read(number: int) -> None:
        gate.wait(10)
        huiyao.person(f"u{number}").read(1)

    http = httpx.Client(transport=httpx.MockTransport(server))
    with Huiyao(BASE, app_id=APP, app_secret=SECRET, http=http) as huiyao, ThreadPoolExecutor(16) as pool:
        list(pool.map(read, range(16)))
    assert server.seen == {"get": 1, "read": 16}


def test_a_token_is_renewed_in_its_last_five_minutes_and_not_before() -> None:
    moments = set()
    for _ in range(20):
        server = FakeHuiyao(lives_seconds=7200)
        ground = HandGround(server)
        session = session_on(ground)
        began_at = ground.at
        token(ground, session)
        while server.seen["get"] == 1:
            ground.at += 5
            token(ground, session)
        moments.add(ground.at - began_at)
    assert min(moments) > 7200 - AHEAD_SECONDS
    assert max(moments) < 7200 - 30
    assert len(moments) > 5, "all come at once"


def test_a_renewal_that_fails_leaves_the_good_token_and_is_tried_again_later() -> None:
    server = FakeHuiyao()
    ground = HandGround(server)
    session = session_on(ground)
    token(ground, session)
    ground.at += 7200 - 40
    server.token_faults.extend([answering(-1)])
    assert token(ground, session) == "token-1"
    asked = server.seen["get"]
    assert asked == 2
    assert token(ground, session) == "token-1"
    assert server.seen["get"] == asked
    ground.at += AGAIN_SECONDS
    server.supersede()
    assert token(ground, session) == "token-2"


def test_a_token_past_its_end_is_not_used_though_no_other_can_be_had() -> None:
    server = FakeHuiyao()
    ground = HandGround(server)
    session = session_on(ground)
    token(ground, session)
    ground.at += 7201
    server.token_faults.extend([away] * 10_000)
    with pytest.raises(errors.Unreachable):
        token(ground, session)


def test_a_token_that_is_refused_again_and_again_is_given_up() -> None:
    server = FakeHuiyao()
    http = httpx.Client(transport=httpx.MockTransport(server))
    server.faults.extend([answering(4002)] * 10)
    with Huiyao(BASE, app_id=APP, app_secret=SECRET, http=http) as huiyao, pytest.raises(errors.BadToken):
        huiyao.person("u1").read(1)
    assert server.seen["read"] == 2, "the server gave the same token again"


def test_fresh_tokens_that_others_supersede_meanwhile_are_replaced_until_one_lasts() -> None:
    server = FakeHuiyao()
    ground = HandGround(server)

    def outrun(fake: FakeHuiyao, name: str, request: httpx.Request) -> httpx.Response:
        fake.supersede()
        return fake.serve(name, request)

    given = calls.OneMeeting(requester_uid="u1", meeting_invite_id=1)
    server.faults.extend([outrun] * 5)
    ground.drive(session_on(ground).run(calls.READ, given))
    assert server.seen == {"get": 6, "read": 6}
    assert len(ground.waits) == 4, "the first is replaced at once, the others are given time"
    server.faults.extend([outrun] * 10_000)
    with pytest.raises(errors.ExpiredToken):
        ground.drive(session_on(ground).run(calls.READ, given))
