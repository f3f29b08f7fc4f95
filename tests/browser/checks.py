"""What must be true of every page in every state: accessible, nothing cut off, no picture without a size."""

import re
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe

from tests.browser.browsing import NAMES, Person

RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_AXE: Final = Axe()
_OPTIONS: Final[dict[str, Any]] = {
    "resultTypes": ["violations"],
    "runOnly": {"type": "tag", "values": list(RULES)},
}
_ENGLISH: Final = re.compile(r"[A-Za-z]{2,} [A-Za-z]{2,}[^\n]*")  # two words in a row are no name of ours
_LOOK: Final = """() => ({
  language: document.documentElement.lang,
  title: document.title,
  headings: document.querySelectorAll("h1").length,
  overflow: document.documentElement.scrollWidth - window.innerWidth,
  unsized: [...document.images].filter(one => !one.hasAttribute("width") || !one.hasAttribute("height")).length,
  small: [...document.querySelectorAll(".weui-btn, .tabs a, .shelves a, input.field, select.field, textarea.field")]
    .map(one => [one.textContent.trim(), one.getBoundingClientRect()])
    .filter(([, box]) => box.width && (box.height < 43.5 || box.width < 43.5))
    .map(([text, box]) => `${text} ${Math.round(box.width)}×${Math.round(box.height)}`),
  text: (() => {
    const whole = document.body.cloneNode(true);
    whole.querySelectorAll("[lang], script, pre, code").forEach(one => one.remove());
    return whole.textContent;
  })(),
})"""


def check(person: Person) -> None:
    """Fails where the page as it is now is not good for everybody."""
    person.settled()
    page = person.page
    found = page.evaluate(_LOOK)
    where = f"{page.url} ({person.look})"
    assert found["language"] == person.look.language, where
    assert found["headings"] == 1, f"{found['headings']} first headings: {where}"
    assert found["title"].strip(), where
    assert found["overflow"] <= 0, f"{found['overflow']} pixels too wide: {where}"
    assert found["unsized"] == 0, where
    if person.look.phone:
        assert not found["small"], f"too small for a thumb: {found['small']} {where}"
    if person.look.chinese:
        english = set(_ENGLISH.findall(found["text"])) - set(NAMES["en"])
        assert not english, f"English: {english} {where}"
    if person.look.script:  # axe needs the page's promises; its elements are those of the page with script
        check_access(person)


def check_access(person: Person) -> None:
    """Fails where not everybody can use the page as it is now."""
    violations = _AXE.run(person.page, options=_OPTIONS).response["violations"]
    told = [
        f"{one['id']}: {one['help']}: {node['html'][:200]} {node['failureSummary']}"
        for one in violations
        for node in one["nodes"]
    ]
    assert not told, "\n".join([f"{person.page.url} ({person.look})", *told])
