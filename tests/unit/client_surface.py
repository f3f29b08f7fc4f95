"""Writes the client's surface for threads from the one for asyncio: the same words without the async. `make client`."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

CLIENT: Final = Path(__file__).parents[2] / "src" / "huiyao" / "client"
SOURCE: Final = CLIENT / "asynchronous.py"
WRITTEN: Final = CLIENT / "synchronous.py"
HEAD: Final = (
    '"""The surface for threads, written from asynchronous.py by `make client`: change that file."""\n'
)

CHANGES: Final = (
    (r'\A""".*?"""\n', HEAD),
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\b__a(enter|exit)__", r"__\1__"),
    (r"\bhttpx\.AsyncClient\b", "httpx.Client"),
    (r"\bAsyncGround\b", "SyncGround"),
    (r"\bAsync(?=Huiyao|Person|Iterator)", ""),
    (r"for card in page\.items:\n +yield card", "yield from page.items"),
    (r"\btasks at once\b", "threads at once"),
)


def written(source: str) -> str:
    """The surface for threads, formatted as all code is."""
    for old, new in CHANGES:
        source = re.sub(old, new, source, flags=re.DOTALL)
    for arguments in (("check", "--select", "I", "--fix-only", "--quiet"), ("format", "--quiet")):
        source = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", str(WRITTEN), "-"],
            input=source,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    return source


def main() -> None:
    WRITTEN.write_text(written(SOURCE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote {WRITTEN}")


if __name__ == "__main__":
    main()
