"""Who may call what: addresses, calls, rates, quotas and guessing (contract sections 1 to 3)."""

import asyncio
from typing import Any

import httpx
import msgspec
import pytest
from structlog.testing import capture_logs

from huiyao.model import USUAL_CALLS, Grant
from huiyao.openapi import admission
from huiyao.openapi.call import Style
from huiyao.service import access
from tests.api.world import APP, NOW, SECRET, World, creation, data, refusal

HERE = "192.0.2.7"  # where the world's client is
DAY = 86_400_000
MIDNIGHT = NOW - NOW % DAY + DAY  # UTC, the next one
ELSEWHERE = 4014
TOO_OFTEN = 4006


async def limit(world: World, **changes: Any) -> World:
    """A node that knows of what the app may do from now on."""
    app = await world.storage.app(APP)
    assert app
    await world.storage.put_app(msgspec.structs.replace(app, **changes))
    return world.restarted()


def client_at(world: World, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=world.api, client=(address, 40_000))
    return httpx.AsyncClient(transport=transport, base_url="http://huiyao.test/openapi/")


async def status(world: World, name: str = "inbox", **headers: str) -> int:
    answer = await world.call(name, {"requesterUid": "a"}, headers=headers)
    return int(answer.json()["status"])


async def guess(http: httpx.AsyncClient, secret: str, app_id: int = APP) -> httpx.Response:
    return await http.get("token/get", params={"appId": app_id, "appSecret": secret, "flags": 0})


def standing(answer: httpx.Response) -> tuple[int, int, int]:
    names = ("Limit", "Remaining", "Reset")
    limit, remaining, reset = (int(answer.headers[f"X-RateLimit-{name}"]) for name in names)
    return limit, remaining, reset


def test_the_calls_that_may_be_listed_are_those_that_need_no_permission(here: World) -> None:
    usual = {call.short_name for call in here.api.calls if call.style is not Style.TOKEN and not call.grant}
    assert sorted(usual) == list(USUAL_CALLS)
    assert {call.short_name for call in here.api.calls if call.grant} == {one.value for one in Grant}


@pytest.mark.parametrize(
    ("networks", "code"),
    [
        ((), 0),
        (("192.0.2.0/24",), 0),
        (("198.51.100.1/32", f"{HERE}/32"), 0),
        (("198.51.100.0/24", "2001:db8::/32"), ELSEWHERE),
        (("::/0",), ELSEWHERE),
    ],
)
async def test_an_app_calls_from_its_networks_only(here: World, networks: tuple[str, ...], code: int) -> None:
    world = await limit(here, ip_list=networks)
    assert await status(world) == code
    assert await status(world, X_Forwarded_For="198.51.100.1") == code, (
        "nobody's word but a trusted proxy's counts"
    )


async def test_ipv6_and_ipv4_in_its_clothes_are_listed_like_any_other(here: World) -> None:
    world = await limit(here, ip_list=("2001:db8:1::/48", "198.51.100.0/24"))
    for address, code in (
        ("2001:db8:1::5", 0),
        ("2001:db8:2::5", ELSEWHERE),
        ("::ffff:198.51.100.9", 0),
        ("::ffff:198.51.101.9", ELSEWHERE),
    ):
        async with client_at(world, address) as http:
            query = {"accessToken": world.token}
            answer = await http.post(
                "workbench/meetinginvite/inbox", params=query, json={"requesterUid": "a"}
            )
        assert answer.json()["status"] == code, address


async def test_behind_a_trusted_proxy_its_word_counts_and_the_clients_own_does_not(here: World) -> None:
    await limit(here, ip_list=("198.51.100.0/24",))
    world = here.restarted(trusted_proxies=(HERE,))
    for forwarded, code in (
        ("198.51.100.9", 0),
        ("198.51.100.9, 203.0.113.1", ELSEWHERE),
        ("203.0.113.1, 198.51.100.9", 0),
        ("198.51.100.9, garbage", ELSEWHERE),
        ("", ELSEWHERE),
    ):
        assert await status(world, **{"X-Forwarded-For": forwarded}) == code, forwarded
    assert await status(world) == ELSEWHERE, "the proxy itself is on no list"


