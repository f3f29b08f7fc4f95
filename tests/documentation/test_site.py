"""The documentation site builds without a warning, in both languages, and no browser has to ask another host for it."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import pytest

from docs.site.build import LANGUAGES, build, fetched_from_elsewhere, untranslated
from docs.site.pages import ENGLISH_ONLY
from docs.site.searching import SearchPairs
from tests.documentation.blocks import ROOT

BUILD_SECONDS: Final = 100


class Page(HTMLParser):
    """What a page links to, and where in it one can link to."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places = {""}
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.add(value)
            if name == "id" and value:
                self.places.add(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "docs.site.build", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(folder / "index.html") in done.stdout
    return folder


def test_it_builds_and_every_link_leads_somewhere(site: Path) -> None:
    pages = {file: Page(file) for file in site.rglob("*.html")}
    assert len(pages) > 40
    for file, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            assert target.exists(), (file, link)
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].places, (file, link)


def test_both_languages_have_the_same_pages_and_lead_to_each_other(site: Path) -> None:
    english, chinese = (
        {file.relative_to(site / language).as_posix() for file in (site / language).rglob("*.html")}
        for language in LANGUAGES
    )
    assert {name for name in english if not name.startswith(ENGLISH_ONLY)} == chinese
    assert '<html class="no-js" lang="zh-CN"' in (site / "zh/index.html").read_text("utf-8")
    for language, other in (LANGUAGES, LANGUAGES[::-1]):
        for name in chinese - {"search.html"}:
            links = Page(site / language / name).links
            assert f"{'../' * name.count('/')}../{other}/{name}" in links, (language, name)


def test_nothing_is_fetched_from_another_host(site: Path, tmp_path: Path) -> None:
    assert fetched_from_elsewhere(site) == []
    for number, html in enumerate(
        (
            '<script async src="https://cdn.example/x.js"></script>',
            "<img alt='' src=//img.example/x.png>",
            '<link rel="stylesheet" href="http://fonts.example/x.css">',
            "<style>@font-face { src: url(https://fonts.example/x.woff2) }</style>",
        )
    ):
        (tmp_path / f"{number}.html").write_text(html)
    (tmp_path / "link.html").write_text('<a href="https://www.standardwebhooks.com">there</a>')
    assert len(fetched_from_elsewhere(tmp_path)) == 4


def test_chinese_is_found_by_pairs_of_characters_and_codes_by_their_heading(site: Path) -> None:
    assert SearchPairs({}).split("短信回执 Kannel") == ["短信", "信回", "回执", "Kannel"]
    index = (site / "zh/searchindex.js").read_text("utf-8")
    assert json.dumps("回执") in index
    assert '"4605"' in index
    assert "splitQuery" in (site / "zh/_static/language_data.js").read_text("utf-8")


def test_a_page_that_only_one_language_has_is_named(tmp_path: Path) -> None:
    for name in ("a.md", "a.zh.md", "b.md", "c.zh.md", "decisions/0001.md", "site/x.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert untranslated(tmp_path) == ["b.md", "c.md"]


def test_a_folder_that_is_no_site_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    assert build(tmp_path) == [f"{tmp_path} is something else than a site, and is left alone"]
    assert (tmp_path / "mine").exists()


def test_a_wrong_link_fails_the_build(tmp_path: Path) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    (source / "index.md").write_text("# One\n\n[two](two.md)\n")
    (source / "index.zh.md").write_text("# 一\n\n## 小节\n\n[二](#小节)\n")
    done = subprocess.run(
        [sys.executable, "-m", "docs.site.build", str(tmp_path / "site"), str(source)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 1
    assert re.search(r"index\.md:3: WARNING: .*two\.md", done.stderr), done.stderr
