"""Language and time zone are each person's own, and change what every page shows."""

import pytest
from playwright.sync_api import expect

from tests.browser.browsing import LOOKS, Look
from tests.browser.checks import check
from tests.browser.workbench import Workbench, whom

pytestmark = pytest.mark.browser

TEN = 1_925_028_000_000  # 2031-01-01 10:00 UTC


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_language_and_time_zone_change_what_is_shown(workbench: Workbench, look: Look) -> None:
    ann, bob = workbench.colleague(look), workbench.person(look)
    meeting_id = workbench.create(ann, whom(bob), begin=TEN)
    when = bob.page.locator(f"#card-{meeting_id} .when")
    expect(when).to_contain_text("18:00")  # as the organisation: Asia/Shanghai
    bob.open("/workbench/me")
    check(bob)
    bob.page.locator("#timezone").select_option("America/New_York")
    bob.press("Save")
    bob.settled()
    bob.open("/workbench/")
    expect(when).to_contain_text("05:00")
    expect(when).to_contain_text("18:00")  # for the organiser
    check(bob)

    english = not look.chinese
    bob.open("/workbench/me")
    bob.page.locator("#locale").select_option("zh-CN" if english else "en")
    bob.press("Save")
    expect(bob.page.locator("html")).to_have_attribute("lang", "zh-CN" if english else "en")
    expect(bob.page.locator("h1")).to_have_text("我" if english else "Me")
    bob.open(f"/workbench/meetings/{meeting_id}")
    expect(bob.page.locator("dt").first).to_have_text("时间" if english else "Time")
