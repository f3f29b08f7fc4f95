"""For which organisation a call is (contract section 2)."""

import base64
import struct

import pytest

from tests.api.world import World, creation, detail_of, refusal

REFUSED = (4016, "企业未授权该应用")


def org_id(number: int) -> str:
    return base64.urlsafe_b64encode(struct.pack("<hq", 1, number)).decode()


def org_secret(number: int) -> str:
    return base64.urlsafe_b64encode(struct.pack("<hqq", 1, 375, number)).decode()


@pytest.fixture
async def several(here: World) -> World:
    """An app with three organisations, 84001 being its default."""
    for number in (84001, 85161):
        await here.add_org(number)
    await here.add_app(8, orgs=(84000, 84001, 85161), default_org=84001)
    here.token = await here.get_token(8)
    return here


async def made_in(world: World, headers: dict[str, str], **body: object) -> int:
    """The organisation a meeting lands in."""
    answer = await world.call("create", creation() | body, headers=headers)
    meeting_id = answer.json()["data"]["meetingInviteId"]
    for number in (84000, 84001, 85161):
        if await world.storage.whole_meeting(number, meeting_id):
            return number
    raise AssertionError("the meeting is nowhere")


@pytest.mark.parametrize(
    ("headers", "body", "org"),
    [
        ({}, {}, 84001),
        ({"orgId": "84000"}, {}, 84000),
        ({"orgId": org_id(84000)}, {}, 84000),
        ({"orgId": org_id(84000).rstrip("=")}, {}, 84000),
        ({"orgSecret": "AQB3AQAAAAAAAKlMAQAAAAAA"}, {}, 85161),
        ({"orgSecret": "85161"}, {}, 85161),
        ({}, {"orgId": 85161}, 85161),
        ({}, {"orgId": "85161"}, 85161),
        ({}, {"orgId": org_id(85161)}, 85161),
        ({}, {"orgId": None}, 84001),
        ({"orgId": "84000", "orgSecret": org_secret(85161)}, {"orgId": 84001}, 84000),
        ({"orgSecret": org_secret(85161)}, {"orgId": 84000}, 85161),
    ],
)
async def test_the_header_comes_before_the_secret_before_the_body_before_the_default(
    several: World, headers: dict[str, str], body: dict[str, object], org: int
) -> None:
    assert await made_in(several, headers, **body) == org


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"orgId": "84002"}, {}),
        ({"orgId": "0"}, {}),
        ({"orgId": ""}, {}),
        ({"orgId": "no such form"}, {}),
        ({"orgId": org_secret(84000)}, {}),
        ({"orgSecret": org_id(84000)}, {}),
        ({"orgSecret": org_secret(84002)}, {}),
        ({"orgSecret": "x"}, {"orgId": 84000}),
        ({}, {"orgId": 84002}),
        ({}, {"orgId": 0}),
        ({}, {"orgId": ""}),
        ({}, {"orgId": []}),
        ({}, {"orgId": True}),
        ({}, {"orgId": 84000.5}),
        ({}, {"orgId": 2**70}),
    ],
)
async def test_of_no_known_form_or_not_granted_is_4016(
    several: World, headers: dict[str, str], body: dict[str, object]
) -> None:
    assert refusal(await several.call("create", creation() | body, headers=headers)) == REFUSED


async def test_an_app_without_organisations_or_default_has_none_to_fall_back_on(here: World) -> None:
    await here.add_org(84001)
    await here.add_app(8, orgs=())
    await here.add_app(9, orgs=(84000, 84001))
    for app_id in (8, 9):
        token = await here.get_token(app_id)
        assert refusal(await here.call("create", creation(), token=token)) == REFUSED


async def test_an_apps_only_organisation_needs_no_naming(here: World) -> None:
    assert await here.create()


async def test_a_grant_for_one_organisation_opens_no_other(here: World) -> None:
    await here.add_org(84001)
    assert refusal(await here.call("create", creation(), headers={"orgId": "84001"})) == REFUSED


async def test_the_later_generation_names_it_the_same_way(several: World) -> None:
    headers = {"uid": "boss", "name": "B", "orgSecret": "AQB3AQAAAAAAAKlMAQAAAAAA"}
    answer = await several.post("meeting/create", detail_of(), headers=headers)
    assert await several.storage.whole_meeting(85161, answer.json()["data"]["meetingId"])
