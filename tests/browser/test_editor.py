"""The organizer at the editor: inviting, changing with a preview, nudging, calling off; and the others who see it."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.browsing import DESK, LOOKS, Look, Person
from tests.browser.checks import check
from tests.browser.workbench import HOUR_MS, Workbench, tomorrow, whom

pytestmark = pytest.mark.browser


def known(workbench: Workbench, look: Look, surname: str) -> Person:
    """Somebody whom the directory knows by a name of their own, at a browser."""
    uid, _ = workbench.colleague(look)
    name = f"{surname}{uid.replace('-', '')}"
    workbench.import_people(f"{uid},{name},,,,")
    person = workbench.stranger(look, uid=uid, name=name)
    workbench.sign_in(person)
    return person


def set_day(person: Person, *, hours: int) -> None:
    """Tomorrow at that hour of the organisation's clock, for an hour."""
    day = person.page.locator("#begin").input_value().partition("T")[0]
    year, month, date = (int(one) for one in day.split("-"))
    later = f"{year + 1}-{month:02}-{min(date, 28):02}"
    person.page.locator("#begin").fill(f"{later}T{hours:02}:00")
    person.page.locator("#end").fill(f"{later}T{hours + 1:02}:00")


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_a_meeting_is_made_changed_and_called_off_under_the_others_eyes(
    workbench: Workbench, look: Look
) -> None:
    ann, bob = workbench.person(look), known(workbench, look.other, "贺")
    ann.by_role("link", "New meeting", exact=True).click()
    ann.settled()
    ann.page.locator("#content").fill("季度预算\n请带上数字。")
    set_day(ann, hours=10)
    ann.page.locator("#people").press_sequentially(bob.name[:6])
    found = ann.page.locator("#found button").filter(has_text=bob.uid)
    found.click()
    chip = ann.page.locator("#chips .chip")
    expect(chip).to_have_count(1)
    expect(chip).to_contain_text(bob.name)
    expect(ann.page.locator("#busy")).to_contain_text(bob.name)
    check(ann)
    ann.page.locator("button[name=do][value=save]").click()
    ann.page.wait_for_url(re.compile(r"/workbench/meetings/\d+"))
    meeting_id = int(ann.page.url.partition("/meetings/")[2].partition("?")[0])
    ann.settled()
    expect(ann.page.locator("h1")).to_have_text("季度预算")
    check(ann)

    card = bob.page.locator(f"#card-{meeting_id}")
    bob.press("Accept", within=card)
    expect(ann.page.locator(".attendees li")).to_contain_text(ann.words("Accepted"))
    ann.page.locator(".tools a[href$=edit]").click()
    set_day(ann, hours=14)
    ann.press("Continue")
    ann.sees("Who is told what")
    expect(ann.page.locator("main")).to_contain_text(bob.name)
    check(ann)
    ann.press("Back to editing")
    expect(ann.page.locator("#begin")).to_have_value(re.compile("T14:00"))
    ann.press("Continue")
    assert workbench.mine(bob.uid, meeting_id)["msgStatus"] == 2  # nothing has been saved yet
    ann.press("Save and tell them")
    ann.page.wait_for_url(re.compile(rf"/workbench/meetings/{meeting_id}"))
    bob.is_marked("Moved", within=card)
    bob.is_marked("Please answer", within=card)

    ann.settled()
    ann.page.locator(".tools form button").click()  # nudge
    expect(bob.page).to_have_title(re.compile(r"^\(3\) "))  # invited, moved, nudged
    ann.page.locator(".tools a[href$=cancel]").click()
    expect(ann.page.locator("main")).to_contain_text(bob.name)
    check(ann)
    ann.press("Cancel the meeting")
    ann.is_marked("Cancelled")
    bob.is_marked("Cancelled", within=card)


@pytest.mark.thorough
@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_a_pasted_list_becomes_people_and_what_nobody_knows_is_said(workbench: Workbench, look: Look) -> None:
    ann, bob = workbench.person(look), known(workbench, look, "佟")
    ann.open("/workbench/new")
    ann.page.locator("details.paste summary").click()
    ann.page.locator("#paste").fill(f"{bob.name}\nnobody-of-that-name")
    ann.page.locator("button[value=paste]").click()
    expect(ann.page.locator(f".chip[data-uid='{bob.uid}']")).to_be_visible()
    expect(ann.page.locator("#pasted")).to_contain_text("nobody-of-that-name")
    check(ann)


