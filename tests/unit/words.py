"""The pages' words: what stands in templates and code, and the Chinese catalogue. `make words` brings it up to date."""

import io
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.pofile import read_po, write_po

from huiyao.pages.catalog import CATALOG

HEALTH: Final = (
    Path(__file__).parents[2] / "src" / "huiyao" / "service" / "health.py"
)  # what `huiyao doctor` finds
SAYING: Final = {"say": (3,)}  # in it, the words are the third argument
SOURCE: Final = Path(__file__).parents[2] / "src" / "huiyao" / "pages"
METHODS: Final = [("templates/**.html", "jinja2"), ("**.py", "python")]
OPTIONS: Final = {"templates/**.html": {"newstyle_gettext": "true"}}
HEADER: Final = """\
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Language: zh_CN\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

"""


def used() -> Catalog:
    """Every word of the pages."""
    found = Catalog(locale="zh_CN", fuzzy=False)
    for _, _, words, comments, context in extract_from_dir(SOURCE, METHODS, OPTIONS):
        found.add(words, "", [], context=context, auto_comments=comments)
    for _, words, _, _ in extract_from_file("python", HEALTH, keywords=SAYING):
        found.add(words, "", [])
    return found


def kept() -> Catalog:
    with CATALOG.open("rb") as file:
        return read_po(file, locale="zh_CN")


def key(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def main() -> None:
    known = {key(one): one.string for one in kept() if one.id}
    new = Catalog(locale="zh_CN", fuzzy=False)
    missing = []
    for one in used():
        if one.id:
            new.add(one.id, known.get(key(one), ""), flags=one.flags)
            if key(one) not in known:
                missing.append(key(one))
    text = io.BytesIO()
    write_po(text, new, sort_output=True, omit_header=True, no_location=True, width=110)
    CATALOG.write_text(HEADER + text.getvalue().decode().lstrip("\n"), encoding="utf-8")
    print(f"{len(new)} words in {CATALOG}, {len(missing)} without Chinese")
    for one_missing in missing:
        print(f"  {one_missing}")


if __name__ == "__main__":
    main()