async def test_a_stolen_secret_yields_no_token_elsewhere(here: World) -> None:
    world = await limit(here, ip_list=("198.51.100.0/24",))
    assert refusal(await guess(world.http, SECRET)) == (ELSEWHERE, "调用方IP不在应用的白名单中")
    assert refusal(await guess(world.http, "wrong"))[0] == 4007, (
        "who has no secret learns nothing of the list"
    )
    async with client_at(world, "198.51.100.9") as http:
        assert data(await guess(http, SECRET))


async def test_an_app_that_is_kept_to_some_calls_makes_no_others_in_either_generation(here: World) -> None:
    world = await limit(here, api_list=frozenset({"create", "inbox"}))
    assert data(await world.call("create", creation()))
    assert refusal(await world.call("detail", b""))[0] == 4013
    assert refusal(await world.get("meeting/detail", {"meetingId": 1}))[0] == 4013
    assert refusal(await world.call("freebusy", b""))[0] == 4013
    granted = await limit(world, grants=frozenset({Grant.FREEBUSY}))
    assert refusal(await granted.call("freebusy", b""))[0] == 4012, "permissions are apart from the list"
    assert await granted.get_token()


async def test_a_rate_is_one_of_each_call_and_app_and_comes_back_with_time(here: World) -> None:
    await here.add_app(8)
    world = await limit(here, rate=3)
    answers = [await world.call("inbox", {"requesterUid": "a"}) for _ in range(4)]
    assert [one.json()["status"] for one in answers] == [0, 0, 0, TOO_OFTEN]
    assert [standing(one) for one in answers] == [(3, 2, 1), (3, 1, 1), (3, 0, 1), (3, 0, 1)]
    assert refusal(answers[3]) == (TOO_OFTEN, "调用过于频繁，请在1秒后重试")
    assert [one.headers.get("Retry-After") for one in answers] == [None, None, None, "1"]
    assert data(await world.call("create", creation())), "another call has its own"
    other = await world.get_token(8)
    assert (await world.call("inbox", {"requesterUid": "a"}, token=other)).json()["status"] == 0
    world.clock.at += 334
    assert [await status(world) for _ in range(2)] == [0, TOO_OFTEN]


async def test_the_setting_is_the_rate_of_apps_that_have_none(here: World) -> None:
    world = here.restarted(rate_per_second=2)
    assert [await status(world) for _ in range(3)] == [0, 0, TOO_OFTEN]
    await limit(world, rate=4)
    own = here.restarted(rate_per_second=2)
    assert [await status(own) for _ in range(5)] == [0, 0, 0, 0, TOO_OFTEN]


async def test_where_no_limit_applies_no_answer_speaks_of_one(here: World) -> None:
    answer = await here.call("inbox", {"requesterUid": "a"})
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]
    assert "retry-after" not in answer.headers


