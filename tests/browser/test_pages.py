"""Every page: accessible in light and dark, at both sizes, in both languages; light to fetch; nothing jumps."""

from typing import Final

import pytest

from tests.browser.browsing import DESK, LOOKS, PHONE, Look, Person
from tests.browser.checks import check
from tests.browser.workbench import DAY_MS, HOUR_MS, Workbench, now, tomorrow, whom

pytestmark = pytest.mark.browser

HEAVIEST: Final = 150_000  # bytes of a first visit, as they come over the wire
# Nothing where the page is no wider than its window, else what reaches out.
TOO_WIDE: Final = """() => document.documentElement.scrollWidth <= window.innerWidth ? [] :
  [...document.querySelectorAll("body *")].filter(one => one.getBoundingClientRect().right > window.innerWidth)
    .map(one => one.outerHTML.slice(0, 100))"""
ADMIN: Final = (
    "/admin/",
    "/admin/apps",
    "/admin/apps/7",
    "/admin/organisations",
    "/admin/organisations/85161",
    "/admin/people?org=85161",
    "/admin/deliveries",
    "/admin/replies",
)


def furnish(workbench: Workbench, person: Person) -> list[str]:
    """Meetings in all states; the pages that show them."""
    ann, eve = workbench.colleague(person.look), workbench.colleague(person.look)
    own = workbench.create(whom(person), ann, eve, begin=tomorrow(hours=1))
    accepted = workbench.create(ann, whom(person), eve, content="客户拜访\n请带上合同。")
    workbench.client.do("respond", person.uid, meetingInviteId=accepted, msgStatus=2, reply="准时到")
    waiting = workbench.create(ann, whom(person), begin=tomorrow(hours=0.5))
    declined = workbench.create(ann, whom(person), begin=tomorrow(hours=2))
    workbench.client.do("respond", person.uid, meetingInviteId=declined, msgStatus=3)
    cancelled = workbench.create(ann, whom(person), begin=tomorrow(hours=3))
    workbench.client.do("cancel", ann[0], meetingInviteId=cancelled)
    workbench.create(ann, whom(person), begin=now() - HOUR_MS // 2)
    workbench.create(ann, whom(person), begin=tomorrow(), endTime=tomorrow() + 2 * DAY_MS)
    return [
        "/workbench/",
        "/workbench/?shelf=past",
        f"/workbench/meetings/{waiting}",
        f"/workbench/meetings/{own}",
        "/workbench/messages",
        "/workbench/me",
        "/workbench/calendar",
        "/workbench/calendar?view=week",
        "/workbench/calendar?view=month",
        "/workbench/new",
        f"/workbench/meetings/{own}/edit",
        f"/workbench/meetings/{own}/cancel",
    ]


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_every_page_of_the_workbench_is_accessible(workbench: Workbench, look: Look) -> None:
    bob = workbench.person(look)
    for path in furnish(workbench, bob):
        bob.open(path)
        check(bob)


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_every_page_of_the_operators_is_accessible(workbench: Workbench, look: Look) -> None:
    operator = workbench.operator(look)
    for path in ADMIN:
        operator.open(path)
        check(operator)


@pytest.mark.parametrize(
    "size", [(195, 422), pytest.param((720, 450), marks=pytest.mark.thorough)], ids=["phone", "desk"]
)
def test_at_twice_the_size_nothing_is_cut_off(workbench: Workbench, size: tuple[int, int]) -> None:
    look = Look(size, "en")
    bob = workbench.person(look, device_scale_factor=2)
    operator = workbench.operator(look)
    for person, paths in ((bob, furnish(workbench, bob)), (operator, ADMIN)):
        for path in paths:
            person.open(path)
            wide = person.page.evaluate(TOO_WIDE)
            assert not wide, f"{path} is too wide: {wide}"


@pytest.mark.thorough
@pytest.mark.parametrize("look", [Look(PHONE), Look(DESK, "en")], ids=str)
def test_a_first_visit_weighs_little(workbench: Workbench, look: Look) -> None:
    bob = workbench.person(look)
    operator = workbench.operator(look)
    weights = {}
    for person, paths in ((bob, furnish(workbench, bob)), (operator, list(ADMIN))):
        session = person.context.new_cdp_session(person.page)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        sizes: list[float] = []
        session.on(
            "Network.loadingFinished", lambda event, sizes=sizes: sizes.append(event["encodedDataLength"])
        )
        for path in paths:
            sizes.clear()
            person.open(path)
            weights[path] = round(sum(sizes))
    assert min(weights.values()) > 10_000, weights  # they were all counted
    assert max(weights.values()) < HEAVIEST, weights
