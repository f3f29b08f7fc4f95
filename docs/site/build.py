"""Builds the documentation site into site/, both languages; any warning, broken link or missing translation fails it.

python -m docs.site.build [DIRECTORY]
"""

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Final

from sphinx.cmd.build import build_main

from docs.site.pages import ENGLISH_ONLY

DOCS: Final = Path(__file__).parents[1]
LANGUAGES: Final = ("en", "zh")
FIRST_PAGE: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Huiyao 会邀</title>
<script>location.replace(`${navigator.language.startsWith("zh") ? "zh" : "en"}/index.html`)</script>
<p><a href="en/index.html">English</a> · <a href="zh/index.html" lang="zh-CN">中文</a></p>
</html>
"""
# What a browser fetches by itself when it shows a page; links that somebody has to follow are not among it.
_FETCHED: Final = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed|object)\b[^>]*?\b(?:src|data)=["']?(?:https?:)?//"""
    r"""|<link\b[^>]*?\bhref=["']?(?:https?:)?//|@import\s|url\(\s*["']?(?:https?:)?//""",
    re.IGNORECASE,
)


def untranslated(docs: Path = DOCS) -> list[str]:
    """Pages that one language has and the other has not."""
    chinese = {file.relative_to(docs).as_posix() for file in docs.rglob("*.zh.md")}
    english = {file.relative_to(docs).as_posix() for file in docs.rglob("*.md")} - chinese
    english = {name for name in english if not name.startswith((*ENGLISH_ONLY, "site/"))}
    return sorted({name.replace(".zh.md", ".md") for name in chinese} ^ english)


def fetched_from_elsewhere(site: Path) -> list[str]:
    """Files of the site that make a browser ask another host for something."""
    files = (file for kind in ("html", "css", "svg") for file in site.rglob(f"*.{kind}"))
    return sorted(str(file) for file in files if _FETCHED.search(file.read_text(encoding="utf-8")))


def build(site: Path, docs: Path = DOCS) -> list[str]:
    """What is wrong, one line each; nothing if the site stands."""
    if site.exists() and any(site.iterdir()) and not (site / LANGUAGES[0]).is_dir():
        return [f"{site} is something else than a site, and is left alone"]
    wrong = [f"{name} is not there in both languages" for name in untranslated(docs)]
    shutil.rmtree(site, ignore_errors=True)
    for language in LANGUAGES:
        os.environ["DOCS_LANGUAGE"] = language
        place = ("-d", str(site / ".doctrees" / language), str(docs), str(site / language))
        if build_main(
            ["-b", "html", "-c", str(Path(__file__).parent), "-W", "--keep-going", "-n", "-q", *place]
        ):
            wrong.append(f"Sphinx is not content with {language}")
    shutil.rmtree(site / ".doctrees", ignore_errors=True)
    if not wrong:
        (site / "index.html").write_text(FIRST_PAGE, encoding="utf-8")
    return wrong + [f"{file} fetches from another host" for file in fetched_from_elsewhere(site)]


def main() -> None:
    given = [Path(one) for one in sys.argv[1:]]
    site = given[0] if given else Path("site")
    wrong = build(site, *given[1:2])
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"The documentation is at {(site / 'index.html').resolve()}")


if __name__ == "__main__":
    main()
