"""Signing in by a one-time ticket, and out again."""

import httpx
import pytest

from tests.browser.browsing import DESK, LOOKS, PHONE, Look
from tests.browser.checks import check
from tests.browser.workbench import Workbench, whom

pytestmark = pytest.mark.browser
looks = pytest.mark.parametrize("look", LOOKS, ids=str)


@looks
def test_a_ticket_signs_in_once_and_whoever_fetches_it_for_a_preview_uses_nothing_up(
    workbench: Workbench, look: Look
) -> None:
    uid, _ = workbench.colleague(look)
    bob = workbench.stranger(look, uid=uid)
    address = workbench.ticket(uid)
    for _ in range(2):
        assert httpx.get(address, trust_env=False).status_code == 200
    bob.open(address)
    bob.page.wait_for_url("**/workbench/")
    bob.settled()
    bob.sees("Nothing is coming up.")
    bob.open("/workbench/me")
    bob.sees(uid)
    check(bob)

    eve = workbench.stranger(look.other)
    eve.expected("status 403", "status of 403")
    eve.open(address)
    eve.sees("This link cannot be used any more")
    check(eve)


@looks
def test_who_is_not_signed_in_is_told_how_to(workbench: Workbench, look: Look) -> None:
    eve = workbench.stranger(look)
    eve.expected("status 401", "status of 401", "status 404", "status of 404")
    eve.open("/workbench/")
    eve.sees("Open the workbench from your application to sign in.")
    check(eve)
    eve.open("/workbench/nothing")
    eve.sees("There is no such page")
    check(eve)


def test_another_persons_ticket_is_not_used_without_a_word(workbench: Workbench) -> None:
    look = Look(PHONE, "en")
    bob = workbench.person(look)
    eve_uid, _ = workbench.colleague(look)
    bob.open(workbench.ticket(eve_uid))
    bob.sees("that session will end")
    check(bob)
    bob.press("Continue")
    bob.page.wait_for_url("**/workbench/")
    bob.open("/workbench/me")
    bob.sees(eve_uid)


@pytest.mark.thorough
def test_signing_out_everywhere_ends_the_other_browser_too(workbench: Workbench) -> None:
    phone = workbench.person(Look(PHONE, "zh-CN"))
    desk = workbench.stranger(Look(DESK, "en", "dark"), uid=phone.uid, name=phone.name)
    workbench.sign_in(desk)
    other = workbench.person(Look(DESK, "en"))
    desk.expected("status 401", "status of 401")
    phone.open("/workbench/me")
    phone.press("Sign out everywhere")
    phone.sees("Signed out")
    check(phone)
    # Whatever the other page fetches next, here because there is something new, takes it out.
    meeting_id = workbench.create(whom(other), whom(desk))
    desk.sees("Please sign in")
    desk.open(f"/workbench/meetings/{meeting_id}")
    desk.sees("Please sign in")
    other.open("/workbench/")
    other.open("/workbench/me")
    other.by_role("button", "Sign out", exact=True).click()
    other.sees("Signed out")
    other.expected("status 401", "status of 401")
    other.page.go_back()
    other.page.reload()
    other.sees("Please sign in")
