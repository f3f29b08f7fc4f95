"""Everything can be reached and done from the keyboard, and what has the focus can be seen."""

import pytest
from playwright.sync_api import expect

from tests.browser.browsing import LOOKS, Look, Person
from tests.browser.workbench import Workbench, whom

pytestmark = pytest.mark.browser

# Numbers what a Tab should stop at: one of a group of radio buttons, and nothing that is hidden.
NUMBER = """() => {
  const groups = new Set();
  const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")]
    .filter(one => one.checkVisibility({visibilityProperty: true}) && !one.disabled && one.tabIndex >= 0)
    .filter(one => one.type !== "radio" || (!groups.has(one.name) && groups.add(one.name)));
  all.forEach((one, number) => { one.dataset.stop = one.type === "radio" ? one.name : number; });
  document.querySelectorAll("input[type=radio]").forEach(one => { one.dataset.stop = one.name; });
  return all.map(one => one.dataset.stop);
}"""
FOCUSED = """() => {
  const one = document.activeElement;
  const box = one.getBoundingClientRect();
  const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)]; // a part of it will do
  const [x, y] = [(left + right) / 2, box.y + Math.min(box.height / 2, 40)];
  const top = document.elementFromPoint(x, y);
  return {
    out: one === document.body, stop: one.dataset.stop, text: one.outerHTML.slice(0, 100),
    marked: getComputedStyle(one).outlineStyle !== "none" || !!one.closest("label"),
    covered: !(top && (one.contains(top) || top.contains(one))),
  };
}"""


def walk(person: Person) -> None:
    """Tab comes to everything, which then can be seen and is marked."""
    stops = person.page.evaluate(NUMBER)
    person.page.locator("body").evaluate(
        "one => { one.tabIndex = -1; one.focus(); one.removeAttribute('tabindex'); }"
    )
    reached = []
    for _ in range(len(stops) + 20):  # the parts of a date field are stops of their own
        person.page.keyboard.press("Tab")
        found = person.page.evaluate(FOCUSED)
        if found["out"]:
            break
        assert found["marked"], f"no mark: {found['text']}"
        assert not found["covered"], f"covered: {found['text']} ({person.look})"
        if found["stop"] is not None:  # what scrolls is a stop too
            reached.append(found["stop"])
    assert list(dict.fromkeys(reached)) == stops, person.page.url


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_tab_reaches_everything_in_the_order_of_the_page(workbench: Workbench, look: Look) -> None:
    ann, bob = workbench.colleague(look), workbench.person(look)
    made = [workbench.create(ann, whom(bob)) for _ in range(4)]
    workbench.create(whom(bob), ann)
    for path in ("/workbench/", f"/workbench/meetings/{made[0]}", "/workbench/me", "/workbench/new"):
        bob.open(path)
        expect(bob.page.locator(".toast")).to_have_count(
            0, timeout=15_000
        )  # what came in just now goes by itself
        walk(bob)


def test_an_invitation_is_answered_by_keyboard_alone(workbench: Workbench) -> None:
    look = LOOKS[1]
    ann, bob = workbench.colleague(look), workbench.person(look)
    meeting_id = workbench.create(ann, whom(bob))
    card = bob.page.locator(f"#card-{meeting_id}")
    expect(card).to_be_visible()
    bob.open("/workbench/")
    bob.page.keyboard.press("Tab")
    expect(bob.by_role("link", "Skip to the content")).to_be_focused()
    bob.page.keyboard.press("Enter")
    expect(bob.page.locator("main")).to_be_focused()
    decline = card.locator("summary")
    for _ in range(20):
        if decline.evaluate("one => one === document.activeElement"):
            break
        bob.page.keyboard.press("Tab")
    bob.page.keyboard.press("Enter")
    bob.page.keyboard.press("Tab")
    bob.page.keyboard.type("Away")
    bob.page.keyboard.press("Tab")
    bob.page.keyboard.press("Enter")
    bob.is_marked("Declined", within=card)
    assert workbench.mine(bob.uid, meeting_id)["msgStatus"] == 3
