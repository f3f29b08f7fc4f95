"""A create that comes again (contract section 4)."""

import asyncio
import hashlib
from typing import Any

import msgspec
import pytest

from tests.api.world import HOUR, ORG, SDK, World, creation, data, detail_of, refusal

REUSED = (4604, "Idempotency-Key已被不同的请求使用")


async def create(world: World, body: object = None, **headers: str) -> int:
    answer = await world.call(
        "create", body or creation(), headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    return int(data(answer)["meetingInviteId"])


async def test_the_same_key_answers_the_first_result_again_within_24_hours(either: World) -> None:
    first = await create(either, Idempotency_Key="k-1")
    either.clock.at += 24 * HOUR - 1
    assert await create(either, Idempotency_Key="k-1") == first
    either.clock.at += 1
    assert await create(either, Idempotency_Key="k-1") != first


async def test_without_a_key_every_create_is_a_new_meeting(either: World) -> None:
    assert await create(either) != await create(either)


async def test_a_client_token_is_a_key_and_the_header_wins(here: World) -> None:
    first = await create(here, creation() | {"clientToken": "k-1"})
    assert await create(here, creation() | {"clientToken": "k-1"}) == first
    other = await create(here, creation() | {"clientToken": "k-1"}, Idempotency_Key="k-2")
    assert other != first
    assert await create(here, creation() | {"clientToken": "k-1"}, Idempotency_Key="k-2") == other


async def test_another_body_or_name_under_the_same_key_is_4604(either: World) -> None:
    first = await create(either, Idempotency_Key="k-1")
    for changed in (creation(name="Other"), creation(content="another"), creation() | {"x": 1}):
        answer = await either.call("create", changed, headers={"Idempotency-Key": "k-1"})
        assert refusal(answer) == REUSED
    assert await create(either, Idempotency_Key="k-1") == first


async def test_another_path_under_the_same_key_is_4604(here: World) -> None:
    both = creation(name="B") | detail_of()  # right on either path
    headers = {"uid": "boss", "name": "B", "Idempotency-Key": "k-0"}
    assert data(await here.call("create", both, headers=headers))
    assert refusal(await here.post("meeting/create", both, headers=headers)) == REUSED


async def test_a_key_holds_on_the_later_path_too(here: World) -> None:
    headers = {"uid": "boss", "name": "B", "Idempotency-Key": "k-1"}
    first = data(await here.post("meeting/create", detail_of(), headers=headers))["meetingId"]
    assert data(await here.post("meeting/create", detail_of(), headers=headers))["meetingId"] == first
    assert refusal(await here.post("meeting/create", detail_of(), headers=headers | {"name": "C"})) == REUSED


async def test_a_key_belongs_to_one_app_organisation_and_requester(here: World) -> None:
    await here.add_org(ORG + 1)
    await here.add_app(8, orgs=(ORG, ORG + 1))
    token = await here.get_token(8)
    key = {"Idempotency-Key": "k-1"}
    made = [
        await create(here, Idempotency_Key="k-1"),
        await create(here, creation(uid="a"), Idempotency_Key="k-1"),
    ]
    for org in (ORG, ORG + 1):
        answer = await here.call("create", creation(), token=token, headers=key | {"orgId": str(org)})
        made.append(data(answer)["meetingInviteId"])
    assert len(set(made)) == 4


@pytest.mark.parametrize("key", ["a b", "键".encode().decode("latin-1"), "x" * 256, ""])
async def test_a_key_is_1_to_255_visible_ascii_characters(here: World, key: str) -> None:
    answer = await here.call("create", creation(), headers={"Idempotency-Key": key.encode("latin-1")})
    assert refusal(answer)[1].startswith("参数错误: Idempotency-Key 必须是1到255个可见ASCII字符")


async def test_of_many_at_once_one_is_made_and_all_get_its_number(either: World) -> None:
    made = await asyncio.gather(*(create(either, Idempotency_Key="k-1") for _ in range(8)))
    assert len(set(made)) == 1


async def test_a_refused_create_leaves_its_key_free(here: World) -> None:
    wrong: dict[str, Any] = creation(endTime=1)
    assert refusal(await here.call("create", wrong, headers={"Idempotency-Key": "k-1"}))[0] == 4600
    assert await create(here, Idempotency_Key="k-1")


async def test_the_java_clients_own_repetition_is_recognised_for_30_seconds(either: World) -> None:
    first = await create(either, **SDK)
    either.clock.at += 29_999
    assert await create(either, **SDK) == first
    assert await create(either, creation(content="another"), **SDK) != first
    either.clock.at += 1
    assert await create(either, **SDK) != first


async def test_a_derived_key_is_nobodys_given_one(here: World) -> None:
    first = await create(here, **SDK)
    assert await create(here, Idempotency_Key="k-1", **SDK) != first
    assert await create(here) != first
    raw = msgspec.json.encode(creation())
    whole = b"\0".join((b"/openapi/workbench/meetinginvite/create", "老板".encode(), raw))
    derived = hashlib.sha256(whole).hexdigest()
    assert await create(here, creation(content="another"), Idempotency_Key=derived) != first
