"""A place in a feed as the opaque text a client hands back."""

import base64
import binascii
import struct

from huiyao.storage.contract import Position
from huiyao.wire.fields import LARGEST_ID, Fault, Schema

_POSITION = struct.Struct(">QQ")


def write(position: Position) -> str:
    return base64.urlsafe_b64encode(_POSITION.pack(position.xid, position.id)).rstrip(b"=").decode()


class Cursor:
    """A cursor of an earlier answer."""

    def parse(self, value: object) -> Position:
        if type(value) is str:
            try:
                packed = base64.b64decode(value + "==", altchars=b"-_", validate=True)
                xid, row_id = _POSITION.unpack(packed)
            except (binascii.Error, ValueError, struct.error):
                pass
            else:
                if max(xid, row_id) <= LARGEST_ID:
                    return Position(xid, row_id)
        raise Fault("不是有效的游标", "is not a cursor of an earlier answer")

    def schema(self) -> Schema:
        return {"type": "string"}
