"""A place in a feed, or in a list of meetings, as the opaque text a client hands back."""

import base64
import binascii
import re
import struct
from typing import Final

from huiyao.storage.contract import Position
from huiyao.wire.fields import LARGEST_ID, Fault, Schema

_POSITION = struct.Struct(">QQ")
_CHANGE = struct.Struct(">BQQ")  # a byte longer, so that none of an inbox is taken for it
_MEETING = struct.Struct(">Q")
_CHARACTERS: Final = "[A-Za-z0-9_-]"


def write(position: Position) -> str:
    return _written(_POSITION.pack(position.xid, position.id))


def write_changes(position: Position) -> str:
    """For the feed of changes."""
    return _written(_CHANGE.pack(0, position.xid, position.id))


def write_below(meeting_id: int) -> str:
    """For the meetings with ids below this."""
    return _written(_MEETING.pack(meeting_id))


class Cursor:
    """A cursor of an earlier answer."""

    pattern: Final = f"^{_CHARACTERS}{{22}}$"

    def parse(self, value: object) -> Position:
        return Position(*_read(value, _POSITION, self.pattern))

    def schema(self) -> Schema:
        return {"type": "string", "pattern": self.pattern}


class ChangesCursor:
    """The same for the feed of changes."""

    pattern: Final = f"^{_CHARACTERS}{{23}}$"

    def parse(self, value: object) -> Position:
        return Position(*_read(value, _CHANGE, self.pattern)[1:])

    def schema(self) -> Schema:
        return {"type": "string", "pattern": self.pattern}


class BelowCursor:
    """The same for a list of meetings: the id below which it goes on."""

    pattern: Final = f"^{_CHARACTERS}{{11}}$"

    def parse(self, value: object) -> int:
        return _read(value, _MEETING, self.pattern)[0]

    def schema(self) -> Schema:
        return {"type": "string", "pattern": self.pattern}


def _written(packed: bytes) -> str:
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def _read(value: object, form: struct.Struct, pattern: str) -> tuple[int, ...]:
    """The numbers in a cursor of that form. Raises Fault, for a cursor of another form too."""
    if type(value) is str and re.fullmatch(pattern, value):
        try:
            packed = base64.b64decode(value + "=" * (-form.size % 3), altchars=b"-_", validate=True)
            numbers: tuple[int, ...] = form.unpack(packed)
        except (binascii.Error, ValueError, struct.error):
            pass
        else:
            if max(numbers) <= LARGEST_ID:
                return numbers
    raise Fault("不是有效的游标", "is not a cursor of an earlier answer")
