"""The link in a text message: one invitation, answered without signing in."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.browsing import LOOKS, Look
from tests.browser.checks import check
from tests.browser.workbench import HOUR_MS, Workbench, now

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    "look", [*LOOKS, pytest.param(Look(script=False), marks=pytest.mark.thorough)], ids=str
)
def test_a_texts_link_opens_one_invitation_and_ends_with_it(workbench: Workbench, look: Look) -> None:
    ann, (uid, name) = workbench.colleague(look), workbench.colleague(look)
    number = int(uid.removeprefix("p").partition("-")[0])
    workbench.import_people(f"{uid},{name},+86138{number:08},,,{look.language}")
    meeting_id = workbench.create(ann, (uid, name), remindType=1)
    text = workbench.text(uid, meeting_id)
    found = re.search(r"https?://\S+/i/[\w-]+", text)
    assert found, text
    link = found[0]

    bob = workbench.stranger(look)
    bob.open(link)
    expect(bob.page.locator("h1")).to_have_text("季度预算")
    assert workbench.mine(uid, meeting_id)["msgStatus"] == 0  # nothing happened yet
    check(bob)
    bob.by_role("textbox", "A few words to the organiser (optional)").fill("出差")
    bob.press("Decline")
    bob.is_marked("Declined")
    check(bob)
    mine = workbench.mine(uid, meeting_id)
    assert (mine["msgStatus"], mine["reply"]) == (3, "出差")
    bob.press("Accept")
    bob.is_marked("Accepted")
    assert workbench.mine(uid, meeting_id)["msgStatus"] == 2
    assert bob.context.cookies() == []

    bob.expected("status 404", "status of 404")
    for wrong in (link[:-1] + ("A" if link[-1] != "A" else "B"), link[:-9]):
        bob.open(wrong)
        bob.sees("There is nothing to be seen here")
    check(bob)
    workbench.change(ann, meeting_id, members=[{"uid": "somebody", "name": "somebody"}])
    bob.open(link)
    bob.sees("There is nothing to be seen here")


def test_a_link_ends_with_its_meeting(workbench: Workbench) -> None:
    look = LOOKS[0]
    ann, (uid, name) = workbench.colleague(look), workbench.colleague(look)
    workbench.import_people(f"{uid},{name},+8613911111111,,,")
    meeting_id = workbench.create(ann, (uid, name), remindType=1)
    link = workbench.text(uid, meeting_id).partition("http")[2].split()[0]
    workbench.change(ann, meeting_id, beginTime=now() - 2 * HOUR_MS, endTime=now() - HOUR_MS)
    bob = workbench.stranger(look)
    bob.expected("status 404", "status of 404")
    bob.open(f"http{link}")
    bob.sees("There is nothing to be seen here")
