"""A ticket opens one session, once and soon, for whoever it was issued to (contract section 6)."""

import asyncio
import re
from hashlib import sha256
from typing import Any

import pytest
from structlog.testing import capture_logs

from huiyao import app
from huiyao.model import Grant, Person, Session
from huiyao.service import sessions
from huiyao.service.caller import Services
from tests.api.world import APP, HOUR, MINUTE, NOW, ORG, World, data, refusal
from tests.storage.rows import fetch

TICKETS = 8  # the app that may issue them
RANDOM = "k" * 43
# What no ticket and no cookie looks like.
MALFORMED = [
    "",
    "-",
    f"-{RANDOM}",
    RANDOM,
    f"{ORG}-",
    f"{ORG}-{RANDOM[1:]}",
    f"{ORG}-{RANDOM}k",
    f"{ORG}-{RANDOM}\n",
    f" {ORG}-{RANDOM}",
    f"{ORG}_{RANDOM}",
    f"0{ORG}-{RANDOM}",
    f"00-{RANDOM}",
    f"-1-{RANDOM}",
    f"+1-{RANDOM}",
    f"1.5-{RANDOM}",
    f"١٢-{RANDOM}",
    f"８４-{RANDOM}",
    f"{2**63}-{RANDOM}",
    f"{2**64}-{RANDOM}",
    f"{'9' * 5000}-{RANDOM}",
    f"{ORG}-{'k' * 1_000_000}",
    f"{ORG}-{'=' * 43}",
    f"{ORG}-{'键' * 43}",
    f"{ORG}-{RANDOM[1:]}\0",
    f"{ORG}-{RANDOM[1:]}\udc80",
    f"{ORG}-{RANDOM}\udc80",
    "\ud800",
]


@pytest.fixture
async def open_world(either: World) -> World:
    """A world, on each database in turn, whose app may issue tickets."""
    return await with_tickets(either)


@pytest.fixture
async def granted(here: World) -> World:
    """The same on SQLite alone."""
    return await with_tickets(here)


async def with_tickets(world: World) -> World:
    await world.add_app(TICKETS, grants=frozenset({Grant.TICKET}))
    world.token = await world.get_token(TICKETS)
    return world


async def ticket(world: World, uid: str = "ann") -> str:
    return str(data(await world.call("ticket", {"requesterUid": uid}))["ticket"])


async def opened(world: World, text: str) -> tuple[str, Session]:
    """The cookie's secret and the session that a good ticket gives."""
    found = await sessions.redeem(world.services, text)
    assert found
    return found


async def test_an_app_without_the_permission_gets_no_ticket(here: World) -> None:
    await here.add_app(TICKETS, grants=frozenset({Grant.FREEBUSY, Grant.CHANGES}))
    asked: dict[str, Any] = {"requesterUid": "ann"}
    for app_id in (APP, TICKETS):
        token = await here.get_token(app_id)
        assert refusal(await here.call("ticket", asked, token=token)) == (4013, "应用无权调用该接口")
    english = await here.call("ticket", asked, headers={"Accept-Language": "en"})
    assert refusal(english) == (4013, "the app may not call this API")


