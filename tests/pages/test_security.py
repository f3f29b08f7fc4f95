"""What strangers try: other sites' forms, planted sessions, addresses that lead away, script in every text."""

import re
import sqlite3

import pytest

from huiyao import link
from huiyao.model import MsgStatus, Org, Person
from huiyao.service import operate, sessions
from tests.pages.house import APP_ID, HERE, NOW, SAME_ORIGIN, THERE, House, words

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>'"


def csp(answer_headers: object) -> dict[str, str]:
    text = dict(answer_headers)["content-security-policy"]  # type: ignore[call-overload]
    return {part.split()[0]: " ".join(part.split()[1:]) for part in text.split("; ")}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "null"},
        {"origin": "https://evil.example"},
        {"origin": "http://huiyao.test.evil.example"},
        {"origin": "http://huiyao.test:81"},
        {"origin": "javascript://huiyao.test"},
        {"referer": "http://huiyao.test/workbench/"},
        {"sec-fetch-site": "cross-site", "origin": "http://huiyao.test"},
    ],
)
async def test_a_form_from_elsewhere_changes_nothing(house: House, headers: dict[str, str]) -> None:
    meeting = await house.create("u2")
    me = await house.browser("u2")
    answer = {"status": "2", "sequence": "0", "reply": ""}
    for path, fields in (
        (f"/workbench/meetings/{meeting}/respond", answer),
        (f"/workbench/meetings/{meeting}/remove", {}),
        (f"/workbench/meetings/{meeting}/remind", {"remind": "0"}),
        ("/workbench/sign-out-everywhere", {}),
        ("/workbench/me", {"locale": "en", "timezone": ""}),
    ):
        refused = await me.post(path, data=fields, headers=headers)
        assert refused.status_code == 403, path
    found = await house.storage.meeting(HERE.id, meeting, "u2")
    assert found is not None
    assert (found[1].msg_status, found[1].remind, found[1].card_removed_at) == (MsgStatus.UNREAD, True, None)
    assert (await me.get("/workbench/")).status_code == 200  # still signed in


@pytest.mark.parametrize("headers", [SAME_ORIGIN, {"origin": "http://huiyao.test"}])
async def test_a_form_of_our_own_is_taken_from_old_browsers_too(
    house: House, headers: dict[str, str]
) -> None:
    meeting = await house.create("u2")
    me = await house.browser("u2")
    fields = {"status": "2", "sequence": "0", "reply": ""}
    done = await me.post(f"/workbench/meetings/{meeting}/respond", data=fields, headers=headers)
    assert done.status_code == 303


async def test_a_ticket_is_used_by_the_button_alone_and_once(house: House) -> None:
    text = await sessions.issue_ticket(house.services, house.caller("u2"))
    browser = await house.browser()
    for _ in range(3):  # preview robots
        shown = await browser.get("/workbench/enter", params={"ticket": text})
        assert shown.status_code == 200
        assert "李强" in shown.text
        assert "set-cookie" not in shown.headers
    entered = await browser.send_form("/workbench/enter", ticket=text)
    assert (entered.status_code, entered.headers["location"]) == (303, "/workbench/")
    assert "李强" in await browser.see("/workbench/")
    other = await house.browser()
    again = await other.send_form("/workbench/enter", ticket=text)
    assert again.status_code == 403
    assert "cannot be used any more" in words(again.text)
    assert (await other.get("/workbench/")).status_code == 401


async def test_a_ticket_expires(house: House) -> None:
    text = await sessions.issue_ticket(house.services, house.caller("u2"))
    house.clock.moment += 61_000
    browser = await house.browser()
    assert (await browser.send_form("/workbench/enter", ticket=text)).status_code == 403


async def test_the_session_is_a_new_one_whatever_the_browser_brought(house: House) -> None:
    """Session fixation: a planted cookie is worth nothing after signing in, and an older session ends."""
    browser = await house.browser("u3")
    planted = browser.cookies["huiyao"]
    text = await sessions.issue_ticket(house.services, house.caller("u2"))
    asked = await browser.get("/workbench/enter", params={"ticket": text})
    assert "data-submit" not in asked.text  # somebody else is signed in here: nothing happens by itself
    assert "张敏" in asked.text
    await browser.send_form("/workbench/enter", ticket=text)
    assert "李强" in await browser.see("/workbench/")
    assert browser.cookies["huiyao"] != planted
    assert await sessions.find(house.services, planted) is None


