"""What must be found nowhere, and where it is looked for: in logs, metrics, process lists and messages of errors."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from tests.acceptance.process import Process

LOOKED_FOR = 8  # digits at the end of a number: fewer stand in some moment or id by chance; 4 may be shown
_BETWEEN = r"[\s().-]*"  # what people write between digits
# A query string, as it stands in a request line or an address; source lines of a traceback have none.
_QUERY = re.compile(r"\?[A-Za-z_]+=|[?&](?:accessToken|appId|appSecret|ticket|key|from|text|status)=")


class Private:
    """Collects what is private while a test goes on; `found_in` says what of it a text has."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._numbers: dict[str, re.Pattern[str]] = {}

    def keep(self, text: str, what: str) -> str:
        """A secret, token, name or text, which is answered as it is."""
        assert len(text) >= 2, f"{what} is too short to be looked for"
        self._texts[text] = what
        return text

    def keep_number(self, national: str) -> str:
        """A mobile number of 11 digits, in every spelling: even most of its digits are too much."""
        self._numbers[national] = re.compile(_BETWEEN.join(national[-LOOKED_FOR:]))
        return national

    def found_in(self, text: str) -> list[str]:
        found = [
            f"{what} {one!r}"
            for one, what in self._texts.items()
            if any(form in text for form in (one, quote(one), quote(one, safe="")))
        ]
        found += [f"number {one}" for one, pattern in self._numbers.items() if pattern.search(text)]
        return found

    def queries_in(self, text: str) -> list[str]:
        """Lines that have something of a query string."""
        return [line for line in text.splitlines() if _QUERY.search(line)]


def command_lines(process: Process) -> Iterator[str]:
    """Those of the process and of everything it has started, as the process list shows them to everybody."""
    for pid in (process.popen.pid, *_descendants(process.popen.pid)):
        try:
            yield Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            yield Path(f"/proc/{pid}/comm").read_text()
        except FileNotFoundError:  # it has ended meanwhile
            continue


def _descendants(pid: int) -> Iterator[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for child in map(int, children):
        yield child
        yield from _descendants(child)