async def test_a_quota_holds_for_the_day_over_all_calls_and_restarts(either: World) -> None:
    world = await limit(either, quota=5)
    assert data(await world.call("create", creation()))
    answer = await world.call("detail", {})  # counts, whatever comes of it
    assert refusal(answer)[0] == 4600
    assert standing(answer) == (5, 3, (MIDNIGHT - NOW) // 1000)
    other = world.restarted()
    assert [await status(other) for _ in range(2)] == [0, 0]
    third = await other.call("inbox", {"requesterUid": "a"})
    refused = await other.call("inbox", {"requesterUid": "a"})
    assert refused.json()["status"] == TOO_OFTEN
    assert (third.json()["status"] == 0) + (await status(world) == 0) == 1, "one of both held the last"
    assert standing(refused)[:2] == (5, 0)
    assert int(refused.headers["Retry-After"]) == (MIDNIGHT - NOW) // 1000
    assert "今日调用次数已用完" in refusal(refused)[1]
    world.clock.at = MIDNIGHT
    assert await status(other) == 0


async def test_what_the_rate_refuses_costs_no_quota(here: World) -> None:
    world = await limit(here, rate=1, quota=100)
    assert [await status(world) for _ in range(5)] == [0, *[TOO_OFTEN] * 4]
    world.clock.at += 1000
    assert standing(await world.call("inbox", {"requesterUid": "a"}))[:2] == (100, 98)


async def test_wrong_secrets_are_slowed_and_a_right_one_from_elsewhere_never_is(here: World) -> None:
    world = here.restarted()
    await world.add_app(8, secret="another-secret-of-8")
    at_once = admission.WRONG_SECRETS[1]
    codes = [refusal(await guess(world.http, f"wrong {n}"))[0] for n in range(at_once + 3)]
    assert codes == [4007] * at_once + [TOO_OFTEN] * 3
    slowed = await guess(world.http, SECRET)
    assert (refusal(slowed)[0], slowed.headers["Retry-After"]) == (TOO_OFTEN, "1")
    async with client_at(world, "198.51.100.9") as http:
        assert data(await guess(http, SECRET))
        assert refusal(await guess(http, "wrong"))[0] == 4007, "nor does one address slow another"
    assert data(await guess(world.http, "another-secret-of-8", 8)), "nor one app another"
    world.clock.at += 1000
    assert refusal(await guess(world.http, "wrong again"))[0] == 4007
    assert refusal(await guess(world.http, SECRET))[0] == TOO_OFTEN
    world.clock.at += 1000
    assert data(await guess(world.http, SECRET))


async def test_changing_addresses_within_a_network_of_ones_own_helps_no_guesser(here: World) -> None:
    world = here.restarted()
    for n in range(admission.WRONG_SECRETS[1]):
        async with client_at(world, f"2001:db8:1:1::{n + 1:x}") as http:
            await guess(http, "wrong")
    async with client_at(world, "2001:db8:1:1:ffff::1") as http:
        assert refusal(await guess(http, "wrong"))[0] == TOO_OFTEN
    async with client_at(world, "2001:db8:1:2::1") as http:
        assert refusal(await guess(http, "wrong"))[0] == 4007


async def test_forged_tokens_are_slowed_and_a_genuine_one_never_is(here: World) -> None:
    world = here.restarted()
    at_once = admission.FORGED_TOKENS[1]
    forged = f"{APP}_1_9999999999999_" + "0" * 64
    codes = [
        (await world.call("inbox", {"requesterUid": "a"}, token=forged)).json()["status"]
        for _ in range(at_once + 1)
    ]
    assert codes == [4002] * at_once + [TOO_OFTEN]
    assert await status(world) == 0
    other = await world.call("inbox", {}, token=forged.replace(f"{APP}_", "8_", 1))
    assert refusal(other)[0] == 4002


async def test_what_is_remembered_of_guessers_has_an_end(here: World) -> None:
    world = here.restarted()
    guesses = world.api._admission._guesses
    guesses._at_most = 20
    for n in range(1, 60):
        await guess(world.http, "wrong", app_id=1000 + n)
    assert len(guesses) == 20


@pytest.mark.parametrize("flags", [0, 1])
async def test_two_hundred_clients_that_refresh_at_once_never_lock_each_other_out(
    either: World, flags: int
) -> None:
    await limit(either, rate=1)
    world = either.restarted()
    for _ in range(3):
        tokens = await asyncio.gather(*(world.get_token(flags=flags) for _ in range(200)))
        assert len(set(tokens)) == (200 if flags else 1)
        used = await asyncio.gather(*(world.access.verify(token) for token in tokens))
        assert {app.id for app in used} == {APP}
        world.clock.at += 60_000


async def test_who_forces_new_tokens_without_end_is_told_to_wait(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "FORCED_AT_ONCE", 5)
    world = here.restarted()
    query = {"appId": APP, "appSecret": SECRET}
    answers = [await world.get("token/get", query, token=None) for _ in range(6)]
    assert [one.json()["status"] for one in answers] == [0, 0, 0, 0, 0, TOO_OFTEN]
    assert answers[5].headers["Retry-After"] == "1"
    assert await world.get_token(flags=0), "there is a token for it all the same"


async def test_who_asks_for_the_same_token_without_end_is_told_to_wait(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "TOKENS", (1, 3))
    world = here.restarted()
    assert [(await guess(world.http, SECRET)).json()["status"] for _ in range(4)] == [0, 0, 0, TOO_OFTEN]


async def test_a_flood_fills_no_log(here: World) -> None:
    world = await limit(here, rate=1)
    with capture_logs() as lines:
        codes = [await status(world) for _ in range(4)]
        assert refusal(await world.call("detail", {}))[0] == 4600
    assert codes == [0, TOO_OFTEN, TOO_OFTEN, TOO_OFTEN]
    assert [line["status"] for line in lines] == [4600]


async def test_english_callers_are_told_in_english(here: World) -> None:
    world = await limit(here, rate=1, ip_list=("192.0.2.0/24",))
    english = {"Accept-Language": "en"}
    await world.call("inbox", {})
    answer = await world.call("inbox", {}, headers=english)
    assert refusal(answer) == (TOO_OFTEN, "called too often, please try again in 1 seconds")