@pytest.mark.parametrize("look", [LOOKS[0], Look(DESK, "en", script=False)], ids=["script", "plain"])
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_lost(workbench: Workbench, look: Look) -> None:
    ann = workbench.person(look)
    ann.expected("status 422", "status of 422")
    ann.open("/workbench/new")
    ann.page.locator("#content").fill("季度预算")
    begin, end = ann.page.locator("#begin"), ann.page.locator("#end")
    before = end.input_value()
    end.fill(begin.input_value())
    begin.fill(before)
    ann.page.locator("button[name=do][value=save]").click()
    expect(ann.page.get_by_role("alert")).to_be_visible()
    wrong = ann.page.locator("[aria-invalid=true]").first
    expect(wrong).to_have_accessible_description(re.compile("."))
    expect(ann.page.locator("#content")).to_have_value("季度预算")
    check(ann)


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_who_edits_what_has_changed_meanwhile_is_told_before_anything_is_replaced(
    workbench: Workbench, look: Look
) -> None:
    ann = workbench.person(look)
    elsewhere = workbench.stranger(look.other, uid=ann.uid, name=ann.name)
    workbench.sign_in(elsewhere)
    ann.expected("status 409", "status of 409")
    meeting_id = workbench.create(whom(ann), workbench.colleague(look), begin=tomorrow())
    for one in (ann, elsewhere):
        one.open(f"/workbench/meetings/{meeting_id}/edit")
    elsewhere.page.locator("#address").fill("一楼大厅")
    elsewhere.press("Continue")
    elsewhere.press("Save and tell nobody")
    elsewhere.page.wait_for_url(re.compile(rf"/workbench/meetings/{meeting_id}\b(?!/edit)"))

    ann.page.locator("#content").fill("预算终审")
    ann.press("Continue")
    ann.sees(
        "The meeting has been changed meanwhile. What you entered is still here; it replaces what is there now."
    )
    expect(ann.page.locator("main")).to_contain_text("一楼大厅")  # what is there now
    expect(ann.page.locator("#content")).to_have_value("预算终审")
    check(ann)
    told = workbench.client.do("detail", ann.uid, meetingInviteId=meeting_id)["detail"]
    assert (told["content"], told["address"]) == ("季度预算", "一楼大厅")
    ann.press("Continue")
    ann.press("Save and tell nobody")
    ann.page.wait_for_url(re.compile(rf"/workbench/meetings/{meeting_id}\b(?!/edit)"))
    told = workbench.client.do("detail", ann.uid, meetingInviteId=meeting_id)["detail"]
    assert (told["content"], told["address"]) == ("预算终审", "三楼会议室")


@pytest.mark.thorough
def test_an_hour_that_the_clocks_skip_is_refused_and_one_that_comes_twice_is_the_first(
    workbench: Workbench,
) -> None:
    look = Look(DESK, "en")
    ann = known(workbench, look, "夏")
    workbench.import_people(f"{ann.uid},{ann.name},,,Europe/Berlin,en")
    ann.expected("status 422", "status of 422")
    ann.open("/workbench/new")
    ann.page.locator("#content").fill("Summer time")
    ann.page.locator("input[name=myself]").check()
    begin, end = ann.page.locator("#begin"), ann.page.locator("#end")
    begin.fill("2027-03-28T02:30")
    end.fill("2027-03-28T04:00")
    save = ann.page.locator("button[name=do][value=save]")
    save.click()
    expect(begin).to_have_attribute("aria-invalid", "true")
    expect(begin).to_have_accessible_description(re.compile("03:00"))
    begin.fill("2027-10-31T02:30")
    end.fill("2027-10-31T03:30")
    save.click()
    ann.page.wait_for_url(re.compile(r"/workbench/meetings/\d+"))
    [card] = workbench.client.do("list", ann.uid)["items"]
    assert card["endTime"] - card["beginTime"] == 2 * HOUR_MS


def test_the_answers_are_downloaded(workbench: Workbench) -> None:
    ann, bob = workbench.person(LOOKS[3]), workbench.colleague(LOOKS[3])
    meeting_id = workbench.create(whom(ann), bob, begin=tomorrow(hours=1))
    workbench.client.do("respond", bob[0], meetingInviteId=meeting_id, msgStatus=2, reply="=1+1")
    ann.open(f"/workbench/meetings/{meeting_id}")
    with ann.page.expect_download() as started:
        ann.follow("Export answers")
    text = started.value.path().read_text("utf-8-sig")
    assert bob[0] in text
    assert "'=1+1" in text
