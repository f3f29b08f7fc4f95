"""One person's browser: how it looks at the pages, and everything that went wrong in it."""

import re
import shutil
from collections.abc import Callable
from typing import Any, Final

import msgspec
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Playwright,
    Request,
    Response,
    expect,
)

from huiyao.pages import catalog
from tests.acceptance.process import DEADLINE_SECONDS

NAMES: Final = {
    "zh-CN": ("王芳", "李强", "张敏", "刘洋", "陈静", "杨磊"),
    "en": ("Anna Berg", "Ben Carter", "Clara Diaz", "Dan Evans", "Eva Frank", "Finn Gray"),
}
PHONE: Final = (390, 844)
DESK: Final = (1440, 900)
ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
)
LARGEST_SHIFT: Final = 0.02
# Adds up how far things moved that nobody had touched (web.dev/cls).
_WATCH_SHIFTS: Final = """
window.shifted = 0;
window.shifts = [];
new PerformanceObserver(list => {
  for (const one of list.getEntries()) {
    if (one.hadRecentInput) continue;
    window.shifted += one.value;
    for (const {node, previousRect, currentRect} of one.sources) {
      const [from, to] = [previousRect, currentRect].map(box => `${box.x},${box.y} ${box.width}×${box.height}`);
      window.shifts.push(`${node && (node.outerHTML || node.textContent).slice(0, 80)}: ${from} → ${to}`);
    }
  }
}).observe({type: "layout-shift", buffered: true});
"""
_REPLACED: Final = re.compile("^htmx:(afterRequest|sendAbort),")
_LATIN: Final = re.compile(r"[A-Za-z]{3}")


class Look(msgspec.Struct, frozen=True):
    """What a browser says of itself and its owner."""

    size: tuple[int, int] = PHONE
    language: str = "zh-CN"
    scheme: str = "light"
    script: bool = True

    def __str__(self) -> str:
        return f"{'phone' if self.size == PHONE else 'desk'}-{self.language}-{self.scheme}"

    @property
    def phone(self) -> bool:
        return self.size == PHONE

    @property
    def chinese(self) -> bool:
        return self.language == "zh-CN"

    @property
    def other(self) -> "Look":
        """As unlike as can be: for whoever sits across the table."""
        return Look(
            DESK if self.phone else PHONE,
            "en" if self.chinese else "zh-CN",
            "dark" if self.scheme == "light" else "light",
        )


# Both languages at both sizes; light and dark at both sizes.
LOOKS: Final = (Look(), Look(PHONE, "en", "dark"), Look(DESK, "zh-CN", "dark"), Look(DESK, "en"))


def launch(playwright: Playwright) -> Browser:
    """Debian's Chromium."""
    return playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(ARGUMENTS))


class Person:
    """Somebody at a browser of their own. What goes wrong there is a fault, unless it is `expected`."""

    def __init__(
        self, browser: Browser, address: str, look: Look, *, uid: str = "", name: str = "", **options: Any
    ) -> None:
        self.address = address
        self.look = look
        self.uid = uid
        self.name = name
        self.faults: list[str] = []
        self._expected: list[str] = []
        width, height = look.size
        self.context = browser.new_context(
            locale=look.language,
            viewport={"width": width, "height": height},
            has_touch=look.phone,
            color_scheme="dark" if look.scheme == "dark" else "light",
            reduced_motion="reduce",  # what fades in has no contrast yet
            java_script_enabled=look.script,
            **options,
        )
        self.context.set_default_timeout(DEADLINE_SECONDS * 1000)
        self.context.add_init_script(_WATCH_SHIFTS)
        self.context.on("console", self._on_console)
        self.context.on("weberror", lambda error: self.faults.append(f"error: {error.error}"))
        self.context.on("request", self._on_request)
        self.context.on("requestfailed", self._on_failure)
        self.context.on("response", self._on_response)
        self.page: Page = self.context.new_page()

    def close(self) -> None:
        """Fails where there was a fault, and where one that was expected has not come."""
        if not self.page.is_closed():
            self.page.evaluate("0")  # what the page has said until now is heard
        self.context.close()
        unheard = [
            pattern for pattern in self._expected if not any(re.search(pattern, one) for one in self.faults)
        ]
        found = [one for one in self.faults if not any(re.search(pattern, one) for pattern in self._expected)]
        assert not found, found
        assert not unheard, f"expected, and did not happen: {unheard}"

    def expected(self, *patterns: str) -> None:
        """These faults must happen sooner or later, any number of times."""
        self._expected += patterns

    def open(self, path: str) -> None:
        """Go there, or to a whole address; nothing may jump while the page is being built."""
        self.page.goto(path if path.startswith("http") else f"{self.address}{path}")
        self.settled()
        if self.look.script:
            shifted = float(self.page.evaluate("window.shifted"))
            assert shifted < LARGEST_SHIFT, (
                f"{path} jumps by {shifted}: {self.page.evaluate('window.shifts')}"
            )

    def settled(self) -> None:
        """Until the page listens to its live events, and nothing is being fetched."""
        if self.look.script:
            expect(self.page.locator("body[data-connected], body:not([data-live])")).to_be_attached()
            if self.look.size == DESK:  # the calendar beside the list comes a moment later
                expect(self.page.locator(".beside:empty")).to_have_count(0)
        expect(self.page.locator(".htmx-request")).to_have_count(0)

    def words(self, english: str, **values: Any) -> str:
        """The same in this browser's language."""
        told = catalog.translations(self.look.language).gettext(english)
        assert told != english or not self.look.chinese or not _LATIN.search(english), (
            f"no Chinese: {english}"
        )
        return told % values if values else told

    def by_role(self, role: Any, name: str, *, exact: bool = False, within: Locator | None = None) -> Locator:
        """What a screen reader calls so."""
        return (within or self.page).get_by_role(role, name=self.words(name), exact=exact)

    def press(self, name: str, *, within: Locator | None = None) -> None:
        """The button of that name."""
        self.by_role("button", name, within=within).click()

    def follow(self, name: str, *, within: Locator | None = None) -> None:
        """The link of that name, to the page behind it."""
        self.by_role("link", name, within=within).click()
        self.settled()

    def sees(self, english: str, *, within: Locator | None = None, **values: Any) -> None:
        expect(within or self.page.locator("main")).to_contain_text(self.words(english, **values))

    def is_marked(self, english: str, *, within: Locator | None = None) -> None:
        """The meeting there is in that state; how many have answered so is said elsewhere in like words."""
        states = (within or self.page.locator("main")).locator(".states")
        expect(states.first).to_contain_text(self.words(english))

    def stays(self) -> Callable[[], bool]:
        """Whether the page that is open now still is, unless it was loaded anew."""
        self.page.evaluate("window.stays = true")
        return lambda: self.page.evaluate("window.stays === true") is True

    def _on_console(self, message: ConsoleMessage) -> None:
        # htmx reports as an error, too, that a newer request has taken the place of one under way.
        if message.type in ("error", "warning") and not _REPLACED.search(message.text):
            self.faults.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.address}/", "data:")):
            self.faults.append(f"another host: {request.url}")

    def _on_failure(self, request: Request) -> None:
        # A page that is left takes its stream and whatever it was fetching along.
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"failed: {request.url} {request.failure}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"status {response.status}: {response.url}")
        try:
            document = response.request.resource_type == "document"
            policy = response.headers.get("content-security-policy", "")
        except Error:  # the page has gone
            return
        if document and "default-src 'none'" not in policy:
            self.faults.append(f"no policy: {response.url}")
