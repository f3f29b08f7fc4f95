"""What an app's receiver gets (contract section 7): the event's JSON, signed in the app's style.

The platform's own style hides the event in AES-ECB and signs with SHA-1, as its receivers expect; Standard Webhooks
(https://www.standardwebhooks.com) is the better choice for a new one.
"""

import base64
import hashlib
import hmac
import secrets
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.padding import PKCS7

from huiyao.channels.callback import Request
from huiyao.model import App, CallbackStyle, Event, EventType
from huiyao.service.keyring import Keyring

KEY_BYTES: Final = 16  # of the app secret, for AES-128
NONCE_BYTES: Final = 12
SECRET_PREFIX: Final = "whsec_"  # noqa: S105
_encode = msgspec.json.Encoder().encode
_JSON: Final = {"content-type": "application/json;charset=UTF-8"}


class Sealer:
    """Makes the requests of events; knows the server's keys, so that whoever sends them need not."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def __call__(self, event: Event, app: App, *, now: int, older: bool) -> Request:
        """`older`: in the platform's style, which has room for one signature, by the token before this one if that is
        still good. Raises OperatorError where a secret does not open with the server's key.
        """
        assert app.callback
        callback = app.callback
        now_seconds = now // 1000
        secret = await self._keyring.open(callback.secret, app_id=app.id)
        old = None
        if callback.old_secret and callback.old_until and now < callback.old_until:
            old = await self._keyring.open(callback.old_secret, app_id=app.id)
        plain = content(event)
        if callback.style == CallbackStyle.STANDARD:
            good = (secret, old) if old else (secret,)
            return Request(plain, _JSON | standard_headers(plain, str(event.id), now_seconds, secrets=good))
        body = platform_body(
            plain,
            token=old if older and old else secret,
            app_secret=await self._keyring.open(app.secret, app_id=app.id),
            nonce=secrets.token_urlsafe(NONCE_BYTES),
            timestamp=now_seconds,
            event_type=event.type,
        )
        return Request(body, _JSON)


def content(event: Event) -> bytes:
    """The event's JSON: ids and states, no texts."""
    found: dict[str, Any] = {
        "eventId": event.id,
        "eventType": event.type,
        "orgId": event.org_id,
        "meetingInviteId": event.meeting_id,
        "sequence": event.sequence,
    }
    if event.uid:
        found["uid"] = event.uid
    if event.msg_status is not None:
        found["msgStatus"] = event.msg_status
    if event.type == EventType.FAILED:
        found["reason"] = event.reason
    return _encode(found | {"time": event.at})


def platform_body(
    plain: bytes, *, token: str, app_secret: str, nonce: str, timestamp: int, event_type: int
) -> bytes:
    """The whole body in the platform's style; `timestamp` in seconds."""
    key = app_secret.encode("latin-1", "replace")[:KEY_BYTES].ljust(KEY_BYTES, b"\0")
    padder = PKCS7(AES.block_size).padder()
    cipher = Cipher(AES(key), ECB()).encryptor()  # noqa: S305 - the platform's cipher
    sealed = cipher.update(padder.update(plain) + padder.finalize()) + cipher.finalize()
    data = sealed.decode("latin-1")  # a byte is a character of the JSON string
    signed = f"encrypt={data}&nonce={nonce}&timestamp={timestamp}&token={token}"
    return _encode(
        {
            "signature": hashlib.sha1(signed.encode()).hexdigest(),  # noqa: S324 - the platform's signature
            "nonce": nonce,
            "timestamp": timestamp,
            "encryptData": data,
            "eventType": event_type,
        }
    )


def standard_headers(
    body: bytes, message_id: str, timestamp: int, *, secrets: tuple[str, ...]
) -> dict[str, str]:
    """The headers of a Standard Webhook, with one signature for each secret that is good now."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = [
        base64.b64encode(hmac.digest(base64.b64decode(one.removeprefix(SECRET_PREFIX)), signed, "sha256"))
        for one in secrets
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{one.decode()}" for one in signatures),
    }
