"""The written parts of the reference in one language: what was played, as Markdown."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from huiyao.openapi import chinese
from huiyao.openapi.call import Call, Style
from huiyao.wire.fields import Boolean, Choice, Integer, Key, List, Moment, Object, Text, Visible
from tests.documentation.refusals import Provoked
from tests.documentation.scenes import MEETING, ORGANISING, PERSONAL, TOKEN, Scene, laid_out
from tests.documentation.stage import Answer

PAGES: Final = {
    "api/token": TOKEN,
    "api/workbench": ORGANISING,
    "api/personal": PERSONAL,
    "api/meeting": MEETING,
}
_NO_END: Final = 10**15  # a bound above this is no bound that anybody meets
# Parameters that all calls have, of which api/index tells.
_EVERYWHERE: Final = frozenset({"Accept-Language", "X-Request-Id", "orgId", "orgSecret"})
# Random parts of answers, which stand on the page as …
_RANDOM: Final = (
    (re.compile(r'("accessToken":"\w+_)[0-9a-f]{32,}"'), r'\1…"'),
    (re.compile(r'("jsapiTicket":)"\w+"'), r'\1"…"'),
    (re.compile(r'("(?:ticket|url)":"[^"]*?85161-)[\w-]+"'), r'\1…"'),
)
_WORDS: Final = {
    "parameter": "参数",
    "needed or default": "必填或默认值",
    "form": "形式",
    "meaning": "含义",
    "yes": "是",
    "header": "请求头",
    "query": "查询参数",
    "Return codes": "返回码",
    "beside those of every call": "以及各接口共有的",
    "call": "接口",
    "what it does": "作用",
    "object": "对象",
    "true or false": "true 或 false",
    "moment": "时刻",
    "id": "id",
    "whole number": "整数",
    "cursor": "游标",
    "text": "文本",
    "Of every call but token/get": "除 token/get 外各接口共有的返回码",
    "Remedy": "处理",
}


class Played(msgspec.Struct, frozen=True):
    """Everything that the stage has answered, and what it says of itself in both languages."""

    calls: dict[str, Call]
    documents: dict[str, dict[str, Any]]  # by language
    scenes: dict[str, list[tuple[Scene, Answer]]]  # by page
    refusals: list[tuple[Provoked, Answer]]


class Writer:
    """What was played, in one language."""

    def __init__(self, played: Played, language: str) -> None:
        self._played = played
        self._chinese = language == "zh"
        self._document = played.documents[language]
        self._colon = "：" if self._chinese else ": "
        self._suffix = ".zh" if self._chinese else ""
        self._common = set.intersection(
            *(self._codes(call) for call in played.calls.values() if call.style is not Style.TOKEN)
        )

    def pages(self) -> dict[str, str]:
        """The written part of each page."""
        written = {page: self._calls(page) for page in PAGES}
        return written | {"api/index": self._table(), "return-codes": self._refusals()}

    def _say(self, word: str) -> str:
        return _WORDS[word] if self._chinese else word

    def _operation(self, call: Call) -> dict[str, Any]:
        found: dict[str, Any] = self._document["paths"][call.path][call.method.lower()]
        return found

    def _codes(self, call: Call) -> set[int]:
        examples = self._operation(call)["responses"]["200"]["content"]["application/json"]["examples"]
        return {one["value"]["status"] for one in examples.values()} - {0}

    def _links(self, codes: Iterable[int], folder: str = "../") -> str:
        page = f"{folder}return-codes{self._suffix}.md"
        return " · ".join(f"[{code}]({page}#{anchor(code)})" for code in sorted(codes))

    def _table(self) -> str:
        lines = [f"| {self._say('call')} | {self._say('what it does')} |", "|---|---|"]
        for page, listed in PAGES.items():
            for scene in listed:
                if scene.call:
                    call = self._played.calls[scene.call]
                    file = f"{page.removeprefix('api/')}{self._suffix}.md"
                    link = f"[`{call.method} {call.name}`]({file}#{call.short_name})"
                    lines.append(f"| {link} | {self._operation(call)['summary']} |")
        common = f"{self._say('Of every call but token/get')}{self._colon}{self._links(self._common)}"
        return "\n".join([*lines, "", common])

    def _calls(self, page: str) -> str:
        return "\n\n".join(
            self._call(self._played.calls[scene.call], scene, answer)
            for scene, answer in self._played.scenes[page]
            if scene.call
        )

    def _call(self, call: Call, scene: Scene, answer: Answer) -> str:
        operation = self._operation(call)
        codes = self._codes(call)
        own = codes - self._common if codes >= self._common else codes
        beside = f"[{self._say('beside those of every call')}](index{self._suffix}.md#{self._common_anchor})"
        tail = beside if codes >= self._common else ""
        comma = "，" if self._chinese else ", "
        described = f"{operation['summary']}{'。' if self._chinese else '.'}"
        return "\n\n".join(
            [
                f"## {call.short_name}",
                f"`{call.method} {call.path}`",
                " ".join([described, *([operation["description"]] if "description" in operation else [])]),
                "\n".join(self._parameters(call, operation)),
                fenced("sh", scene.script),
                fenced("json", shown(answer)),
                f"{self._say('Return codes')}{self._colon}"
                + comma.join(part for part in (self._links(own), tail) if part),
            ]
        )

    @property
    def _common_anchor(self) -> str:
        return "全部接口" if self._chinese else "all-calls"

    def _parameters(self, call: Call, operation: dict[str, Any]) -> Iterable[str]:
        yield "| " + " | ".join(map(self._say, ("parameter", "needed or default", "form", "meaning"))) + " |"
        yield "|---|---|---|---|"
        yes = self._say("yes")
        seen = set()
        for one in operation["parameters"]:
            if (
                one["name"] in _EVERYWHERE
                or one["name"] in seen
                or one["description"] in ("Not looked at.", "不使用。")
            ):
                continue
            seen.add(one["name"])
            needed = yes if one["required"] or one["name"] in ("appId", "appSecret") else ""
            place = " / ".join(
                self._say(each["in"]) for each in operation["parameters"] if each["name"] == one["name"]
            )
            form = self._say(
                "text" if one["name"] in ("appSecret", "uid", "name", "Idempotency-Key") else "whole number"
            )
            yield f"| `{one['name']}` {self._in_brackets(place)} | {needed} | {form} | {one['description']} |"
        for name, key in _flat(call.body) if call.body else ():
            doc = chinese.say(key.doc) if self._chinese else key.doc
            needed = (
                yes if key.required else "" if key.default in (None, "") else f"`{json.dumps(key.default)}`"
            )
            yield f"| `{name}` | {needed} | {self._form(key.field)} | {doc} |"

    def _in_brackets(self, text: str) -> str:
        return f"（{text}）" if self._chinese else f"({text})"

    def _form(self, field: object) -> str:
        """What a value may be, in a few words."""
        zh = self._chinese
        match field:
            case Text() | Visible():
                limit = f"{field.limit:,}"
                return f"文本，最多 {limit} 个字符" if zh else f"text, {limit} characters at the most"
            case Choice():
                return " / ".join(f'`"{word}"`' for word in field.words)
            case Integer() if field.high > _NO_END:
                return self._say("id" if field.low else "whole number")
            case Integer():
                return f"{self._say('whole number')}{'，' if zh else ', '}{field.low}–{field.high:,}"
            case Moment():
                return self._say("moment")
            case Boolean():
                return self._say("true or false")
            case List():
                return f"数组，1–{field.limit:,} 项" if zh else f"array, 1–{field.limit:,} entries"
            case Object():
                return self._say("object")
        return self._say("cursor")

    def _refusals(self) -> str:
        by_code: dict[int, list[str]] = {}
        for one, answer in sorted(self._played.refusals, key=lambda played: played[0].error.code):
            by_code.setdefault(one.error.code, []).append(self._refusal(one, answer))
        return "\n\n".join(f"### {code}\n\n" + "\n\n".join(parts) for code, parts in by_code.items())

    def _refusal(self, one: Provoked, answer: Answer) -> str:
        kind = one.error
        extra = f"HTTP {kind.http_status}" if kind.http_status != 200 else ""
        retry = f"`Retry-After: {answer.retry_after}`" if answer.retry_after else ""
        remedy = chinese.say(kind.remedy) if self._chinese else kind.remedy
        heading = f"**{_plain(kind.zh if self._chinese else kind.en)}**"
        other = _plain(kind.en if self._chinese else kind.zh)
        return "\n\n".join(
            [
                " · ".join(part for part in (heading, other, extra, retry) if part),
                f"{self._say('Remedy')}{self._colon}{remedy}",
                *filter(None, [one.note[self._chinese]]),
                fenced("sh", one.script),
                fenced("json", shown(answer)),
            ]
        )


def anchor(code: int) -> str:
    """Of the section on a return code, as GitHub and the site both make it from the heading."""
    return f"{code}"


def fenced(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def shown(answer: Answer) -> str:
    """An answer as the page shows it: in lines, and without what is random."""
    text = answer.text
    for pattern, written in _RANDOM:
        text = pattern.sub(written, text)
    return "\n".join(laid_out(json.loads(line)) for line in text.splitlines() if line)


def _plain(message: str) -> str:
    """A message without the names of what is put in."""
    return re.sub(r"\{\w+\}", "…", message)


def _flat(form: Object[Any], before: str = "") -> Iterable[tuple[str, Key]]:
    for key in form.keys:
        name = before + key.name
        yield name, key
        inner = key.field.item if isinstance(key.field, List) else key.field
        if isinstance(inner, Object):
            yield from _flat(inner, f"{name}{'[]' if inner is not key.field else ''}.")
