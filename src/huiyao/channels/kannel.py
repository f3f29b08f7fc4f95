"""Texts through Kannel, by its sendsms interface over HTTP (user guide, "Using the HTTP interface to send SMS").

kannel://USER:PASSWORD@HOST[:PORT][/PATH]?from=SENDER. What Kannel answers says what became of the request; its
receipts (huiyao.gateway) say later what became of the text.
"""

import asyncio
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import httpx

from huiyao import gsm
from huiyao.channels import address
from huiyao.channels.contract import (
    REQUEST_SECONDS,
    Outgoing,
    Refused,
    Retry,
    Sent,
    Unknown,
    Verdict,
)
from huiyao.errors import OperatorError

PATH: Final = "/cgi-bin/sendsms"
CONNECT_SECONDS: Final = 5.0
EVERY_RECEIPT: Final = 31  # dlr-mask: delivered 1, undelivered 2, queued 4, taken 8, rejected 16
LONGEST_WISH_SECONDS: Final = 86_400
LONGEST_WISH_DIGITS: Final = 10
LONGEST_LINE: Final = 200
_GSM, _UCS2 = "0", "2"

_REFUSALS: Final = (400, 413, 414, 422)  # of the number or the text
_UNSURE: Final = (502, 504)  # only a proxy in front of Kannel says so, and it may have passed the request on


class Kannel:
    """One sendsms user of one smsbox."""

    name = "sms"
    gateway = "kannel"
    two_way = True

    def __init__(
        self,
        where: address.Address,
        *,
        receipt_url: Callable[[Outgoing], str] | None,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self.concurrency = where.concurrency
        self.per_second = where.per_second
        self._url = httpx.URL(f"{where.protocol}://{where.authority}{quote(where.path.rstrip('/') or PATH)}")
        self._fixed = {"username": where.user, "password": where.password, "charset": "UTF-8"}
        if "from" in where.options:
            self._fixed["from"] = where.options["from"]
        self._receipt_url = receipt_url
        self._request_seconds = request_seconds
        self._http = httpx.AsyncClient(
            # A connection that Kannel closes just as it is used again would look like an unknown outcome.
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=httpx.Timeout(request_seconds, connect=min(CONNECT_SECONDS, request_seconds / 2)),
            trust_env=False,
            follow_redirects=False,
        )

    async def send(self, message: Outgoing) -> Verdict:
        """Write one request and wait for its answer; see `contract.Channel`."""
        try:
            async with asyncio.timeout(self._request_seconds):
                async with self._http.stream("GET", self._url, params=self._parameters(message)) as answer:
                    return await _verdict(answer)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            return Retry("unreachable")
        except (TimeoutError, httpx.TimeoutException):
            return Unknown("timeout")
        except httpx.HTTPError:
            return Unknown("cut")

    async def close(self) -> None:
        await self._http.aclose()

    def _parameters(self, message: Outgoing) -> dict[str, str]:
        coding = _GSM if gsm.is_gsm(message.text) else _UCS2
        wanted = self._fixed | {"to": message.number, "text": message.text, "coding": coding}
        if self._receipt_url:
            receipts = self._receipt_url(message).replace("%", "%%")  # % begins what Kannel fills in
            wanted |= {"dlr-mask": str(EVERY_RECEIPT), "dlr-url": f"{receipts}&status=%d"}
        return wanted


def open_kannel(url: str, *, receipt_url: Callable[[Outgoing], str] | None) -> Kannel:
    """Raises OperatorError, one sentence that does not show the password. Nothing is connected yet."""
    where = address.parse(url, options=("from",))
    try:
        return Kannel(where, receipt_url=receipt_url)
    except httpx.InvalidURL:
        raise OperatorError("HUIYAO_SMS_URL has a host or path that http cannot name.") from None


async def _verdict(answer: httpx.Response) -> Verdict:
    """What Kannel's status says. Its 202 comes with "0: Accepted for delivery" or "3: Queued for later delivery"."""
    status = answer.status_code
    reason = f"kannel_{status}"
    if status == 202:
        return Sent()
    # Of any other 403 the cause is the password or the address we call from.
    if status == 403 and await _says(answer, "Not routable"):
        return Refused("kannel_not_routable")
    # Neither Kannel nor our address names a sender.
    if status == 400 and await _says(answer, "Sender missing"):
        return Retry("kannel_no_sender")
    if status in _REFUSALS:
        return Refused(reason)
    if status < 300 or status in _UNSURE:
        return Unknown(reason)
    # A wrong password, a wrong path, a proxy's log-in page or overload: certainly not taken, and an operator or time
    # may put it right.
    return Retry(reason, after_seconds=_wish(answer.headers.get("retry-after", "")))


async def _says(answer: httpx.Response, words: str) -> bool:
    """Whether the answer begins with a line that holds these words; no more of it is read."""
    async for chunk in answer.aiter_text(LONGEST_LINE):
        return words in chunk
    return False


def _wish(retry_after: str) -> int | None:
    """RFC 9110, Retry-After in seconds; a date is not looked at."""
    if not retry_after.isdecimal() or len(retry_after) > LONGEST_WISH_DIGITS:
        return None
    return min(int(retry_after), LONGEST_WISH_SECONDS)
