"""What people do with invitations: shelves, answers, reminders, taking a card away; what others change in them."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.browsing import LOOKS, Look, Person
from tests.browser.checks import check
from tests.browser.workbench import DAY_MS, HOUR_MS, Workbench, now, tomorrow, whom

pytestmark = pytest.mark.browser
looks = pytest.mark.parametrize("look", LOOKS, ids=str)

ACCEPTED, DECLINED = 2, 3


def shelf(person: Person, name: str) -> None:
    person.follow(name, within=person.by_role("navigation", "My invitations"))


def card(person: Person, meeting_id: int) -> Locator:
    return person.page.locator(f"#card-{meeting_id}")


def waiting(person: Person) -> Locator:
    """The number beside the shelf of that name."""
    return person.page.locator(".shelves .number")


@looks
def test_an_invitation_is_answered_on_its_card(workbench: Workbench, look: Look) -> None:
    ann, bob = workbench.colleague(look), workbench.person(look)
    bob.sees("Nothing is coming up.")
    check(bob)
    first, second = (
        workbench.create(ann, whom(bob)),
        workbench.create(ann, whom(bob), begin=tomorrow(hours=3)),
    )
    expect(waiting(bob)).to_have_text("2")  # by itself
    check(bob)
    shelf(bob, "Waiting for me")
    bob.press("Accept", within=card(bob, first))
    bob.is_marked("Accepted", within=card(bob, first))
    expect(waiting(bob)).to_have_text("1")
    assert workbench.mine(bob.uid, first)["msgStatus"] == ACCEPTED

    card(bob, second).locator("summary").click()
    bob.by_role("textbox", "A few words to the organiser (optional)").fill("<b>出差</b>")
    check(bob)
    card(bob, second).locator("button[value='3']").click()
    bob.is_marked("Declined", within=card(bob, second))
    expect(waiting(bob)).to_be_hidden()
    mine = workbench.mine(bob.uid, second)
    assert (mine["msgStatus"], mine["reply"]) == (DECLINED, "<b>出差</b>")
    check(bob)
    bob.open("/workbench/?shelf=waiting")
    bob.sees("You have answered everything.")
    check(bob)


@looks
def test_an_answer_is_given_anew_on_the_meetings_page(workbench: Workbench, look: Look) -> None:
    ann, eve, bob = workbench.colleague(look), workbench.colleague(look), workbench.person(look)
    meeting_id = workbench.create(ann, whom(bob), eve)
    assert workbench.mine(bob.uid, meeting_id)["msgStatus"] == 0
    bob.open(f"/workbench/meetings/{meeting_id}")
    assert workbench.mine(bob.uid, meeting_id)["msgStatus"] == 1  # looking at it is reading it
    check(bob)
    words = bob.by_role("textbox", "A few words to the organiser (optional)")
    words.fill("出差")
    bob.press("Decline")
    bob.is_marked("Declined")
    expect(words).to_have_value("出差")
    expect(bob.page.locator(".attendees q")).to_have_text("出差")
    check(bob)
    bob.press("Accept")
    bob.is_marked("Accepted")
    assert workbench.mine(bob.uid, meeting_id)["msgStatus"] == ACCEPTED
    assert bob.by_role("button", "Accept").get_attribute("aria-pressed") == "true"


@looks
def test_a_reminder_is_switched_and_a_card_goes_and_comes_back(workbench: Workbench, look: Look) -> None:
    bob = workbench.person(look)
    meeting_id = workbench.create(workbench.colleague(look), whom(bob))
    bob.open(f"/workbench/meetings/{meeting_id}")
    bob.press("Turn off")
    bob.sees("Off for you")
    assert workbench.mine(bob.uid, meeting_id)["remind"] is False
    bob.press("Turn on")
    expect(bob.by_role("button", "Turn off")).to_be_visible()
    assert workbench.mine(bob.uid, meeting_id)["remind"] is True

    bob.press("Remove from my workbench")
    bob.sees("This card is off your workbench.")
    check(bob)
    bob.open("/workbench/")
    bob.sees("Nothing is coming up.")
    bob.page.go_back()
    bob.press("Undo")
    expect(bob.by_role("button", "Remove from my workbench")).to_be_visible()
    bob.follow("‹ My invitations")
    expect(card(bob, meeting_id)).to_be_visible()


@looks
def test_what_the_organizer_changes_is_shown_where_it_happens(workbench: Workbench, look: Look) -> None:
    ann, bob = workbench.colleague(look), workbench.person(look)
    other = workbench.create(ann, whom(bob), content="客户拜访", begin=tomorrow(hours=2))
    workbench.client.do("respond", bob.uid, meetingInviteId=other, msgStatus=ACCEPTED)
    meeting_id = workbench.create(ann, whom(bob))
    shown = card(bob, meeting_id)
    expect(shown).to_be_visible()
    expect(shown.locator(".overlap")).to_have_count(0)
    bob.press("Accept", within=shown)
    bob.is_marked("Accepted", within=shown)

    stays = bob.stays()
    workbench.change(ann, meeting_id, beginTime=tomorrow(hours=2.5), endTime=tomorrow(hours=3.5))
    bob.is_marked("Moved", within=shown)
    bob.is_marked("Please answer", within=shown)  # the answer was to the old time
    expect(shown.locator(".overlap")).to_contain_text("客户拜访")
    check(bob)
    assert stays()
    bob.page.locator(f"#title-{meeting_id} a").click()
    bob.sees("At the same time:")
    check(bob)
    workbench.client.do("cancel", ann[0], meetingInviteId=meeting_id)
    bob.is_marked("Cancelled")
    expect(bob.by_role("button", "Accept")).to_have_count(0)
    check(bob)
    bob.follow("‹ My invitations")
    bob.is_marked("Cancelled", within=shown)
    check(bob)


@looks
def test_each_shelf_holds_what_its_name_says(workbench: Workbench, look: Look) -> None:
    ann, bob = workbench.colleague(look), workbench.person(look)
    over = workbench.create(ann, whom(bob), begin=now() - DAY_MS)
    own = workbench.create(whom(bob), ann, begin=tomorrow(hours=4))
    coming = [workbench.create(ann, whom(bob), begin=tomorrow() + one * HOUR_MS) for one in range(24)]
    bob.open("/workbench/")
    expect(bob.page.locator("article")).to_have_count(20)
    bob.follow("Show more")
    expect(bob.page.locator("article")).to_have_count(25)
    expect(bob.by_role("link", "Show more")).to_have_count(0)
    check(bob)
    for name, expected in (("Past", [over]), ("Created by me", [own])):
        shelf(bob, name)
        expect(bob.page.locator("article")).to_have_count(1)
        assert bob.page.locator("article").get_attribute("id") == f"card-{expected[0]}"
        check(bob)
    # What more was shown is live too.
    bob.open("/workbench/")
    bob.follow("Show more")
    expect(card(bob, coming[-1])).to_be_visible()
    workbench.change(ann, coming[-1], content="改期讨论")
    expect(card(bob, coming[-1])).to_contain_text("改期讨论")
    # Nor does a new invitation fold it up again.
    expect(card(bob, workbench.create(ann, whom(bob), begin=tomorrow(hours=1)))).to_be_visible()
    expect(bob.page.locator("article")).to_have_count(25)
