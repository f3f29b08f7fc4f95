"""Access tokens (contract section 2)."""

import re
from typing import Any

import msgspec
import pytest

from huiyao.keys import Keys
from huiyao.model import App
from huiyao.service.keyring import Earlier, Keyring
from tests.api.world import APP, NOW, SECRET, World, data, refusal

LIVES = 7200 * 1000
GRACE = 300 * 1000
BAD = (4002, "accessToken无效")
EXPIRED = (4003, "accessToken超时，请重新获取")
WRONG = (4007, "appId或appSecret错误")


@pytest.fixture
def node(here: World) -> World:
    """A node with the default lifetimes."""
    return here.restarted(token_seconds=7200, token_grace_seconds=300)


async def use(world: World, token: str) -> Any:
    """0, or the refusal that a call with this token gets."""
    answer = await world.call("inbox", {"requesterUid": "a"}, token=token)
    return 0 if answer.json()["status"] == 0 else refusal(answer)


async def change_app(world: World, **changes: Any) -> None:
    app = await world.storage.app(APP)
    assert app
    await world.storage.put_app(msgspec.structs.replace(app, **changes))


async def test_a_token_comes_with_its_end_and_a_ticket(node: World) -> None:
    found = data(await node.get("token/get", {"appId": APP, "appSecret": SECRET}, token=None))
    assert found.keys() == {"accessToken", "expiresIn", "expireTime", "jsapiTicket"}
    assert (found["expiresIn"], found["expireTime"]) == (7200, NOW + LIVES)
    assert re.fullmatch(r"[A-Za-z0-9_=-]{32,512}", found["accessToken"])
    assert re.fullmatch(r"[A-Za-z0-9]{32}", found["jsapiTicket"])


async def test_app_id_and_secret_may_be_headers(node: World) -> None:
    answer = await node.get("token/get", token=None, appId=str(APP), appSecret=SECRET)
    assert await use(node, data(answer)["accessToken"]) == 0


async def test_a_token_is_a_query_parameter_or_a_header_and_the_query_wins(node: World) -> None:
    good = await node.get_token()
    body = {"requesterUid": "a"}
    for query, header, status in (
        (good, "bad", 0),
        ("bad", good, 4002),
        (None, good, 0),
        (good, "", 0),
        ("", good, 0),
    ):
        headers = {"accessToken": header} if header else {}
        url = "workbench/meetinginvite/inbox" + ("" if query is None else f"?accessToken={query}")
        answer = await node.http.post(url, json=body, headers=headers)
        assert answer.json()["status"] == status, (query, header)


async def test_a_call_without_a_token_says_so(node: World) -> None:
    assert refusal(await node.call("inbox", {"requesterUid": "a"}, token=None)) == (4008, "缺少accessToken")


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"appId": APP},
        {"appSecret": SECRET},
        {"appId": "", "appSecret": SECRET},
        {"appId": APP, "appSecret": ""},
        {"appId": "seven", "appSecret": SECRET},
        {"appId": "7.5", "appSecret": SECRET},
        {"appId": "9" * 40, "appSecret": SECRET},
        {"appId": -7, "appSecret": SECRET},
        {"appId": 8, "appSecret": SECRET},
        {"appId": APP, "appSecret": "wrong"},
        {"appId": APP, "appSecret": "密码\x00"},
        {"appId": APP, "appSecret": "x" * 10_000},
    ],
)
async def test_wrong_credentials_of_any_kind_are_4007(node: World, query: dict[str, object]) -> None:
    assert refusal(await node.get("token/get", query, token=None)) == WRONG


async def test_a_right_secret_is_never_refused_because_of_wrong_ones(node: World) -> None:
    for _ in range(50):
        await node.get("token/get", {"appId": APP, "appSecret": "wrong"}, token=None)
    assert await use(node, await node.get_token()) == 0


