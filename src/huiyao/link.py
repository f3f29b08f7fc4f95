"""Personal links: an address in a text message that opens one invitation for one person, without signing in.

Its last part says organisation, meeting and the random id of the person's row there, with a MAC over these and the
uid. The row is looked up by that id, which tells the uid, and the MAC is checked with it: a link stops working when
the person is removed, and one of an earlier membership is no good for the next.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import sha256
from typing import Final, Self

import msgspec

PATH: Final = "/i/"
MAC_BYTES: Final = (
    8  # with the id, which is random too, 127 bits; a longer link takes its place from the text
)
ID_BYTES: Final = 8
LONGEST: Final = 64  # characters of the last part


class Link(msgspec.Struct, frozen=True):
    org_id: int
    meeting_id: int
    link_id: int  # random, of the attendee's row
    mac: bytes

    @classmethod
    def make(cls, key: bytes, *, org_id: int, meeting_id: int, uid: str, link_id: int) -> Self:
        return cls(org_id, meeting_id, link_id, _mac(key, org_id, meeting_id, uid, link_id))

    def belongs_to(self, uid: str, *, key: bytes) -> bool:
        """Whether we made it for this person."""
        return hmac.compare_digest(self.mac, _mac(key, self.org_id, self.meeting_id, uid, self.link_id))

    def text(self) -> str:
        """27 to 46 characters of A-Z, a-z, 0-9, - and _."""
        org, meeting = _bytes(self.org_id), _bytes(self.meeting_id)
        sizes = bytes([len(org) << 4 | len(meeting)])
        packed = sizes + org + meeting + self.link_id.to_bytes(ID_BYTES) + self.mac
        return urlsafe_b64encode(packed).decode().rstrip("=")


def read(text: str) -> Link | None:
    """What the last part of an address says; None for what none of ours looks like."""
    if not text.isascii() or len(text) > LONGEST:
        return None
    try:
        packed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (Error, ValueError):
        return None
    if not packed:
        return None
    org, meeting = packed[0] >> 4, packed[0] & 15
    if len(packed) != 1 + org + meeting + ID_BYTES + MAC_BYTES or max(org, meeting) > 8:
        return None
    at = 1 + org + meeting
    link = Link(
        int.from_bytes(packed[1 : 1 + org]),
        int.from_bytes(packed[1 + org : at]),
        int.from_bytes(packed[at : at + ID_BYTES]),
        packed[at + ID_BYTES :],
    )
    return link if max(link.org_id, link.meeting_id, link.link_id) < 2**63 and link.text() == text else None


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def _mac(key: bytes, org_id: int, meeting_id: int, uid: str, link_id: int) -> bytes:
    said = b"%d %d %d %b" % (org_id, meeting_id, link_id, uid.encode())
    return hmac.digest(key, said, sha256)[:MAC_BYTES]
