"""The in-app inbox, its number in every page's title, and what is told as it happens."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.browsing import LOOKS, Look, Person
from tests.browser.checks import check
from tests.browser.workbench import Workbench, now, tomorrow, whom

pytestmark = pytest.mark.browser
looks = pytest.mark.parametrize("look", LOOKS, ids=str)


def unread(person: Person, number: int) -> None:
    """The title says so many."""
    start = rf"^\({number}\) " if number else r"^[^(]"
    expect(person.page).to_have_title(re.compile(start))


@looks
def test_messages_are_told_numbered_and_read(workbench: Workbench, look: Look) -> None:
    ann, bob = workbench.colleague(look), workbench.person(look)
    bob.open("/workbench/messages")
    bob.sees("No messages.")
    check(bob)
    bob.open("/workbench/me")
    unread(bob, 0)
    first = workbench.create(ann, whom(bob), content="季度预算")
    unread(bob, 1)
    workbench.create(ann, whom(bob), content="客户拜访", begin=tomorrow(hours=2))
    unread(bob, 2)
    expect(bob.page.locator("#toasts")).to_contain_text("客户拜访")
    check(bob)
    # A new page goes on counting where this one ended, and looking at one meeting reads what is said of it.
    bob.open(f"/workbench/meetings/{first}")
    unread(bob, 1)
    bob.follow("Messages")
    messages = bob.page.locator("li.message")
    expect(messages).to_have_count(2)
    expect(messages.first).to_contain_text("客户拜访")  # the newest first
    expect(bob.page.locator("li.message.unread")).to_have_count(1)
    check(bob)
    # A message that comes while they are looked at joins them.
    workbench.change(ann, first, address="五楼")
    expect(messages).to_have_count(3)
    messages.first.get_by_role("link").click()
    bob.settled()
    expect(bob.page.locator("h1")).to_have_text("季度预算")
    unread(bob, 0)


@pytest.mark.parametrize("look", LOOKS[:1], ids=str)
def test_a_reminder_comes_up_by_itself(workbench: Workbench, look: Look) -> None:
    ann, bob = workbench.colleague(look), workbench.person(look)
    bob.open("/workbench/messages")
    workbench.create(ann, whom(bob), content="晨会", begin=now() + 62_000, remindMin=1)
    messages = bob.page.locator("li.message")
    expect(messages).to_have_count(2)  # the invitation, then the reminder
    expect(messages.first).to_contain_text("1分钟后开始")
    expect(bob.page.locator("#toasts")).to_contain_text("1分钟后开始")
