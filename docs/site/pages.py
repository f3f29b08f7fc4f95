"""What the site adds to the pages as they are read on GitHub: the navigation, ways from Chinese pages to English ones,
and what the theme says in Chinese.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sphinx.application import Sphinx
from sphinx.locale import _ as translated

# (English, Chinese) heading of a part of the navigation, and its pages
PARTS: Final[tuple[tuple[tuple[str, str], tuple[str, ...]], ...]] = (
    (("Begin", "开始"), ("quickstart-integrator", "quickstart-member", "quickstart-operator")),
    (
        ("Integrating", "集成"),
        (
            *("api/index", "api/token", "api/workbench", "api/personal", "api/meeting"),
            *("return-codes", "states", "client", "callbacks", "synchronising"),
        ),
    ),
    (("Taking part", "参会"), ("workbench",)),
    (
        ("Operating", "运维"),
        (
            *("operating", "sizing", "service", "proxy", "postgresql", "failover", "backup", "upgrade"),
            *("monitoring", "settings", "commands", "sms"),
        ),
    ),
    (("About", "关于"), ("proof", "glossary", "decisions/index")),
)
ENGLISH_ONLY: Final = ("decisions/", "proof")  # how the names begin of pages that are not translated
# Words of the theme that Sphinx has not in Chinese.
_WORDS: Final = {
    "Next": "下一页",
    "Previous": "上一页",
    "Home": "首页",
    "Back to top": "回到顶部",
    "Skip to content": "跳到正文",
    "Made with ": "生成工具：",
}
_LINK: Final = re.compile(r"\]\((?P<path>[\w./-]+?)\.md(?P<anchor>#[\w-]+)?\)")

_FENCES: Final = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_CJK: Final = r"\u3000-\u303f\u4e00-\u9fff\uff00-\uffef"
# The end of a line where a browser would show a blank that Chinese does not have.
_WRAPPED: Final = re.compile(
    rf"(?<=[\u4e00-\u9fff])\n *(?=[{_CJK}])|(?<=[\u3000-\u303f\uff00-\uffef])\n *(?=[{_CJK}A-Za-z\[`])"
)


def navigation(pages: set[str], *, chinese: bool) -> str:
    """Markdown for the end of the first page. A page that stands nowhere here is one Sphinx complains of."""
    written = []
    for headings, listed in PARTS:
        lines = [f"/{page}" for page in listed if page in pages]
        written.append(
            "\n".join(["```{toctree}", ":hidden:", f":caption: {headings[chinese]}", "", *lines, "```"])
        )
    return "\n\n" + "\n\n".join(written) + "\n"


def unwrapped(text: str) -> str:
    """A Chinese page with its wrapped lines joined where the break would show as a blank; examples stay."""
    parts = _FENCES.split(text)
    return "".join(part if number % 2 else _WRAPPED.sub("", part) for number, part in enumerate(parts))


def to_english(text: str, folder: Path, root: Path) -> str:
    """A Chinese page with links to pages that only English has turned to the English site beside it."""

    def link(found: re.Match[str]) -> str:
        path = found["path"]
        file = (folder / f"{path}.md").resolve()
        if path.endswith(".zh") or not file.is_relative_to(root) or not file.exists():
            return found[0]
        up = "../" * len(folder.relative_to(root).parts)
        page = file.relative_to(root).with_suffix(".html").as_posix()
        anchor = (found["anchor"] or "#").removeprefix("#")
        return f"](english:{up}../en/{page}#{anchor})"

    return _LINK.sub(link, text)


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    chinese = app.config.language != "en"
    root = Path(app.srcdir)
    if chinese:
        source[0] = unwrapped(source[0])
        source[0] = to_english(source[0], (root / name).parent, root)
    if name == app.config.root_doc:
        source[0] += navigation(set(app.env.found_docs), chinese=chinese)
    if name == "decisions/index":
        source[0] += "\n\n```{toctree}\n:glob:\n\n/decisions/0*\n```\n"


def _say(text: str) -> str:
    """A word of the theme, which may stand on a line of its own in a template."""
    return _WORDS.get(text) or _WORDS.get(text.strip()) or translated(text)


def _context(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Where the page is in the other language: the same page, or the first one."""
    other = "en" if app.config.language != "en" else "zh"
    if other == "en":
        say: Callable[[str], str] = _say
        context |= {"_": say, "gettext": say}
    there = "index" if page.startswith(ENGLISH_ONLY) and other == "zh" else page
    context["other_language_page"] = f"{'../' * page.count('/')}../{other}/{there}.html"


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", _read)
    app.connect("html-page-context", _context)
    return {"parallel_read_safe": True}