@pytest.mark.parametrize("secret", ["", "x", "85161-" + "A" * 43, "0-" + "A" * 43, "é", "1" * 5000])
async def test_a_made_up_cookie_opens_nothing(house: House, secret: str) -> None:
    browser = await house.browser()
    cookie = f"huiyao={secret}; huiyao-admin={secret}".encode("latin-1", "replace")
    for path in ("/workbench/", "/workbench/me", "/workbench/live", "/workbench/messages"):
        answer = await browser.get(path, headers=[(b"cookie", cookie)])
        assert answer.status_code == 401


async def test_cookies_are_out_of_reach(house: House) -> None:
    for scheme, name, secure in (("http", "huiyao", False), ("https", "__Host-huiyao", True)):
        text = await sessions.issue_ticket(house.services, house.caller("u2"))
        browser = await house.browser()
        entered = await browser.post(
            f"{scheme}://huiyao.test/workbench/enter", data={"ticket": text}, headers=SAME_ORIGIN
        )
        cookie = entered.headers["set-cookie"]
        parts = {part.strip().lower() for part in cookie.split(";")}
        assert cookie.startswith(f"{name}=")
        assert {"httponly", "samesite=lax", "path=/"} <= parts
        assert ("secure" in parts) is secure
        assert ("strict-transport-security" in entered.headers) is secure
        assert not any(part.startswith("domain") for part in parts)


async def test_signing_out_everywhere_ends_all_sessions(house: House) -> None:
    here, there = await house.browser("u2"), await house.browser("u2")
    other = await house.browser("u3")
    ended = await here.send_form("/workbench/sign-out-everywhere")
    assert ended.status_code == 200
    assert (await there.get("/workbench/")).status_code == 401
    assert (await here.get("/workbench/")).status_code == 401
    assert (await other.get("/workbench/")).status_code == 200


async def test_signing_out_ends_this_session_on_the_server(house: House) -> None:
    here, there = await house.browser("u2"), await house.browser("u2")
    secret = here.cookies["huiyao"]
    await here.send_form("/workbench/sign-out")
    assert await sessions.find(house.services, secret) is None
    assert (await there.get("/workbench/")).status_code == 200


async def test_a_session_lasts_only_while_its_app_may_act(house: House) -> None:
    me = await house.browser("u2")
    await operate.disable_app(house.storage, APP_ID, disabled=True)
    house.application.pages.site.access._apps.forget(APP_ID)  # type: ignore[union-attr]  # 5 s later
    assert (await me.get("/workbench/")).status_code == 401


async def test_a_session_ends_after_its_hours(house: House) -> None:
    me = await house.browser("u2")
    house.clock.moment += 12 * 3_600_000 + 1
    assert (await me.get("/workbench/")).status_code == 401


async def test_erasing_a_person_ends_their_sessions(house: House) -> None:
    me = await house.browser("u2")
    await house.storage.erase_person(HERE.id, "u2")
    assert (await me.get("/workbench/")).status_code == 401


async def test_nothing_is_kept_by_browsers_and_nobody_frames_us(house: House) -> None:
    meeting = await house.create("u2")
    me = await house.browser("u2")
    for path in (
        "/workbench/",
        f"/workbench/meetings/{meeting}",
        "/workbench/me",
        "/workbench/messages",
        "/workbench/nonsense",
        "/i/nonsense",
        "/workbench/enter?ticket=x",
    ):
        answer = await me.get(path)
        policy = csp(answer.headers)
        assert policy["default-src"] == "'none'", path
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["form-action"] == "'self'"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert not re.search(r"<[^>]* style=|<style|<script(?! src=)|<[^>]* on\w+=", answer.text), path
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", answer.text), path


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/workbench/",
        "/workbench//evil.example",
        "/workbench/%2F%2Fevil.example",
        "/workbench/\\evil.example",
        "/workbench/enter?ticket=x&next=https://evil.example",
        "/workbench/me/",
        "/workbench/?next=//evil.example",
    ],
)
async def test_no_address_leads_away(house: House, path: str) -> None:
    me = await house.browser("u2")
    answer = await me.get(f"http://huiyao.test{path}", headers={"host": "evil.example"})
    where = answer.headers.get("location", "/")
    assert where.startswith("/")
    assert not where.startswith(("//", "/\\"))
    assert "evil.example" not in where


