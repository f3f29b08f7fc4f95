"""Writes the parts of the documentation that the server itself answers for: the API reference and the return codes.

`python -m tests.documentation.reference` (make reference) plays every example on a stage and writes what came out
between the two marks of each page; the words around them are written by hand. test_reference.py compares.
"""

import asyncio
import logging
import tempfile
from pathlib import Path
from typing import Any, Final

import structlog

from huiyao.storage import migrate
from tests.documentation.refusals import PROVOKED
from tests.documentation.scenes import CREATE
from tests.documentation.stage import Stage, stage
from tests.documentation.writing import PAGES, Played, Writer

DOCS: Final = Path(__file__).parents[2] / "docs"
BEGIN: Final = "<!-- written by make reference -->"
END: Final = "<!-- end -->"
LANGUAGES: Final = {"": "en", ".zh": "zh"}  # the end of a page's name before .md → its language


async def play() -> Played:
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.db"
        migrate.upgrade(f"sqlite:///{empty}")
        scenes = {}
        for page, listed in PAGES.items():
            async with stage(empty) as made:
                scenes[page] = [(one, await made.run(one.script)) for one in listed]
        async with stage(empty) as made:
            await made.run(CREATE.script)
            refusals = []
            for one in PROVOKED:
                given = await one.prepare(made) if one.prepare else {}
                refusals.append((one, await made.run(one.script, **given)))
            calls = {call.name: call for call in made.world.api.calls}
            return Played(calls, await _documents(made), scenes, refusals)


async def _documents(made: Stage) -> dict[str, dict[str, Any]]:
    found = {}
    for language in LANGUAGES.values():
        answer = await made.world.http.get("openapi.json", params={"lang": language})
        found[language] = answer.json()
    return found


def documents(played: Played) -> dict[Path, str]:
    """Every page with a written part, as it should be."""
    found = {}
    for suffix, language in LANGUAGES.items():
        for page, written in Writer(played, language).pages().items():
            file = DOCS / f"{page}{suffix}.md"
            head, _, rest = file.read_text(encoding="utf-8").partition(BEGIN)
            _, _, tail = rest.partition(END)
            found[file] = f"{head}{BEGIN}\n\n{written}\n\n{END}{tail}"
    return found


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for file, text in documents(asyncio.run(play())).items():
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
