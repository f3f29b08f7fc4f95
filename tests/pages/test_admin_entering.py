"""Operators come in by the link of `huiyao admin link` and by nothing else, and nobody else comes in."""

import re

import pytest

from huiyao.pages.admin.routes import routes
from huiyao.service import sessions
from tests.pages.house import HERE, HOUR, SAME_ORIGIN, House

OPEN = {"/admin/enter", "/admin"}  # open to everybody: they show nothing


async def ticket(house: House) -> str:
    return await sessions.issue_operator_ticket(house.services)


def addresses(house: House) -> list[tuple[str, str]]:
    """Method and path of everything that is an operator's, taken from the routes, so that none is forgotten."""
    pages = house.application.pages
    assert pages
    return [
        (method, re.sub(r"\{\w+\}", "1", route.path))
        for route in routes(pages.site)
        for method in (route.methods or set()) - {"HEAD"}
        if route.path not in OPEN
    ]


async def test_the_link_signs_in_once_by_its_button_and_not_by_being_looked_at(house: House) -> None:
    text = await ticket(house)
    browser = await house.browser()
    for _ in range(2):
        assert "Sign in as the operator" in await browser.see(f"/admin/enter?ticket={text}")
    assert "set-cookie" not in (await browser.get(f"/admin/enter?ticket={text}")).headers
    entered = await browser.send_form("/admin/enter", ticket=text)
    assert (entered.status_code, entered.headers["location"]) == (303, "/admin/")
    assert "Overview" in await browser.see("/admin/")
    again = await (await house.browser()).send_form("/admin/enter", ticket=text)
    assert again.status_code == 403
    assert "huiyao admin link" in again.text


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(house: House) -> None:
    entered = await (await house.browser()).send_form("/admin/enter", ticket=await ticket(house))
    cookie = entered.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert f"max-age={8 * 3600}" in cookie


async def test_a_persons_ticket_is_refused_and_not_used_up(house: House) -> None:
    text = await sessions.issue_ticket(house.services, house.caller("u2"))
    browser = await house.browser()
    assert (await browser.get(f"/admin/enter?ticket={text}")).status_code == 403
    assert (await browser.send_form("/admin/enter", ticket=text)).status_code == 403
    assert await sessions.find_ticket(house.services, text) is not None
    assert await sessions.redeem(house.services, text) is not None


@pytest.mark.parametrize("text", ["", "0-", "0-" + "k" * 43, "x" * 100_000, "\0", "7-" + "k" * 43])
async def test_what_is_no_ticket_is_refused(house: House, text: str) -> None:
    browser = await house.browser()
    assert (await browser.send_form("/admin/enter", ticket=text)).status_code == 403


async def test_without_a_session_every_page_says_how_to_sign_in(house: House) -> None:
    nobody, person = await house.browser(), await house.browser("u2")
    found = addresses(house)
    assert len(found) > 15
    for browser in (nobody, person):
        for method, path in found:
            answer = await browser.request(method, path, headers=SAME_ORIGIN)
            assert answer.status_code == 401, (method, path)
            assert "huiyao admin link" in answer.text


async def test_neither_session_opens_the_others_pages_whichever_cookie_carries_it(house: House) -> None:
    person, operator = await house.browser("u2"), await house.operator()
    assert (await person.get("/admin/")).status_code == 401
    assert (await operator.get("/workbench/")).status_code == 401
    mine, theirs = person.cookies["huiyao"], operator.cookies["huiyao-admin"]
    exchanged = await house.browser()
    for name in ("huiyao-admin", "__Host-huiyao-admin"):
        exchanged.cookies = {name: mine}
        assert (await exchanged.get("/admin/")).status_code == 401
    for name in ("huiyao", "__Host-huiyao"):
        exchanged.cookies = {name: theirs}
        assert (await exchanged.get("/workbench/")).status_code == 401
        assert (await exchanged.get("/workbench/live")).status_code == 401


async def test_nothing_is_done_for_a_form_of_another_site(house: House) -> None:
    operator = await house.operator()
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.test"}, {}):
        answer = await operator.post("/admin/apps/7/disable", headers=headers)
        assert answer.status_code == 403
    app = await house.storage.app(7)
    assert app
    assert not app.disabled


async def test_signing_out_ends_the_session_for_good(house: House) -> None:
    operator = await house.operator()
    secret = operator.cookies["huiyao-admin"]
    left = await operator.send_form("/admin/sign-out")
    assert "Signed out" in left.text
    assert left.headers["set-cookie"].startswith('huiyao-admin=""')
    operator.cookies = {"huiyao-admin": secret}
    assert (await operator.get("/admin/")).status_code == 401


async def test_entering_anew_ends_the_session_before(house: House) -> None:
    operator = await house.operator()
    secret = operator.cookies["huiyao-admin"]
    await operator.send_form("/admin/enter", ticket=await ticket(house))
    other = await house.browser()
    other.cookies.set("huiyao-admin", secret)
    assert (await other.get("/admin/")).status_code == 401


async def test_a_session_ends_after_eight_hours_and_a_watching_page_is_told(house: House) -> None:
    operator = await house.operator()
    house.clock.moment += 8 * HOUR + 1
    told = await operator.get("/admin/", headers={"hx-request": "true"})
    assert told.status_code == 401
    assert told.headers["hx-redirect"] == "/admin/"


async def test_signing_a_person_in_and_out_leaves_the_operator_signed_in(house: House) -> None:
    operator = await house.operator()
    secret, _ = await sessions.begin(house.services, HERE.id, uid="u2", app_id=7)
    operator.cookies.set("huiyao", secret)
    assert (await operator.send_form("/workbench/sign-out")).status_code == 200
    assert (await operator.get("/admin/")).status_code == 200
