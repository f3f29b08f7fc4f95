"""People see each other's doing as it happens, and again after whatever broke the connection."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.process import Installation
from tests.browser.browsing import DESK, LOOKS, PHONE, Look, Person
from tests.browser.checks import check
from tests.browser.workbench import Workbench, tomorrow, whom

pytestmark = pytest.mark.browser

# Keeps every line that comes up by itself.
LISTEN = """() => {
  window.heard = [];
  new MutationObserver(all => all.forEach(one => one.addedNodes.forEach(line => heard.push(line.textContent))))
    .observe(document.getElementById("toasts"), {childList: true});
}"""


@pytest.fixture
def own(prepared: Path, tmp_path: Path, chromium: Browser) -> Iterator[Workbench]:
    """A server that a test may stop."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    with closing(Installation(tmp_path)) as made:
        made.succeed("app", "set", str(made.app_id), "--grant", "ticket")
        server = made.serve()
        workbench = Workbench(made, chromium, server, made.client(server))
        with workbench.looked_at():
            yield workbench


def heard(person: Person, *titles: str) -> None:
    """The invitations to these, each once and in this order, have come up."""
    expect(person.page.locator("#toasts")).to_contain_text(titles[-1])
    lines = [str(one) for one in person.page.evaluate("window.heard")]
    found = [title for line in lines for title in titles if title in line]
    assert found == list(titles), lines


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_two_people_see_each_others_doing(workbench: Workbench, look: Look) -> None:
    ann, bob = workbench.person(look), workbench.person(look.other)
    meeting_id = workbench.create(whom(ann), whom(bob))
    ann.open(f"/workbench/meetings/{meeting_id}")
    stays = [ann.stays(), bob.stays()]
    attendee = ann.page.locator(".attendees li").filter(has_text=bob.name)
    bob.press("Accept", within=bob.page.locator(f"#card-{meeting_id}"))
    expect(attendee).to_contain_text(ann.words("Accepted"))
    check(ann)
    workbench.change(whom(ann), meeting_id, content="预算终审")
    for title in (ann.page.locator("h1"), bob.page.locator(f"#title-{meeting_id}")):
        expect(title).to_have_text("预算终审")
    assert all(one() for one in stays)


def test_whoever_is_writing_loses_no_word_to_a_change(workbench: Workbench) -> None:
    look = Look(DESK, "en")
    ann, bob = workbench.colleague(look), workbench.person(look)
    meeting_id = workbench.create(ann, whom(bob))
    bob.open(f"/workbench/meetings/{meeting_id}")
    words = bob.by_role("textbox", "A few words to the organiser (optional)")
    words.press_sequentially("I shall be ")
    workbench.change(ann, meeting_id, address="五楼")
    expect(bob.page.locator("#toasts")).to_contain_text("五楼")
    words.press_sequentially("late")
    expect(words).to_have_value("I shall be late")
    words.press("Enter")
    bob.sees("五楼")


def test_a_broken_connection_loses_and_repeats_nothing(workbench: Workbench) -> None:
    look = Look(PHONE, "zh-CN")
    ann, bob = workbench.colleague(look), workbench.person(look)
    bob.expected("ERR_INTERNET_DISCONNECTED|htmx:")
    bob.page.evaluate(LISTEN)
    stays = bob.stays()
    workbench.create(ann, whom(bob), content="第一场")
    heard(bob, "第一场")
    bob.context.set_offline(True)  # the stream may go on for a while, but nothing can be fetched
    workbench.create(ann, whom(bob), content="第二场", begin=tomorrow(hours=2))
    workbench.create(ann, whom(bob), content="第三场", begin=tomorrow(hours=4))
    bob.press("Accept", within=bob.page.locator("article").first)
    expect(bob.page.locator("#toasts .bad")).to_be_visible()
    bob.context.set_offline(False)
    heard(bob, "第一场", "第二场", "第三场")
    expect(bob.page.locator("article")).to_have_count(3)
    workbench.create(ann, whom(bob), content="第四场", begin=tomorrow(hours=6))
    heard(bob, "第一场", "第二场", "第三场", "第四场")
    assert stays()


def test_a_page_outlives_its_server(own: Workbench) -> None:
    look = Look(DESK, "zh-CN")
    ann, bob = own.colleague(look), own.person(look)
    bob.expected("net::ERR_|htmx:")  # whatever was under way
    bob.page.evaluate(LISTEN)
    stays = bob.stays()
    own.create(ann, whom(bob), content="第一场")
    heard(bob, "第一场")
    port = own.server.port
    own.server.kill()
    expect(bob.page.locator("body[data-connected]")).to_have_count(0)
    own.server = own.installation.serve(port=port)
    own.client = own.installation.client(own.server)
    own.create(ann, whom(bob), content="第二场", begin=tomorrow(hours=2))
    heard(bob, "第一场", "第二场")
    expect(bob.page.locator("article")).to_have_count(2)
    assert stays()


@pytest.mark.postgres
@pytest.mark.thorough
def test_what_other_processes_do_reaches_the_page(scaled: Installation, chromium: Browser) -> None:
    scaled.succeed("app", "set", str(scaled.app_id), "--grant", "ticket")
    server, other = scaled.serve("--no-dispatch"), scaled.serve("--no-dispatch")
    dispatcher = scaled.start("dispatch")
    workbench = Workbench(scaled, chromium, server, scaled.client(other))
    with workbench.looked_at():
        look = Look(PHONE, "zh-CN")
        ann, bob = workbench.colleague(look), workbench.stranger(look)
        bob.uid, bob.name = workbench.colleague(look)
        bob.open(workbench.ticket(bob.uid).replace(other.address, server.address))
        bob.page.wait_for_url("**/workbench/")
        bob.settled()
        meeting_id = workbench.create(ann, whom(bob))
        card = bob.page.locator(f"#card-{meeting_id}")
        bob.press("Accept", within=card)
        bob.is_marked("Accepted", within=card)
        workbench.change(ann, meeting_id, beginTime=tomorrow(hours=5), endTime=tomorrow(hours=6))
        bob.is_marked("Moved", within=card)
        check(bob)
    assert dispatcher.stop() == 0
