"""What live pages ask: how far the feeds go, and who has something new in them.

A transaction's number is taken in the transaction itself and there is one writer, so all below the next is there.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from huiyao.storage.contract import SCANNED_ENTRIES, News
from huiyao.storage.sqlite.reads import snapshot
from huiyao.storage.sqlite.writer import Writer

_HORIZON: Final = "SELECT value + 1 FROM counter WHERE name = 'xid'"
# One key lookup for each of the given; a join could begin with the messages.
_PEOPLE: Final = """
    SELECT given.value FROM json_each(?) AS given
    WHERE EXISTS (SELECT 1 FROM message WHERE org_id = ? AND uid = given.value AND xid >= ? AND xid < ?)
"""
_MEETINGS: Final = (
    "SELECT meeting_id FROM history WHERE org_id = ? AND xid >= ? AND xid < ? AND kind <> 'missed' LIMIT ?"
)

_json = msgspec.json.Encoder().encode


class Live:
    """The part of the storage that live pages ask."""

    _reader: sqlite3.Connection
    _writer: Writer
    _watching: list[Callable[[], None]]

    async def horizon(self) -> int:
        with snapshot(self._reader) as reader:
            (found,) = reader.execute(_HORIZON).fetchone()
        return int(found)

    async def news(
        self, org_id: int, uids: Sequence[str], meetings: Sequence[int], *, since: int, until: int
    ) -> News:
        told: list[tuple[str]] = []
        changed: frozenset[int] = frozenset()
        with snapshot(self._reader) as reader:
            if uids:
                told = reader.execute(_PEOPLE, (_json(uids).decode(), org_id, since, until)).fetchall()
            if meetings:
                window = (org_id, since, until, SCANNED_ENTRIES + 1)
                entries = reader.execute(_MEETINGS, window).fetchall()
                changed = frozenset(meetings)
                if len(entries) <= SCANNED_ENTRIES:
                    changed &= {meeting_id for (meeting_id,) in entries}
        return News(frozenset(uid for (uid,) in told), changed)

    async def watch(self, wake: Callable[[], None]) -> None:
        self._watching.append(wake)

    def _on_feed(self) -> None:
        for wake in self._watching:
            wake()
