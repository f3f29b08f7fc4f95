"""What SMS gateways report over HTTP: receipts of texts, and texts that came in. Every address carries a MAC.

Kannel calls both with GET and repeats what was not answered with 200 (its http-request-retry). The MAC covers
neither status nor text: whoever holds such an address may say what it is for, and nothing else.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qsl

from huiyao import telemetry
from huiyao.channels.contract import Outgoing
from huiyao.errors import SystemFailure
from huiyao.keys import Keys
from huiyao.model import DeliveryState
from huiyao.rules.deliver import Receipt
from huiyao.service import deliveries
from huiyao.service.caller import Clock, Services
from huiyao.service.keyring import Keyring

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

RECEIPT: Final = "/sms/kannel/receipt"
INBOUND: Final = "/sms/kannel/inbound"
MAC_BYTES: Final = 16
RETRY_SECONDS: Final = 5

# Kannel's user guide, "Delivery reports": 4 (queued by the operator) and 8 (taken by it) say little more than its 202.
_STATES: Final = {
    b"1": (DeliveryState.DELIVERED, ""),
    b"2": (DeliveryState.FAILED, "undelivered"),
    b"4": (DeliveryState.SENT, ""),
    b"8": (DeliveryState.SENT, ""),
    b"16": (DeliveryState.FAILED, "rejected"),
}


def receipt_url(public_url: str, keyring: Keyring, clock: Clock) -> Callable[[Outgoing], str]:
    """Where the gateway reports what became of one request; it adds its own `&status=`."""

    def url(message: Outgoing) -> str:
        org, delivery, attempt = message.org_id, message.delivery_id, message.attempt
        key = _receipt_key(keyring.signing(clock.now()), org, delivery, attempt)
        return f"{public_url.rstrip('/')}{RECEIPT}?org={org}&delivery={delivery}&attempt={attempt}&key={key}"

    return url


def inbound_url(public_url: str, keyring: Keyring) -> str:
    """The get-url for Kannel's sms-service: %p the sender, %b the text as it came, %C its charset."""
    address = f"{public_url.rstrip('/')}{INBOUND}".replace("%", "%%")
    return f"{address}?key={_key(keyring.current, b'inbound')}&from=%p&text=%b&charset=%C"


class Gateway:
    """ASGI, for everything below /sms/."""

    def __init__(self, services: Services, keyring: Keyring) -> None:
        self._services = services
        self._keyring = keyring

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        take = {RECEIPT: self._receipt, INBOUND: self._inbound}.get(scope["path"])
        if take is None or scope["method"] != "GET":
            await _answer(send, 404, b"there is no such address")
            return
        try:
            known = await take(_query(scope["query_string"]))
        except SystemFailure as failure:
            telemetry.logger().error("report not taken", error=telemetry.frames(failure))
            await _answer(send, 503, b"try again later", retry_after=True)
            return
        await _answer(send, *(200, b"ok") if known else (403, b"the key is wrong"))

    async def _receipt(self, query: Mapping[str, bytes]) -> bool:
        """Whether the key is right."""
        try:
            org, delivery, attempt = (_number(query[name]) for name in ("org", "delivery", "attempt"))
        except (KeyError, ValueError):
            return False
        if not await self._made(query, lambda keys: _receipt_key(keys, org, delivery, attempt)):
            return False
        state, reason = _STATES.get(query.get("status", b""), ("", ""))
        if state:
            await deliveries.receive(self._services, org, delivery, Receipt(attempt, state, reason))
        return True

    async def _inbound(self, query: Mapping[str, bytes]) -> bool:
        """Whether the key is right."""
        if not await self._made(query, lambda keys: _key(keys, b"inbound")):
            return False
        # Kannel names UTF-8 (of GSM texts too), UTF-16BE or 8-BIT; what does not decode is no answer to anything.
        charset = "utf-16-be" if query.get("charset", b"").upper() == b"UTF-16BE" else "utf-8"
        await deliveries.answer_by_text(
            self._services,
            query.get("from", b"").decode(errors="replace"),
            query.get("text", b"").decode(charset, errors="replace"),
        )
        return True

    async def _made(self, query: Mapping[str, bytes], key: Callable[[Keys], str]) -> bool:
        """Whether we made the address, with this key or one before it."""
        given = query.get("key", b"")
        return await self._keyring.verify(
            lambda keys: hmac.compare_digest(given, key(keys).encode()), now=self._services.clock.now()
        )


def _receipt_key(keys: Keys, org: int, delivery: int, attempt: int) -> str:
    return _key(keys, b"receipt %d %d %d" % (org, delivery, attempt))


def _key(keys: Keys, purpose: bytes) -> str:
    return urlsafe_b64encode(hmac.digest(keys.report_key, purpose, sha256)[:MAC_BYTES]).decode().rstrip("=")


def _query(raw: bytes) -> dict[str, bytes]:
    """The parameters, values as the bytes they stand for: of which charset is a matter of another parameter."""
    pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    return {name: value.encode("latin-1") for name, value in pairs}


def _number(digits: bytes) -> int:
    """Raises ValueError for anything but an id."""
    if not digits.isdigit() or len(digits) > len(str(2**53)):
        raise ValueError
    return int(digits)


async def _answer(send: Send, status: int, body: bytes, *, retry_after: bool = False) -> None:
    headers = [
        (b"content-type", b"text/plain"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    if retry_after:
        headers.append((b"retry-after", b"%d" % RETRY_SECONDS))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
