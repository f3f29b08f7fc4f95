"""Without JavaScript reading and answering work all the same."""

import pytest
from playwright.sync_api import expect

from tests.browser.browsing import DESK, PHONE, Look
from tests.browser.checks import check
from tests.browser.workbench import HOUR_MS, Workbench, tomorrow, whom

pytestmark = pytest.mark.browser

PLAIN = (Look(PHONE, "zh-CN", script=False), Look(DESK, "en", "dark", script=False))


@pytest.mark.parametrize("look", [PLAIN[0], pytest.param(PLAIN[1], marks=pytest.mark.thorough)], ids=str)
def test_without_script_people_read_and_answer(workbench: Workbench, look: Look) -> None:
    ann = workbench.colleague(look)
    bob = workbench.person(look)
    made = [workbench.create(ann, whom(bob), begin=tomorrow() + one * HOUR_MS) for one in range(25)]
    bob.open("/workbench/?shelf=waiting")
    expect(bob.page.locator(".shelves .number")).to_have_text("25")
    articles = bob.page.locator("article")
    expect(articles).to_have_count(20)
    check(bob)
    bob.follow("Show more")
    expect(articles).to_have_count(5)
    card = bob.page.locator(f"#card-{made[-1]}")
    bob.press("Accept", within=card)
    bob.page.wait_for_url(f"**/workbench/meetings/{made[-1]}")
    bob.is_marked("Accepted")
    check(bob)
    bob.by_role("textbox", "A few words to the organiser (optional)").fill("出差")
    bob.press("Decline")
    bob.is_marked("Declined")
    mine = workbench.mine(bob.uid, made[-1])
    assert (mine["msgStatus"], mine["reply"]) == (3, "出差")
    bob.press("Turn off")
    bob.sees("Off for you")
    bob.press("Remove from my workbench")
    bob.sees("This card is off your workbench.")
    bob.press("Undo")
    expect(bob.by_role("button", "Remove from my workbench")).to_be_visible()
    bob.open("/workbench/")
    bob.page.locator(f"#card-{made[0]} summary").click()
    bob.page.locator(f"#card-{made[0]} input[name=reply]").fill("不在")
    bob.page.locator(f"#card-{made[0]} button[value='3']").click()
    bob.is_marked("Declined")
    bob.open("/workbench/messages")
    expect(bob.page.locator("li.message")).to_have_count(25)
    check(bob)
    bob.open("/workbench/me")
    bob.press("Sign out", within=bob.page.locator("form[action$=sign-out]"))
    bob.sees("Signed out")
