"""What an app does with the callbacks it receives: whether they are genuine, and what they tell (contract section 7).

Two forms: the open platform's own, signed with the app's token and encrypted with its secret, and Standard Webhooks
(https://www.standardwebhooks.com). Whichever it is, drop what comes again by `event_id`.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.padding import PKCS7

from huiyao.client.answers import MsgStatus
from huiyao.client.errors import BadCallback
from huiyao.client.reading import Moment, read

TEST: Final = 100  # the operator tries whether callbacks arrive
PUSHED: Final = 101
READ: Final = 102
ACCEPTED: Final = 103
DECLINED: Final = 104
REMINDED: Final = 105
UPDATED: Final = 106
CANCELLED: Final = 107
DELIVERY_FAILED: Final = 108

_KEY_BYTES: Final = 16
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105
_FORM: Final = "the body is not of the documented form"
_UNREADABLE: Final = (ValueError, RecursionError)  # msgspec's and Unicode's errors are ValueErrors


class Event(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "id": "eventId",
        "kind": "eventType",
        "org_id": "orgId",
        "meeting_id": "meetingInviteId",
        "msg_status": "msgStatus",
        "at": "time",
    },
):
    """What happened. Ids and states only: call `detail` for the rest."""

    id: int  # the same whenever this event comes again
    kind: int  # PUSHED and so on; the signed one
    org_id: int
    meeting_id: int
    sequence: int
    at: Moment
    uid: str | None = None  # the member it is about; READ to REMINDED and DELIVERY_FAILED
    msg_status: MsgStatus | None = None
    reason: str | None = None  # DELIVERY_FAILED


class _Sealed(msgspec.Struct, frozen=True, rename="camel"):
    signature: str
    nonce: str
    timestamp: int | str
    encrypt_data: str  # cipher bytes, one character each


def verify(body: bytes | str, *, token: str, app_secret: str) -> Event:
    """The event in a callback of the open platform's form. Raises BadCallback."""
    return _event(decrypt(body, token=token, app_secret=app_secret))


def decrypt(body: bytes | str, *, token: str, app_secret: str) -> bytes:
    """The same as JSON, of whatever event it is. Raises BadCallback."""
    if not token or not app_secret:
        raise ValueError("without the app's token and secret anybody could have signed it")
    try:
        sealed = read(body.encode() if isinstance(body, str) else body, _Sealed)
        signed = (
            f"encrypt={sealed.encrypt_data}&nonce={sealed.nonce}&timestamp={sealed.timestamp}&token={token}"
        ).encode()
        given = sealed.signature.encode()
    except _UNREADABLE as error:
        raise BadCallback(_FORM) from error
    expected = hashlib.sha1(signed).hexdigest()  # noqa: S324 - the platform's signature is what it is
    if not hmac.compare_digest(expected.encode(), given):
        raise BadCallback("the signature is wrong")
    key = app_secret.encode("latin-1", "replace")[:_KEY_BYTES].ljust(_KEY_BYTES, b"\0")
    opener = Cipher(AES(key), ECB()).decryptor()  # noqa: S305 - the platform's cipher
    unpadder = PKCS7(AES.block_size).unpadder()
    try:
        padded = opener.update(sealed.encrypt_data.encode("latin-1")) + opener.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError as error:
        raise BadCallback("the app's secret does not open it") from error


def verify_standard(
    headers: Mapping[str, str], body: bytes | str, *, secret: str, tolerance: float = 300
) -> Event:
    """The event in a Standard Webhook. `body` is as it came, to the byte. Raises BadCallback.

    `secret` is shown as whsec_…; `tolerance`: seconds that its time may be from now, either way.
    """
    body = body.encode() if isinstance(body, str) else body
    key = _standard_key(secret)
    found = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, sent_at, signatures = (
            found[name] for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
        )
        at = int(sent_at)
        signed = f"{message_id}.{sent_at}.".encode() + body
    except (KeyError, ValueError) as error:
        raise BadCallback(
            "webhook-id, webhook-timestamp or webhook-signature is missing or malformed"
        ) from error
    expected = base64.b64encode(hmac.digest(key, signed, "sha256"))
    matches = [hmac.compare_digest(expected, one) for one in _first_version(signatures)]
    if not any(matches):
        raise BadCallback("the signature is wrong")
    if abs(round(time.time()) - at) > tolerance:
        raise BadCallback("it is older than it may be, or one of the clocks is wrong")
    return _event(body)


def _standard_key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a Standard Webhooks secret is whsec_ and base64") from error
    if not key:
        raise ValueError("with an empty secret anybody could have signed it")
    return key


def _first_version(signatures: str) -> Iterator[bytes]:
    """The signatures by HMAC-SHA256; several stand there while a secret is exchanged for another."""
    for one in signatures.split():
        version, _, signature = one.partition(",")
        if version == "v1":
            yield signature.encode("utf-8", "replace")


def _event(content: bytes) -> Event:
    try:
        return read(content, Event)
    except _UNREADABLE as error:
        raise BadCallback(_FORM) from error