async def test_a_permission_counts_within_seconds_and_so_does_its_end(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huiyao.service.access.REMEMBER_SECONDS", 0)
    asked = {"requesterUid": "ann"}
    for grants, status in ((frozenset[str](), 4013), (frozenset({"ticket"}), 0), (frozenset[str](), 4013)):
        await here.add_app(APP, grants=grants)
        assert (await here.call("ticket", asked)).json()["status"] == status


async def test_a_ticket_comes_with_the_url_that_takes_it(granted: World) -> None:
    answer = data(await granted.call("ticket", {"requesterUid": "ann"}))
    text = answer["ticket"]
    assert re.fullmatch(rf"{ORG}-[A-Za-z0-9_-]{{43}}", text)
    url = f"http://127.0.0.1:8080/workbench/enter?ticket={text}"
    assert answer == {"ticket": text, "url": url, "expiresIn": 60}


async def test_the_url_is_the_operators_public_address_and_never_what_a_request_says(granted: World) -> None:
    public = granted.restarted(public_url="https://huiyao.example/base/")
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    for world, address in ((public, "https://huiyao.example/base"), (granted, "http://127.0.0.1:8080")):
        answer = data(await world.call("ticket", {"requesterUid": "ann"}, headers=headers))
        assert answer["url"] == f"{address}/workbench/enter?ticket={answer['ticket']}"


async def test_a_ticket_begins_a_session_as_its_person_through_its_app(open_world: World) -> None:
    secret, session = await opened(open_world, await ticket(open_world))
    assert (session.org_id, session.uid, session.app_id) == (ORG, "ann", TICKETS)
    assert (session.created_at, session.expires_at) == (NOW, NOW + 12 * HOUR)
    assert await sessions.find(open_world.services, secret) == session
    open_world.clock.at += 12 * HOUR - 1
    assert await sessions.find(open_world.services, secret) == session
    open_world.clock.at += 1
    assert await sessions.find(open_world.services, secret) is None


async def test_a_ticket_is_good_once(open_world: World) -> None:
    text = await ticket(open_world)
    await opened(open_world, text)
    assert await sessions.redeem(open_world.services, text) is None
    assert await sessions.find_ticket(open_world.services, text) is None


async def test_of_twenty_who_use_a_ticket_at_once_one_gets_a_session(open_world: World) -> None:
    for _ in range(5):
        text = await ticket(open_world)
        tries = await asyncio.gather(*(sessions.redeem(open_world.services, text) for _ in range(20)))
        (found,) = [one for one in tries if one is not None]
        assert await sessions.find(open_world.services, found[0]) == found[1]
        assert await sessions.sign_out_everywhere(open_world.services, found[1]) == 1


async def test_looking_at_a_ticket_does_not_use_it(open_world: World) -> None:
    text = await ticket(open_world)
    for _ in range(2):
        found = await sessions.find_ticket(open_world.services, text)
        assert found
        assert (found.org_id, found.uid, found.app_id) == (ORG, "ann", TICKETS)
    await opened(open_world, text)


async def test_a_ticket_is_good_for_a_minute(open_world: World) -> None:
    early, late = await ticket(open_world), await ticket(open_world)
    open_world.clock.at += MINUTE - 1
    await opened(open_world, early)
    open_world.clock.at += 1
    assert await sessions.find_ticket(open_world.services, late) is None
    assert await sessions.redeem(open_world.services, late) is None


async def test_a_ticket_or_secret_is_worth_nothing_under_another_organisation(open_world: World) -> None:
    await open_world.add_org(84001)
    text = await ticket(open_world)
    for org_id in (84001, 0):
        assert await sessions.redeem(open_world.services, text.replace(f"{ORG}-", f"{org_id}-")) is None
    secret, session = await opened(open_world, text)
    moved = secret.replace(f"{ORG}-", "84001-")
    assert await sessions.find(open_world.services, moved) is None
    await sessions.sign_out(open_world.services, moved)
    assert await sessions.find(open_world.services, secret) == session


async def test_a_ticket_is_no_cookie_and_a_cookie_no_ticket(open_world: World) -> None:
    text = await ticket(open_world)
    assert await sessions.find(open_world.services, text) is None
    secret, _ = await opened(open_world, text)
    assert await sessions.find(open_world.services, text) is None
    assert await sessions.redeem(open_world.services, secret) is None


@pytest.mark.parametrize("text", MALFORMED, ids=lambda text: ascii(text[:20]))
async def test_what_is_no_ticket_and_no_cookie_is_nobodys(granted: World, text: str) -> None:
    assert await sessions.find_ticket(granted.services, text) is None
    assert await sessions.redeem(granted.services, text) is None
    assert await sessions.find(granted.services, text) is None
    await sessions.sign_out(granted.services, text)


async def test_a_well_formed_text_that_was_never_given_is_nobodys(open_world: World) -> None:
    for org_id in (ORG, 0, 1, 2**63 - 1):
        text = f"{org_id}-{RANDOM}"
        assert await sessions.find_ticket(open_world.services, text) is None
        assert await sessions.redeem(open_world.services, text) is None
        assert await sessions.find(open_world.services, text) is None
        await sessions.sign_out(open_world.services, text)


async def test_signing_out_ends_that_session_alone(open_world: World) -> None:
    one, _ = await opened(open_world, await ticket(open_world))
    two, session = await opened(open_world, await ticket(open_world))
    await sessions.sign_out(open_world.services, one)
    await sessions.sign_out(open_world.services, one)
    assert await sessions.find(open_world.services, one) is None
    assert await sessions.find(open_world.services, two) == session


async def test_signing_out_everywhere_ends_all_of_the_persons_and_nobody_elses(open_world: World) -> None:
    await open_world.add_org(84001)
    services = open_world.services
    one, session = await opened(open_world, await ticket(open_world))
    two, _ = await opened(open_world, await ticket(open_world))
    unused, other = await ticket(open_world), await ticket(open_world, "bob")
    namesake, _ = await sessions.begin(services, 84001, uid="ann", app_id=TICKETS)
    assert await sessions.sign_out_everywhere(services, session) == 2
    assert [await sessions.find(services, secret) for secret in (one, two)] == [None, None]
    assert await sessions.redeem(services, unused) is None
    assert await sessions.find(services, namesake)
    await opened(open_world, other)


async def test_a_session_can_begin_without_a_ticket(open_world: World) -> None:
    secret, session = await sessions.begin(open_world.services, ORG, uid="ann", app_id=None)
    assert (session.org_id, session.uid, session.app_id) == (ORG, "ann", None)
    assert await sessions.find(open_world.services, secret) == session


async def test_the_operators_ticket_is_good_once_for_ten_minutes(open_world: World) -> None:
    services = open_world.services
    one, two = [await sessions.issue_operator_ticket(services) for _ in range(2)]
    open_world.clock.at += 10 * MINUTE - 1
    secret, session = await opened(open_world, one)
    assert (session.org_id, session.uid, session.app_id) == (0, "", None)
    assert session.expires_at - session.created_at == 8 * HOUR
    assert await sessions.find(services, secret) == session
    assert await sessions.redeem(services, one) is None
    open_world.clock.at += 1
    assert await sessions.redeem(services, two) is None


@pytest.mark.parametrize(("hours", "operators"), [(1, 1), (8, 8), (720, 8)])
async def test_sessions_live_as_long_as_is_set_and_the_operators_8_hours_at_most(
    granted: World, hours: int, operators: int
) -> None:
    services = Services(granted.storage, granted.clock, session_hours=hours)
    _, session = await sessions.begin(services, ORG, uid="ann", app_id=None)
    assert session.expires_at == NOW + hours * HOUR
    operator = await sessions.redeem(services, await sessions.issue_operator_ticket(services))
    assert operator
    assert operator[1].expires_at == NOW + operators * HOUR


async def test_a_served_application_lets_sessions_live_as_long_as_is_set(here: World) -> None:
    settings = here.restarted(session_hours=3, key="a server key of more than 32 characters").settings
    built = await app.build(settings, dispatch=False, clock=here.clock)
    try:
        _, session = await sessions.begin(built.services, ORG, uid="ann", app_id=None)
        assert session.expires_at == NOW + 3 * HOUR
    finally:
        await built.close()


async def test_only_an_open_directory_signs_in_whom_it_does_not_know(here: World) -> None:
    await here.add_org(84001, closed=True)
    await here.add_app(TICKETS, orgs=(ORG, 84001), default_org=84001, grants=frozenset({Grant.TICKET}))
    here.token = await here.get_token(TICKETS)
    await here.storage.import_people([Person(org_id=84001, uid="known", name="known")])
    stranger = {"requesterUid": "stranger"}
    assert refusal(await here.call("ticket", stranger)) == (4500, "用户不存在: stranger")
    assert data(await here.call("ticket", {"requesterUid": "known"}))
    assert data(await here.call("ticket", stranger, headers={"orgId": str(ORG)}))
    assert refusal(await here.call("ticket", {"requesterUid": " "}))[0] == 4501


async def test_the_database_holds_hashes_and_neither_ticket_nor_secret(open_world: World) -> None:
    text = await ticket(open_world)
    secret, _ = await opened(open_world, text)
    url = open_world.settings.database_url
    for given, table in ((text, "ticket"), (secret, "session")):
        ((stored,),) = await fetch(url, f"SELECT hash FROM {table}")
        assert bytes(stored) == sha256(given.encode()).digest()
        (row,) = await fetch(url, f"SELECT * FROM {table}")
        assert given[-43:] not in repr(row)


async def test_the_log_says_what_was_begun_through_which_app_and_nothing_of_the_person(
    granted: World,
) -> None:
    with capture_logs() as lines:
        text = await ticket(granted, "u-secret-1")
        secret, session = await opened(granted, text)
        await sessions.sign_out(granted.services, secret)
        await sessions.sign_out_everywhere(granted.services, session)
    at = {"log_level": "info", "org_id": ORG}
    assert lines == [
        at | {"event": "ticket issued", "app_id": TICKETS},
        at | {"event": "session begun", "app_id": TICKETS},
        at | {"event": "signed out"},
        at | {"event": "signed out everywhere", "app_id": TICKETS, "sessions": 0},
    ]
