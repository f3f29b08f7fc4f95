"""The checks run in the order of contract section 3: a call with every fault gets the first one's code.

Each step takes one fault away, and the next code shows.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from huiyao.model import Grant, Person
from tests.api.world import ORG, World, creation, refusal

BIG = 4096


def body(**changes: Any) -> dict[str, Any]:
    """A creation with several faults; a change of ... leaves the field out."""
    whole = creation(uid="", name="", address="x" * BIG) | {"notify": "all"} | changes
    return {key: value for key, value in whole.items() if value is not ...}


# What is right from this step on, and the code that shows until it is: header orgId is given.
WITH_HEADER: list[tuple[str, int]] = [
    ("size", 4600),
    ("https", 4011),
    ("method", 4010),
    ("token present", 4008),
    ("token genuine", 4002),
    ("address", 4014),
    ("permission", 4013),
    ("rate", 4006),
    ("quota", 4006),
    ("organisation", 4016),
    ("body present", 4012),
    ("body JSON", 4600),
    ("parameters", 4600),
    ("requester", 4501),
    ("directory", 4500),
    ("meeting", 4601),
]
# Without the header, the body is read before the organisation is decided.
WITHOUT_HEADER = [
    *WITH_HEADER[:9],
    ("body present", 4012),
    ("body JSON", 4600),
    ("organisation", 4016),
    *WITH_HEADER[12:],
]


def steps(order: list[tuple[str, int]]) -> Iterator[tuple[set[str], int, str]]:
    """What is right already, the code to be answered, and what is put right next."""
    right: set[str] = set()
    for name, code in order:
        yield set(right), code, name
        right.add(name)


def raw(right: set[str], *, org_in_body: bool) -> bytes:
    filler = b"" if "size" in right else b" " * (BIG + 1)
    if "body present" not in right:
        return filler
    if "body JSON" not in right:
        return b"{" + filler
    org = "1" if "organisation" not in right else str(ORG + 2)
    org_field = b'"orgId":%b,' % org.encode() if org_in_body else b""
    uid = b"stranger" if "directory" not in right else b"known"
    requester = b"" if "requester" not in right else uid
    meeting = b"0" if "parameters" not in right else b"111234"
    return b'{%b"requesterUid":"%b","meetingInviteId":%b}' % (org_field, requester, meeting) + filler


async def allow(world: World, right: set[str]) -> None:
    """Let the app do what is right already, and no more."""
    app = await world.storage.app(8)
    assert app
    changed = msgspec.structs.replace(
        app,
        ip_list=() if "address" in right else ("198.51.100.0/24",),
        api_list=frozenset({"detail"}) if "permission" in right else frozenset({"create"}),
        rate=0 if "rate" in right else 1,
        quota=0 if "quota" in right else 1,
    )
    await world.storage.put_app(changed)


async def answer(world: World, right: set[str], *, header: bool) -> tuple[int, int, str]:
    """HTTP status, code and message."""
    headers = {"X-Forwarded-Proto": "https"} if "https" in right else {}
    if header:
        headers["orgId"] = str(ORG + 2) if "organisation" in right else "1"
    query = {}
    if "token present" in right:
        query["accessToken"] = world.token if "token genuine" in right else "forged"
    response = await world.http.request(
        "POST" if "method" in right else "PUT",
        "workbench/meetinginvite/detail",
        params=query,
        content=raw(right, org_in_body=not header),
        headers=headers,
    )
    return response.status_code, response.json()["status"], response.json()["message"]


@pytest.fixture
async def strict(here: World) -> World:
    """A node that demands https behind a trusted proxy and takes small bodies; a closed organisation."""
    await here.add_org(ORG + 2, closed=True)
    await here.add_app(8, orgs=(ORG + 2,))
    here.token = await here.get_token(8)
    await here.storage.import_people([Person(org_id=ORG + 2, uid="known", name="known")])
    return here.restarted(require_https=True, trusted_proxies=("192.0.2.0/24",), max_body_bytes=BIG)


@pytest.mark.parametrize("header", [True, False], ids=["orgId in the header", "orgId in the body"])
async def test_the_first_check_that_fails_answers(
    strict: World, header: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huiyao.service.access.REMEMBER_SECONDS", 0)
    await strict.storage.lease_quota(8, day=strict.clock.now() // 86_400_000, want=1, quota=1)
    seen = []
    for right, code, name in steps(WITH_HEADER if header else WITHOUT_HEADER):
        await allow(strict, right)
        await answer(strict, right, header=header)  # the one call that the rate allows
        http_status, status, message = await answer(strict, right, header=header)
        assert (name, status) == (name, code)
        assert http_status == (413 if name == "size" else 200)
        assert ("今日" in message) == (name == "quota"), "the rate comes before the day's quota"
        seen.append(status)
    assert len(seen) == 16


async def test_a_token_expired_or_superseded_comes_where_a_forged_one_does(strict: World) -> None:
    strict.clock.at += 40 * 86_400_000
    right = {"size", "https", "method", "token present", "token genuine"}
    assert (await answer(strict, right, header=True))[:2] == (200, 4003)


async def test_the_requester_is_looked_up_before_the_members(strict: World) -> None:
    https = {"X-Forwarded-Proto": "https"}
    answered = await strict.call("create", creation(uid="stranger"), headers=https)
    assert refusal(answered) == (4500, "用户不存在: stranger")
    answered = await strict.call("create", creation(uid="known"), headers=https)
    assert refusal(answered) == (4500, "用户不存在: a")


async def test_a_missing_permission_comes_after_the_token_and_before_the_organisation(here: World) -> None:
    nowhere = {"orgId": "1"}
    assert refusal(await here.call("ticket", b"", token="forged", headers=nowhere))[0] == 4002
    assert refusal(await here.call("ticket", b"", headers=nowhere))[0] == 4013
    assert refusal(await here.call("ticket", b""))[0] == 4013
    await here.add_app(8, grants=frozenset({Grant.TICKET}))
    here.token = await here.get_token(8)
    assert refusal(await here.call("ticket", b"", headers=nowhere))[0] == 4016
    assert refusal(await here.call("ticket", b""))[0] == 4012


@pytest.mark.parametrize(
    ("forwarded", "code"),
    [(None, 4011), ("http", 4011), ("https,http", 4011), ("http, HTTPS", 4008), ("https", 4008)],
)
async def test_the_nearest_proxys_word_about_https_counts(
    strict: World, forwarded: str | None, code: int
) -> None:
    headers = {} if forwarded is None else {"X-Forwarded-Proto": forwarded}
    assert refusal(await strict.call("inbox", {}, token=None, headers=headers))[0] == code


async def test_nobody_elses_word_about_https_counts(strict: World) -> None:
    other = strict.restarted(trusted_proxies=("198.51.100.0/24", "::1"))
    assert refusal(await other.call("inbox", {}, headers={"X-Forwarded-Proto": "https"}))[0] == 4011


async def test_the_same_call_over_https_itself_needs_no_proxy(strict: World) -> None:
    other = strict.restarted(trusted_proxies=())
    answered = await other.http.post("https://huiyao.test/openapi/workbench/meetinginvite/inbox", json={})
    assert refusal(answered)[0] == 4008


async def test_a_get_on_a_post_call_is_4010_and_a_post_on_a_get_call_4009(here: World) -> None:
    assert refusal(await here.get("workbench/meetinginvite/create")) == (4010, "请使用POST请求")
    assert refusal(await here.post("meeting/detail", query={"meetingId": 1})) == (4009, "请使用GET请求")


async def test_a_fault_among_the_parameters_comes_before_a_missing_requester(here: World) -> None:
    assert refusal(await here.call("create", body()))[0] == 4600
    missing = creation() | {"requesterUid": " "}
    assert refusal(await here.call("create", missing)) == (4501, "请求者不能为空: requesterUid")