async def test_script_in_any_text_stays_text(house: House) -> None:
    """Content, place, names of people, organisation and app, words of an answer, uid: stored by others, shown to me."""
    await house.storage.import_people([Person(org_id=HERE.id, uid="u9", name=EVIL)])
    await operate.set_org(house.storage, HERE.id, name=EVIL.replace("'", ""), timezone=None, closed=None)
    meeting = await house.create("u2", "u9", by="u9", content=EVIL, address=EVIL)
    await house.respond(meeting, "u2", 3, reply=EVIL)
    await house.tell()
    for uid in ("u2", "u9"):
        me = await house.browser(uid)
        for path in (
            "/workbench/",
            "/workbench/?shelf=created",
            f"/workbench/meetings/{meeting}",
            f"/workbench/meetings/{meeting}/card",
            "/workbench/messages",
            "/workbench/me",
        ):
            page = await me.see(path)
            assert "<script>alert" not in page, path
            assert "<img src=x" not in page, path


async def test_script_in_an_address_stays_text(house: House) -> None:
    me = await house.browser("u2")
    for path in (
        f"/workbench/?shelf={EVIL}",
        f"/workbench/?after={EVIL}",
        f"/workbench/enter?ticket={EVIL}",
        f"/workbench/{EVIL}",
        f"/i/{EVIL}",
    ):
        answer = await me.get(path)
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text


async def test_a_form_that_is_too_large_or_none_is_refused(house: House) -> None:
    meeting = await house.create("u2")
    me = await house.browser("u2")
    path = f"/workbench/meetings/{meeting}/respond"
    large = await me.post(path, content=b"reply=" + b"x" * 3_000_000, headers=SAME_ORIGIN)
    assert large.status_code == 413
    broken = await me.post(path, content=b"reply=%ff%fe", headers=SAME_ORIGIN)
    assert broken.status_code == 400
    many = await me.post(path, content=b"&".join(b"a=1" for _ in range(30_000)), headers=SAME_ORIGIN)
    assert many.status_code == 400


