"""Limits over four processes on one PostgreSQL: what they count together is right, and nobody is locked out."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from huiyao import errors
from tests.acceptance.process import Installation, Server, eventually
from tests.acceptance.test_scaled import workers_of
from tests.storage.rows import fetch

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(240)]

PROCESSES = 4
CLIENTS = 200
QUOTA = 200
BLOCK = 2  # what a process holds of such a quota
INBOX = "/openapi/workbench/meetinginvite/inbox"


def serve(scaled: Installation) -> Server:
    """A server of four processes, all of which answer."""
    server = scaled.serve("--no-dispatch", "--workers", str(PROCESSES))
    nodes = set()

    def all_answer() -> bool:
        answer = httpx.get(f"{server.address}/openapi/nothing", trust_env=False)
        nodes.add(answer.headers["x-request-id"].partition("-")[0])
        return len(nodes) == PROCESSES

    eventually(all_answer, seconds=60, what="an answer of all processes")
    return server


@asynccontextmanager
async def calling(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=server.address, trust_env=False, timeout=60, limits=limits) as http:
        yield http


async def get_token(http: httpx.AsyncClient, scaled: Installation, *, flags: int) -> str:
    query: dict[str, str | int] = {"appId": scaled.app_id, "appSecret": scaled.app_secret, "flags": flags}
    answer = (await http.get("/openapi/token/get", params=query)).json()
    assert answer["status"] == 0, answer
    return str(answer["data"]["accessToken"])


async def use(http: httpx.AsyncClient, tokens: list[str]) -> Counter[int]:
    """How often one call with each of these tokens answered what."""

    async def once(token: str) -> int:
        answer = await http.post(INBOX, params={"accessToken": token}, json={"requesterUid": "u1"})
        return int(answer.json()["status"])

    return Counter(await asyncio.gather(*map(once, tokens)))


async def test_four_processes_never_give_more_than_the_quota_and_hardly_less(scaled: Installation) -> None:
    scaled.succeed("app", "set", str(scaled.app_id), "--quota", str(QUOTA))
    server = serve(scaled)
    async with calling(server) as http:
        token = await get_token(http, scaled, flags=1)
        assert await use(http, [token] * (QUOTA // 2)) == {0: QUOTA // 2}
    dead = min(workers_of(server))
    os.kill(dead, signal.SIGKILL)
    eventually(lambda: len(workers_of(server) - {dead}) == PROCESSES, what="its replacement")
    given = QUOTA // 2
    empty = 0
    while empty < 3:  # no process holds anything: each is asked by one or another new connection
        async with calling(server) as http:
            answers = await use(http, [token] * QUOTA)
        assert set(answers) <= {0, errors.TooOften.code}, answers
        given += answers[0]
        empty = 0 if answers[0] else empty + 1
    assert QUOTA - BLOCK <= given <= QUOTA, "but for what the dead one held, all of it, and no more"
    assert await fetch(scaled.settings["database_url"], "SELECT taken FROM quota") == [(QUOTA,)]


@pytest.mark.thorough
async def test_two_hundred_clients_that_refresh_at_once_all_work_on_every_process(
    scaled: Installation,
) -> None:
    server = serve(scaled)
    async with calling(server) as http:
        for flags in (1, 0):
            tokens = await asyncio.gather(*(get_token(http, scaled, flags=flags) for _ in range(CLIENTS)))
            assert len(set(tokens)) == (CLIENTS if flags else 1)
            assert await use(http, tokens) == {0: CLIENTS}
            assert await use(http, tokens[::-1]) == {0: CLIENTS}
    query = f"SELECT generation FROM app WHERE app_id = {scaled.app_id}"
    assert await fetch(scaled.settings["database_url"], query) == [(CLIENTS,)]
