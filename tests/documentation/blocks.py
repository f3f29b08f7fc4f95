"""The examples of the documentation: fenced blocks, in the order in which a reader meets them."""

import re
from pathlib import Path
from typing import Final

import msgspec

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
EXECUTED: Final = frozenset({"sh", "python"})
# Shown and not executed here: output, and what belongs to other programs.
SHOWN: Final = frozenset(
    {
        "json",
        "text",
        "console",
        "toml",
        "yaml",
        "ini",
        "nginx",
        "sql",
        "csv",
        "http",
        "xml",
        "java",
        "caddy",
        "postgresql",
    }
)
_FENCE: Final = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMENT: Final = re.compile(r"^\s*#(?!!).*\n|\s+#\s.*", re.MULTILINE)
_WRITTEN: Final = re.compile(r"<!-- written by make reference -->.*?<!-- end -->", re.DOTALL)


class Block(msgspec.Struct, frozen=True):
    language: str
    text: str
    line: int  # of the fence in the page
    follows: bool  # nothing but blank lines stand between the block before and this one

    @property
    def uncommented(self) -> str:
        """What it does in whichever language its comments are."""
        return _COMMENT.sub("", self.text)


def pages() -> list[Path]:
    """Every page of the documentation, and both READMEs; decisions show nothing to be run."""
    found = [*ROOT.glob("README*.md"), *DOCS.glob("*.md"), *DOCS.glob("api/*.md")]
    return sorted(found)


def blocks(page: Path) -> list[Block]:
    """The page's blocks, without those that `make reference` has written, which has run them."""
    text = page.read_text(encoding="utf-8")
    text = _WRITTEN.sub(lambda found: "\n" * found[0].count("\n"), text)
    found: list[Block] = []
    end = 0
    for one in _FENCE.finditer(text):
        follows = bool(found) and not text[end : one.start()].strip()
        found.append(Block(one[1], one[2], text.count("\n", 0, one.start()) + 1, follows))
        end = one.end()
    return found


def matches(shown: str, said: str) -> bool:
    """Whether a program said what is shown, blanks aside; … stands for anything."""
    pattern = ".*?".join(map(re.escape, _packed(shown).split("…")))
    return re.fullmatch(pattern, _packed(said), re.DOTALL) is not None


def _packed(text: str) -> str:
    return "".join(text.split())
