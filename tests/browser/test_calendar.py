"""The calendar: day, week and month, by thumb and by keyboard, and what changes in it as it is looked at."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.browsing import LOOKS, Look, Person
from tests.browser.checks import check
from tests.browser.workbench import Workbench, now, whom

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_the_calendar_shows_what_comes_while_it_is_looked_at(workbench: Workbench, look: Look) -> None:
    ann, bob = workbench.colleague(look), workbench.person(look)
    bob.by_role("link", "Calendar", exact=True).click()
    bob.settled()
    calendar = bob.page.locator("#calendar")
    expect(calendar).to_be_visible()
    stays = bob.stays()
    meeting_id = workbench.create(ann, whom(bob), begin=now())
    line = bob.page.locator(f"#line-{meeting_id}")
    expect(line).to_have_text("季度预算")
    workbench.change(ann, meeting_id, content="预算终审")
    expect(line).to_have_text("预算终审")
    title = bob.page.locator("#calendar-title")
    for view in ("month", "week", "day"):
        bob.page.locator(f"#calendar-{view}").click()
        expect(bob.page.locator(f"#calendar.by-{view}")).to_be_visible()
        bob.settled()
        shown = title.inner_text()
        bob.page.locator("#calendar-next").click()
        expect(title).not_to_have_text(shown)
        bob.page.locator("#calendar-today").click()
        expect(title).to_have_text(shown)
        bob.settled()
        check(bob)
    assert stays()
    bob.page.go_back()
    bob.settled()
    expect(calendar).to_be_visible()


def swipe(person: Person, over: Locator, *, right: int, down: int = 0) -> None:
    """A finger put down in the middle of what is shown, moved so far and lifted."""
    box = over.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    finger = person.context.new_cdp_session(person.page)
    for kind, share in (("touchStart", 0.0), ("touchMove", 0.5), ("touchMove", 1.0), ("touchEnd", None)):
        points = [] if share is None else [{"x": x + right * share, "y": y + down * share}]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    finger.detach()


@pytest.mark.parametrize("look", LOOKS[:2], ids=str)
def test_the_calendar_is_swiped_with_a_thumb(workbench: Workbench, look: Look) -> None:
    ann, bob = workbench.colleague(look), workbench.person(look)
    meeting_id = workbench.create(ann, whom(bob), begin=now())
    bob.open("/workbench/calendar?view=week")
    stays = bob.stays()
    title, strip = bob.page.locator("#calendar-title"), bob.page.locator("#calendar .strip")
    line = bob.page.locator(f"#line-{meeting_id}")
    this_week = title.inner_text()
    swipe(bob, strip, right=-150)
    expect(title).not_to_have_text(this_week)
    bob.settled()
    swipe(bob, strip, right=150)
    expect(title).to_have_text(this_week)
    bob.settled()
    expect(line).to_be_visible()
    swipe(bob, line, right=-150)  # over the day's meetings: the next day, and no tap on the meeting below
    expect(line).to_be_hidden()
    bob.settled()
    swipe(bob, bob.page.locator(".agenda"), right=150)
    expect(line).to_be_visible()
    bob.settled()
    swipe(bob, line, right=40, down=-120)  # that is scrolling
    expect(line).to_be_visible()
    assert stays()
    assert bob.page.url.partition("?")[0].endswith("/workbench/calendar")
    check(bob)


def test_the_calendar_is_used_by_keyboard(workbench: Workbench) -> None:
    bob = workbench.person(LOOKS[3])
    bob.open("/workbench/calendar?view=week")
    title = bob.page.locator("#calendar-title")
    for key, view in (("m", "month"), ("d", "day"), ("w", "week")):
        bob.page.keyboard.press(key)
        expect(bob.page.locator(f"#calendar.by-{view}")).to_be_visible()
        bob.settled()
    shown = title.inner_text()
    bob.page.keyboard.press("j")
    expect(title).not_to_have_text(shown)
    bob.settled()
    bob.page.keyboard.press("k")
    expect(title).to_have_text(shown)
    bob.page.keyboard.press("?")
    expect(bob.page.get_by_role("dialog")).to_be_visible()
    check(bob)
    bob.page.keyboard.press("Escape")
    expect(bob.page.get_by_role("dialog")).to_be_hidden()
    bob.page.keyboard.press("n")
    bob.page.wait_for_url("**/workbench/new**")
