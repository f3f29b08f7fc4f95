"""The operators' pages: in by a link of the command line, apps, people, texts; and who may not go where."""

import pytest
from playwright.sync_api import expect

from tests.browser.browsing import LOOKS, Look
from tests.browser.checks import check
from tests.browser.workbench import Workbench

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[3], Look(language="en", script=False)], ids=str)
def test_an_operator_looks_after_people_and_their_texts(workbench: Workbench, look: Look) -> None:
    ann, (uid, _) = workbench.colleague(look), workbench.colleague(look)
    name = f"齐{uid.replace('-', '')}"
    workbench.import_people(f"{uid},{name},+8613922222222,,,")
    meeting_id = workbench.create(ann, (uid, name), remindType=1)
    workbench.text(uid, meeting_id)
    operator = workbench.operator(look)
    operator.expected("status 409", "status of 409")
    check(operator)
    operator.follow("Apps")
    operator.page.get_by_role("link", name="tests").click()
    operator.sees("API permissions")
    expect(operator.page.locator("input[value=ticket]")).to_be_checked()
    expect(operator.page.locator("main")).not_to_contain_text(workbench.installation.app_secret)
    operator.follow("People")
    operator.page.locator("#q").fill(name)
    operator.press("Search")
    operator.page.get_by_role("link", name=name).click()
    expect(operator.page.locator("h1")).to_have_text(name)
    expect(operator.page.locator("main")).not_to_contain_text("13922222222")
    check(operator)
    operator.page.locator("summary").last.click()
    operator.page.locator("#confirm").fill("somebody else")
    operator.press("Erase this person for good")
    expect(operator.page.locator("#confirm-fault")).to_be_visible()
    check(operator)
    operator.page.locator("#confirm").fill(uid)
    operator.press("Erase this person for good")
    expect(operator.page.get_by_role("status").first).to_be_visible()
    operator.open(f"/admin/deliveries?meeting={meeting_id}")
    check(operator)


def test_a_person_and_an_operator_stay_on_their_own_side(workbench: Workbench) -> None:
    look = LOOKS[3]
    operator, bob = workbench.operator(look), workbench.person(look)
    for person, path in ((operator, "/workbench/"), (bob, "/admin/")):
        person.expected("status 401", "status of 401")
        person.open(path)
        expect(person.page.locator("h1")).to_be_visible()
        expect(person.page.locator("nav")).to_have_count(0)
        check(person)
