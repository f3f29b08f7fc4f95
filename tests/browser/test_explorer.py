"""The API explorer: an integrator gets a token, makes a meeting and looks at it, without leaving the page."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.browsing import LOOKS, Look, Person
from tests.browser.checks import check_access
from tests.browser.workbench import Workbench

pytestmark = pytest.mark.browser

DOCS = "/openapi/docs"
PREFIX = "/openapi/workbench/meetinginvite/"


def fits(person: Person) -> None:
    """Everybody can use it, at this size and in this language."""
    check_access(person)
    assert person.page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    if person.look.chinese:  # Swagger UI's own words, too
        shown = person.page.locator(
            "#calls button, #calls th, #calls h4, #calls h5, #calls label"
        ).all_inner_texts()
        english = {one for one in shown if re.search("[A-Za-z]{2,} [A-Za-z]{2,}", one)}
        assert not english


def opened(person: Person, path: str) -> Locator:
    """The call, folded out to be tried."""
    person.page.locator(f'.opblock-summary-path[data-path="{path}"]').click()
    call = person.page.locator(".opblock.is-open").filter(
        has=person.page.locator(f'.opblock-summary-path[data-path="{path}"]')
    )
    expect(person.by_role("button", "Execute", within=call)).to_be_visible()
    return call


def done(person: Person, call: Locator) -> dict[str, Any]:
    """What the server answered, not what it answered before."""
    clear = call.locator(".btn-clear")
    if clear.count():
        clear.click()
    person.press("Execute", within=call)
    answer = call.locator(".live-responses-table .response-col_description pre").first
    expect(answer).to_contain_text("status")
    found: dict[str, Any] = json.loads(answer.inner_text())
    return found


def write(call: Locator, **changes: object) -> None:
    """Change the example body."""
    box = call.locator("textarea")
    box.fill(json.dumps(json.loads(box.input_value()) | changes))


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_an_integrator_gets_a_token_and_calls_with_it(workbench: Workbench, look: Look) -> None:
    ann = workbench.stranger(look)
    ann.open(DOCS)
    expect(ann.page.locator(".opblock")).to_have_count(21)
    fits(ann)
    refused = done(ann, opened(ann, f"{PREFIX}detail"))
    assert refused["status"] == 4008
    ann.page.get_by_label("appId").fill("7")
    ann.page.get_by_label("appSecret").fill("wrong")
    ann.press("Get a token")
    expect(ann.page.locator("#told")).to_contain_text("4007")
    ann.page.get_by_label("appSecret").fill(workbench.installation.app_secret)
    ann.press("Get a token")
    expect(ann.page.locator("#told")).to_contain_text(
        ann.words("Every call below now carries this token, until")
    )
    made = done(ann, opened(ann, f"{PREFIX}create"))
    assert made["status"] == 0, made
    call = ann.page.locator(".opblock.is-open", has_text="/detail").first
    write(call, meetingInviteId=made["data"]["meetingInviteId"])
    found = done(ann, call)
    assert found["data"]["detail"]["content"] == "下季度预算讨论"
    fits(ann)


def test_the_secret_stands_in_no_address(workbench: Workbench) -> None:
    ann = workbench.stranger(LOOKS[0])
    addresses: list[str] = []
    ann.context.on("request", lambda request: addresses.append(request.url))
    ann.open(DOCS)
    ann.page.get_by_label("appId").fill("7")
    ann.page.get_by_label("appSecret").fill(workbench.installation.app_secret)
    ann.press("Get a token")
    expect(ann.page.locator("#told")).not_to_be_empty()
    ann.page.get_by_label("appSecret").fill("another")
    assert f"{workbench.address}/openapi/token/get" in addresses
    told = [one for one in [*addresses, ann.page.url] if workbench.installation.app_secret in one]
    assert not told
    kept = ann.page.evaluate("() => localStorage.length + sessionStorage.length + document.cookie.length")
    assert kept == 0
    weights = ann.page.evaluate(
        "() => performance.getEntriesByType('resource').map(one => [one.name, one.encodedBodySize])"
    )
    assert sum(size for _, size in weights) < 520_000, weights


def test_with_a_slash_behind_it_is_the_same_page(workbench: Workbench) -> None:
    ann = workbench.stranger(LOOKS[0])
    ann.open(f"{DOCS}/")
    expect(ann.page).to_have_url(re.compile(f"{DOCS}$"))
    expect(ann.page.locator(".opblock").first).to_be_visible()
