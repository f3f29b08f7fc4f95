"""The forms in which a call names its organisation (contract section 2): digits, or base64 around the id."""

import base64
import binascii
import struct

from huiyao.wire.fields import LARGEST_ID

_ORG_ID = struct.Struct("<2xq")  # bytes 2 to 9 are the id
_ORG_SECRET = struct.Struct("<hqq")  # site, scope, organisation


def from_org_id(value: object) -> int | None:
    """The id in an orgId, header or body field; None for what is of neither form."""
    if type(value) is int:
        return value if 0 < value <= LARGEST_ID else None
    if type(value) is float and value.is_integer():
        return from_org_id(int(value))
    if type(value) is not str:
        return None
    packed = _digits_or_bytes(value, _ORG_ID.size)
    return _ORG_ID.unpack(packed)[0] if isinstance(packed, bytes) else packed


def from_org_secret(value: str) -> int | None:
    """The organisation's id in an orgSecret header; None for what is of neither form."""
    packed = _digits_or_bytes(value, _ORG_SECRET.size)
    return _ORG_SECRET.unpack(packed)[2] if isinstance(packed, bytes) else packed


def _digits_or_bytes(text: str, size: int) -> int | bytes | None:
    text = text.strip()
    if not text.isascii():
        return None
    if text.isdigit():
        return int(text) if len(text.lstrip("0")) <= len(str(LARGEST_ID)) else None
    text = text.rstrip("=")
    if "+" in text or "/" in text:  # the standard alphabet, not the URL-safe one
        return None
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return packed if len(packed) == size else None
