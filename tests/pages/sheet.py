"""A form of a page as a browser without script sends it: what it holds, what is changed, and the button pressed."""

import json
from html.parser import HTMLParser
from typing import Any

import httpx

from tests.pages.house import SAME_ORIGIN, Browser


class Sheet:
    """The form with this id, or whose action ends with this; its fields in order."""

    def __init__(self, page: str, form: str = "organize") -> None:
        reader = _Reader(form)
        reader.feed(page)
        assert reader.action is not None, f"no form {form}"
        self.action = reader.action
        self.pairs = reader.pairs
        self.buttons = reader.buttons

    def get(self, name: str) -> str | None:
        return next((value for field, value in reversed(self.pairs) if field == name), None)

    def all(self, name: str) -> list[str]:
        return [value for field, value in self.pairs if field == name]

    def people(self) -> list[tuple[str, str]]:
        """Uid and name of each who is invited."""
        return [(uid, name) for uid, name in map(json.loads, self.all("person"))]

    def fill(self, **values: str | None) -> "Sheet":
        """Other values; None takes a field away, as an unticked box does."""
        for name, value in values.items():
            self.pairs = [pair for pair in self.pairs if pair[0] != name]
            if value is not None:
                self.pairs.append((name, value))
        return self

    def invite(self, *uids: str) -> "Sheet":
        """As the script adds people."""
        self.pairs += [("person", json.dumps([uid, f"{uid} as given"])) for uid in uids]
        return self

    async def press(self, browser: Browser, name: str = "do", value: str = "save") -> httpx.Response:
        assert (name, value) in self.buttons, f"no button {name}={value} among {self.buttons}"
        fields: dict[str, Any] = {}
        for field, text in [*self.pairs, (name, value)]:
            fields.setdefault(field, []).append(text.replace("\n", "\r\n"))
        return await browser.post(self.action, data=fields, headers=SAME_ORIGIN)


class _Reader(HTMLParser):
    def __init__(self, form: str) -> None:
        super().__init__()
        self.wanted = form
        self.action: str | None = None
        self.pairs: list[tuple[str, str]] = []
        self.buttons: list[tuple[str, str]] = []
        self._inside = False
        self._unused = 0  # depth of <template>
        self._text: str | None = None
        self._select = ""
        self._options: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            action = given.get("action") or ""
            self._inside = given.get("id") == self.wanted or action.endswith(self.wanted)
            if self._inside:
                self.action = action
        elif tag == "template":
            self._unused += 1
        if not self._inside or self._unused:
            return
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "input" and given.get("type") in ("checkbox", "radio"):
            if "checked" in given:
                self.pairs.append((name, value))
        elif tag == "input":
            self.pairs.append((name, value))
        elif tag == "textarea":
            self.pairs.append((name, ""))
            self._text = ""
        elif tag == "select":
            self._select, self._options = name, []
        elif tag == "option":
            self._options.append((value, "selected" in given))
        elif tag == "button" and "disabled" not in given:
            self.buttons.append((name, value))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "template":
            self._unused -= 1
        elif tag == "textarea" and self._text is not None:
            name, _ = self.pairs.pop()
            self.pairs.append((name, self._text.removeprefix("\n")))
            self._text = None
        elif tag == "select" and self._select:
            chosen = [value for value, selected in self._options if selected]
            self.pairs.append((self._select, chosen[-1] if chosen else self._options[0][0]))
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text += data