class TestLinks:
    async def address(self, house: House, meeting: int, uid: str, *, org: Org = HERE) -> str:
        key = house.application.keyring.current.link_key
        link_id = await link_id_of(house, meeting, uid, org)
        made = link.Link.make(key, org_id=org.id, meeting_id=meeting, uid=uid, link_id=link_id)
        return f"/i/{made.text()}"

    async def test_it_opens_one_invitation_and_nothing_else(self, house: House) -> None:
        meeting = await house.create("u2", "u3")
        address = await self.address(house, meeting, "u2")
        browser = await house.browser()
        for _ in range(3):
            shown = await browser.get(address)
            assert shown.status_code == 200
            assert "李强" in shown.text
            assert "张敏" not in shown.text  # who else is invited is not for whoever holds a text
            assert "set-cookie" not in shown.headers
            assert shown.headers["referrer-policy"] == "no-referrer"
        found = await house.storage.meeting(HERE.id, meeting, "u2")
        assert found is not None
        assert found[1].msg_status == MsgStatus.UNREAD  # looking changes nothing
        assert (await browser.get("/workbench/")).status_code == 401

    async def test_it_answers_for_its_person_without_signing_in(self, house: House) -> None:
        meeting = await house.create("u2", "u3")
        address = await self.address(house, meeting, "u2")
        browser = await house.browser()
        # A page without referrer sends `Origin: null`.
        answered = await browser.post(
            address, data={"status": "3", "reply": "sorry", "sequence": "0"}, headers={"origin": "null"}
        )
        assert (answered.status_code, answered.headers["location"]) == (303, address)
        assert "set-cookie" not in answered.headers
        mine = await house.storage.meeting(HERE.id, meeting, "u2")
        theirs = await house.storage.meeting(HERE.id, meeting, "u3")
        assert mine is not None
        assert theirs is not None
        assert (mine[1].msg_status, mine[1].reply) == (MsgStatus.DECLINED, "sorry")
        assert theirs[1].msg_status == MsgStatus.UNREAD

    async def test_an_answer_to_an_old_time_is_refused(self, house: House) -> None:
        meeting = await house.create("u2")
        address = await self.address(house, meeting, "u2")
        await house.update(meeting, "u2", begin_at=NOW + 5 * 86_400_000)
        browser = await house.browser()
        refused = await browser.post(address, data={"status": "2", "reply": "", "sequence": "0"})
        assert refused.status_code == 409
        assert "has changed meanwhile" in refused.text

    async def test_it_is_useless_once_its_person_is_out_or_the_meeting_over(self, house: House) -> None:
        meeting = await house.create("u2", "u3")
        two, three = await self.address(house, meeting, "u2"), await self.address(house, meeting, "u3")
        browser = await house.browser()
        await house.update(meeting, "u3")
        assert (await browser.get(two)).status_code == 404
        assert (await browser.post(two, data={"status": "2", "sequence": "0"})).status_code == 404
        await house.update(meeting, "u2", "u3")
        assert (await browser.get(two)).status_code == 404  # of an earlier membership
        assert (await browser.get(await self.address(house, meeting, "u2"))).status_code == 200
        house.clock.moment = NOW + 10 * 86_400_000
        assert (await browser.get(three)).status_code == 404

    async def test_it_cannot_be_turned_into_another(self, house: House) -> None:
        meeting, other = await house.create("u2", "u3"), await house.create("u2")
        foreign = await house.create("u2", org=THERE)
        key = house.application.keyring.current.link_key
        good = link.read((await self.address(house, meeting, "u2")).removeprefix("/i/"))
        assert good is not None
        another = await link_id_of(house, meeting, "u3", HERE)
        forged = [
            link.Link(HERE.id, meeting, another, good.mac),
            link.Link(HERE.id, other, good.link_id, good.mac),
            link.Link(THERE.id, foreign, good.link_id, good.mac),
            link.Link(THERE.id, meeting, good.link_id, good.mac),
            link.Link.make(b"x" * 32, org_id=HERE.id, meeting_id=meeting, uid="u2", link_id=good.link_id),
            link.Link.make(key, org_id=HERE.id, meeting_id=meeting, uid="u3", link_id=good.link_id),
        ]
        browser = await house.browser()
        for one in forged:
            assert (await browser.get(f"/i/{one.text()}")).status_code == 404
            answered = await browser.post(f"/i/{one.text()}", data={"status": "2", "sequence": "0"})
            assert answered.status_code == 404

    @pytest.mark.parametrize("text", ["", "x", "%00", "%FF", "A" * 300, "..%2F..", "é"])
    async def test_nonsense_is_told_from_nothing(self, house: House, text: str) -> None:
        browser = await house.browser()
        assert (await browser.get(f"/i/{text}")).status_code == 404


async def link_id_of(house: House, meeting: int, uid: str, org: Org) -> int:
    path = house.storage._path  # type: ignore[attr-defined]

    with sqlite3.connect(path) as file:
        (found,) = file.execute(
            "SELECT link_id FROM attendee WHERE org_id = ? AND meeting_id = ? AND uid = ?",
            (org.id, meeting, uid),
        ).fetchone()
    return int(found)


class TestSandbox:
    async def test_only_the_sandbox_lets_anybody_be_anybody(self, house: House) -> None:
        browser = await house.browser()
        assert (await browser.get("/workbench/choose")).status_code == 404
        assert (await browser.send_form("/workbench/choose", uid="u2")).status_code == 404

    async def test_in_the_sandbox_one_chooses(self, sandbox: House) -> None:
        browser = await sandbox.browser()
        assert (await browser.get("/workbench/")).headers["location"] == "/workbench/choose"
        assert "李强" in await browser.see("/workbench/choose")
        entered = await browser.send_form("/workbench/choose", uid="u2")
        assert entered.status_code == 303
        assert "李强" in await browser.see("/workbench/")
        assert (await browser.send_form("/workbench/choose", uid="nobody")).status_code == 404