async def test_an_unknown_app_costs_as_much_work_as_a_known_one(
    node: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsealed: list[int] = []
    unseal = node.keys.unseal

    def counted(sealed: bytes, *, app_id: int) -> str:
        unsealed.append(app_id)
        return unseal(sealed, app_id=app_id)

    monkeypatch.setattr(node.keys, "unseal", counted)
    for app_id in (APP, 8):
        answer = await node.get("token/get", {"appId": app_id, "appSecret": "wrong"}, token=None)
        assert refusal(answer) == WRONG
    assert len(unsealed) == 2


async def test_token_get_wants_get_and_says_so_with_4009(node: World) -> None:
    answer = await node.post("token/get", b"", query={"appId": APP, "appSecret": SECRET})
    assert refusal(answer) == (4009, "请使用GET请求")


async def test_flags_other_than_0_and_1_are_told_after_the_credentials(node: World) -> None:
    query = {"appId": APP, "appSecret": SECRET, "flags": 2}
    assert refusal(await node.get("token/get", query, token=None)) == (4600, "参数错误: flags 必须在0到1之间")
    assert refusal(await node.get("token/get", query | {"appSecret": "x"}, token=None)) == WRONG


async def test_flags_0_gives_the_current_token_while_five_minutes_are_left(node: World) -> None:
    first = await node.get_token()
    node.clock.at += LIVES - 300_000
    assert await node.get_token(flags=0) == first
    node.clock.at += 1
    assert await node.get_token(flags=0) != first


async def test_without_flags_a_token_is_forced(node: World) -> None:
    first = await node.get_token(flags=1)
    assert await node.get_token() != first


async def test_a_token_lives_two_hours(node: World) -> None:
    token = await node.get_token()
    node.clock.at += LIVES - 1
    assert await use(node, token) == 0
    node.clock.at += 1
    assert await use(node, token) == EXPIRED


async def test_a_superseded_token_is_good_for_the_grace_period(node: World) -> None:
    first = await node.get_token()
    node.clock.at += 1000
    second = await node.get_token()
    node.clock.at += GRACE - 1
    assert await use(node, first) == 0
    node.clock.at += 1
    assert await use(node, first) == EXPIRED
    assert await use(node, second) == 0


async def test_without_grace_a_superseded_token_is_void_at_once(node: World) -> None:
    strict = node.restarted(token_grace_seconds=0)
    first = await strict.get_token()
    assert await use(strict, first) == 0
    await strict.get_token()
    assert await use(strict, first) == EXPIRED


async def test_a_token_of_a_generation_that_was_never_issued_is_4002(
    node: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await node.get_token()
    app = await node.storage.app(APP)
    assert app
    older = msgspec.structs.replace(app, generation=app.generation - 1)

    async def restored(app_id: int) -> App:
        return older

    monkeypatch.setattr(node.storage, "app", restored)
    assert await use(node.restarted(), token) == BAD


async def test_each_generation_has_a_grace_of_its_own(node: World) -> None:
    tokens = []
    for _ in range(3):
        tokens.append(await node.get_token())
        node.clock.at += 200_000
    # Superseded 400, 200 and 0 seconds ago.
    assert [await use(node, token) for token in tokens] == [EXPIRED, 0, 0]
    await node.get_token()
    assert [await use(node, token) for token in tokens] == [EXPIRED, 0, 0]


async def test_tokens_survive_a_restart_and_work_on_every_node(node: World) -> None:
    first = await node.get_token()
    other = node.restarted()
    assert await use(other, first) == 0
    assert await use(node, first) == 0
    second = await other.get_token()
    assert await use(node, second) == 0, "a generation newer than the cache knows is read anew"


async def test_a_forged_or_mangled_token_is_4002(node: World) -> None:
    token = await node.get_token()
    app_id, number, expires, mac = token.split("_")
    mangled = [
        "x",
        "_",
        "____",
        token[:-1],
        token + "0",
        token.upper(),
        f"8_{number}_{expires}_{mac}",
        f"{app_id}_{int(number) + 1}_{expires}_{mac}",
        f"{app_id}_{number}_{int(expires) + 1}_{mac}",
        f"0{token}",
        "x" * 513,
        "令牌",
        token.replace("_", "-"),
    ]
    for wrong in mangled:
        assert await use(node, wrong) == BAD, wrong


async def test_a_forged_token_costs_no_look_up(node: World) -> None:
    await node.storage.close()
    assert await use(node.restarted(), "7_1_9999999999999_" + "0" * 64) == BAD


async def test_a_disabled_apps_tokens_are_4002_within_five_seconds(
    node: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await node.get_token()
    assert await use(node, token) == 0
    await change_app(node, disabled=True)
    assert refusal(await node.get("token/get", {"appId": APP, "appSecret": SECRET}, token=None)) == WRONG
    monkeypatch.setattr("huiyao.service.access.REMEMBER_SECONDS", 0)
    assert await use(node.restarted(), token) == BAD


async def test_what_a_node_knows_of_an_app_is_five_seconds_old_at_most(
    node: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 1000.0
    monkeypatch.setattr("huiyao.service.access.time.monotonic", lambda: seconds)
    token = await node.get_token()
    assert await use(node, token) == 0
    await change_app(node, disabled=True)
    seconds = 1004.9
    assert await use(node, token) == 0
    seconds = 1005.1
    assert await use(node, token) == BAD


async def test_revoked_tokens_are_4002_at_once_where_nothing_is_remembered(node: World) -> None:
    token = await node.get_token()
    app = await node.storage.app(APP)
    assert isinstance(app, App)
    await change_app(node, revoked_generation=app.generation)
    fresh = node.restarted()
    assert await use(fresh, token) == BAD
    assert await fresh.get_token(flags=0) != token
    assert await use(fresh, await fresh.get_token()) == 0


async def test_a_token_of_another_servers_key_is_4002(node: World) -> None:
    other = node.restarted()
    ours = Earlier(node.keys.current, retired_at=0, tokens_until=0)  # what app secrets open with
    other.access._keyring = Keyring(Keys.from_text("k" * 32), earlier=[ours])
    assert await use(node, await other.get_token()) == BAD
