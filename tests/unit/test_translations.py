"""Each page of the documentation says the same in Chinese: the same parts, the same examples, the same names."""

import re
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from docs.site.pages import unwrapped

DOCS: Final = Path(__file__).parents[2] / "docs"
# What stands in backticks: names, which no language changes.
_NAME: Final = re.compile(r"`([^`]+)`")
_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMENT: Final = re.compile(r"^\s*#(?!!).*\n|\s+#\s.*", re.MULTILINE)
_LINK: Final = re.compile(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)")


def pages() -> list[str]:
    """The names of all pages, but for decisions and the proof, which a program writes: they are in English alone."""
    found = (
        file.relative_to(DOCS).as_posix() for folder in ("", "api") for file in (DOCS / folder).glob("*.md")
    )
    return sorted(name.removesuffix(".md") for name in found if not name.endswith((".zh.md", "proof.md")))


def read(name: str, end: str) -> str:
    return (DOCS / f"{name}{end}").read_text(encoding="utf-8")


def examples(text: str) -> list[tuple[str, str]]:
    """Language and text of each block, without its comments."""
    return [(language, _COMMENT.sub("", block)) for language, block in _FENCE.findall(text)]


def prose(text: str) -> str:
    return _FENCE.sub("", text)


def headings(text: str) -> list[str]:
    return [found[1] for found in re.finditer(r"^(#+) ", prose(text), re.MULTILINE)]


def rows(text: str) -> list[int]:
    """Of each table, how many rows it has."""
    return [table.count("\n") for table in re.findall(r"(?:^\|.*\n)+", prose(text), re.MULTILINE)]


def names(text: str) -> set[str]:
    """Those that are for programs; some are written with a word of the language where a value goes."""
    found = (" ".join(one.split()) for one in _NAME.findall(prose(text)))
    return {one for one in found if one.isascii() and "<" not in one}


def targets(text: str) -> list[str]:
    """What it links to; a page in whichever language."""
    return [found[1].replace(".zh.md", ".md") for found in _LINK.finditer(prose(text))]


def anchors(text: str) -> set[str]:
    """What headings are called in an address, as GitHub calls them."""
    names = re.findall(r"^#+ (.*)", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-") for name in names}


@pytest.mark.parametrize("name", pages())
def test_a_page_is_there_in_chinese_with_the_same_parts(name: str) -> None:
    english, chinese = read(name, ".md"), read(name, ".zh.md")
    assert headings(chinese) == headings(english)
    assert rows(chinese) == rows(english)


@pytest.mark.parametrize("name", pages())
def test_a_page_shows_the_same_examples_in_chinese(name: str) -> None:
    for chinese, english in zip(examples(read(name, ".zh.md")), examples(read(name, ".md")), strict=True):
        assert chinese == english


@pytest.mark.parametrize("name", pages())
def test_a_page_names_the_same_things_in_chinese(name: str) -> None:
    english, chinese = read(name, ".md"), read(name, ".zh.md")
    assert names(english) <= names(chinese)
    # Chinese may set off as a name what is a word of the sentence in English.
    assert all(one in english for one in names(chinese) - names(english))


@pytest.mark.parametrize("name", pages())
def test_a_page_links_to_the_same_pages_in_chinese(name: str) -> None:
    assert Counter(targets(read(name, ".zh.md"))) == Counter(targets(read(name, ".md")))


@pytest.mark.parametrize("end", [".md", ".zh.md"])
@pytest.mark.parametrize("name", pages())
def test_every_link_of_a_page_leads_to_a_heading_in_its_own_language(name: str, end: str) -> None:
    page = DOCS / f"{name}{end}"
    for link in _LINK.finditer(prose(read(name, end))):
        file = (page.parent / link[1]).resolve() if link[1] else page
        assert file.exists(), link[0]
        if end == ".zh.md" and file.suffix == ".md" and file.with_suffix(".zh.md").exists():
            assert file.name.endswith(".zh.md"), link[0]
        if link[2] and file.suffix == ".md":
            assert link[2].removeprefix("#") in anchors(file.read_text(encoding="utf-8")), link[0]


@pytest.mark.parametrize("name", pages())
def test_chinese_pages_are_in_chinese(name: str) -> None:
    """Each paragraph has Chinese in it: none was left in English."""
    paragraphs = [one for one in prose(read(name, ".zh.md")).split("\n\n") if re.search(r"[a-z]{4}", one)]
    for one in paragraphs:
        words = re.sub(r"`[^`]*`|\([^)]*\)|<[^>]*>|\$\{\w+\}", "", one)
        assert re.search(r"[\u4e00-\u9fff]", words) or not re.search(
            r"[a-z]{4,} [a-z]{3,} [a-z]{3,}", words
        ), one


def test_the_site_shows_no_blank_where_a_chinese_line_was_wrapped() -> None:
    example = "```sh\n# 注释。\necho 一\n# 二\n```\n"
    wrapped = f"会邀把邀请送进\n收件箱，\n`huiyao` 收集答复。\n\n- 一，\n  二\n- 三\n\n{example}"
    assert unwrapped(wrapped) == f"会邀把邀请送进收件箱，`huiyao` 收集答复。\n\n- 一，二\n- 三\n\n{example}"
