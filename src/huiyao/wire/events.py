"""Server-sent events of live pages, as the HTML standard has them: what a page is told of messages and meetings."""

from collections.abc import Sequence
from typing import Final

import msgspec

from huiyao.model import Message
from huiyao.storage.contract import Position
from huiyao.wire import cursor

TYPE: Final = "text/event-stream"
# The browser connects again two seconds after a loss. A comment follows, so that a proxy passes the head on at once.
OPENING: Final = b"retry: 2000\n: open\n\n"
# Not so soon, where the stream gave way to another of the same person: they would push each other out for ever.
DISPLACED: Final = b"retry: 60000\n: displaced\n\n"
HEARTBEAT: Final = b":\n\n"

_encode: Final = msgspec.json.Encoder().encode


class NewMessage(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    message_id: int
    kind: str
    meeting_id: int
    text: str
    unread: int  # of the whole inbox


class ChangedMeeting(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    meeting_id: int
    since: int | msgspec.UnsetType = msgspec.UNSET  # whatever changed before this horizon has been told


def message(found: Message, text: str, *, unread: int, position: Position) -> bytes:
    """Its id is the cursor behind it, which the browser hands back as Last-Event-ID."""
    data = _encode(NewMessage(found.id, found.kind, found.meeting_id, text, unread))
    return b"id: %b\nevent: message\ndata: %b\n\n" % (cursor.write(position).encode(), data)


def meetings(changed: Sequence[int], *, since: int) -> bytes:
    """The last one says that all were told."""
    frames = [ChangedMeeting(one) for one in changed[:-1]] + [
        ChangedMeeting(one, since) for one in changed[-1:]
    ]
    return b"".join(b"event: meeting\ndata: %b\n\n" % _encode(frame) for frame in frames)
