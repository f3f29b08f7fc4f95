"""Aliyun's SMS service (Dysmsapi 2017-05-25) through its own SDK, which sends registered templates.

The SDK's blocking client runs in threads of this channel: its asynchronous one reads the certificates anew for every
request, tens of milliseconds during which the event loop stands still.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ssl import SSLCertVerificationError
from typing import Final, TypeVar

import msgspec
from alibabacloud_dysmsapi20170525.client import Client  # type: ignore[import-untyped]
from alibabacloud_dysmsapi20170525.models import SendSmsRequest  # type: ignore[import-untyped]
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException  # type: ignore[import-untyped]
from alibabacloud_tea_openapi.utils_models import Config  # type: ignore[import-untyped]
from darabonba.exceptions import UnretryableException  # type: ignore[import-untyped]
from darabonba.runtime import RuntimeOptions  # type: ignore[import-untyped]
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError

from huiyao.channels import templates
from huiyao.channels.address import Address, parse
from huiyao.channels.contract import REQUEST_SECONDS, Outgoing, Refused, Retry, Sent, Unknown, Verdict
from huiyao.channels.templates import Templates

# Codes: help.aliyun.com/document_detail/101346. "isv." is the caller's fault and stays one, but for these.
_SLOWER: Final = frozenset({"isv.BUSINESS_LIMIT_CONTROL"})
_ACCOUNT: Final = frozenset(
    {
        "isv.ACCOUNT_ABNORMAL",
        "isv.ACCOUNT_NOT_EXISTS",
        "isv.AMOUNT_NOT_ENOUGH",
        "isv.BILLING_DEDUCTION_ERROR",
        "isv.DAY_LIMIT_CONTROL",
        "isv.DENY_IP_RANGE",
        "isv.MONTH_LIMIT_CONTROL",
        "isv.OUT_OF_SERVICE",
        "isv.PRODUCT_UNSUBSCRIBE",
        "isv.PRODUCT_UN_SUBSCRIPT",
        "isv.RAM_CHECK_FAILED",
        "isv.SIGN_STATE_ILLEGAL",
        "isv.SMS_SIGNATURE_ILLEGAL",
        "isv.SMS_SIGN_ILLEGAL",
    }
)
_UNWRITTEN: Final = (NewConnectionError, ConnectTimeoutError, ProxyError, SSLCertVerificationError)

# The number and the text stand in the request's address, which these quote in warnings or with DEBUG=sdk.
for _name in ("alibabacloud-tea", "darabonba-core", "urllib3"):
    logging.getLogger(_name).setLevel(logging.ERROR)

_Result = TypeVar("_Result")


def open_vendor(url: str) -> "Aliyun":
    """The channel of an aliyun:// address. Raises OperatorError."""
    return Aliyun(parse(url, options=templates.OPTIONS, tls=True))


class Aliyun:
    """One account with one signature."""

    name = "sms"
    gateway = "aliyun"
    two_way = False

    def __init__(self, address: Address, *, seconds: float = REQUEST_SECONDS) -> None:
        """Raises OperatorError."""
        self.concurrency = address.concurrency
        self.per_second = address.per_second
        self._templates = Templates(address)
        self._sign = address.need("sign")
        self._seconds = seconds
        self._host = None if _proxied(address.protocol) else address.host
        self._threads = ThreadPoolExecutor(address.concurrency, thread_name_prefix="huiyao-aliyun")
        self._client = Client(
            Config(
                access_key_id=address.user,
                access_key_secret=address.password,
                endpoint=address.authority,
                protocol=address.protocol.upper(),
            )
        )
        self._runtime = RuntimeOptions(
            connect_timeout=int(seconds * 500),
            read_timeout=int(seconds * 1000),
            max_idle_conns=address.concurrency,
        )

    async def send(self, message: Outgoing) -> Verdict:
        template = self._templates.find(message)
        if template is None:
            return Refused("no_template")
        deadline = asyncio.get_running_loop().time() + self._seconds
        try:
            # The SDK's time-outs do not cover the look-up, and one that hangs must not pass for a request written.
            await self._in_thread(self._look_up, deadline=deadline - self._seconds / 2)
        except OSError:
            return Retry("unreachable")
        try:
            return await self._in_thread(lambda: self._request(message, template), deadline=deadline)
        except TimeoutError:
            return Unknown("timeout")

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[[], _Result], *, deadline: float) -> _Result:
        """Raises TimeoutError at `deadline`, of the loop's clock; the thread ends by the SDK's own time-outs."""
        async with asyncio.timeout_at(deadline):
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _look_up(self) -> None:
        """Raises OSError where the name has no address. A proxy looks it up itself."""
        if self._host:
            socket.getaddrinfo(self._host, None)

    def _request(self, message: Outgoing, template: str) -> Verdict:
        request = SendSmsRequest(
            phone_numbers=message.number.removeprefix("+86").removeprefix("+"),
            sign_name=self._sign,
            template_code=template,
            template_param=msgspec.json.encode(self._templates.values(message)).decode(),
            out_id=templates.reference(message),
        )
        try:
            answer = self._client.send_sms_with_options(request, self._runtime).body
        except AlibabaCloudException as error:
            return _failed(error)
        except UnretryableException as error:
            return Retry("unreachable") if _unwritten(error.inner_exception) else Unknown("no_answer")
        if not answer or not isinstance(answer.code, str):
            return Unknown("no_answer")
        if answer.code == "OK":
            return Sent(str(answer.biz_id or ""))
        return _judge(answer.code)


def _proxied(protocol: str) -> bool:
    """Whether the SDK goes through a proxy: it reads these two."""
    name = f"{protocol}_proxy"
    return bool(os.environ.get(name.upper()) or os.environ.get(name))


def _failed(error: AlibabaCloudException) -> Verdict:
    """Of an answer with an HTTP status of 400 or more."""
    if error.status_code in (502, 504):  # a proxy's, which may have passed the request on
        return Unknown(f"http_{error.status_code}")
    if error.code in ("None", ""):
        return Retry(f"http_{error.status_code}")
    after_seconds = None if error.retry_after is None else -(-error.retry_after // 1000)
    return _judge(error.code, after_seconds=after_seconds)


def _judge(code: str, *, after_seconds: int | None = None) -> Verdict:
    """Of the service's code; every one but the caller's faults may be gone later."""
    reason = templates.reason("aliyun", code)
    if code in _SLOWER or code.startswith("Throttling"):
        return Retry(reason, down=False, after_seconds=after_seconds)
    if code.startswith("isv.") and code not in _ACCOUNT:
        return Refused(reason)
    return Retry(reason, after_seconds=after_seconds)


def _unwritten(error: BaseException | None) -> bool:
    """Whether it failed before there was a connection to write to."""
    while error is not None:
        if isinstance(error, _UNWRITTEN):
            return True
        error = error.__cause__ or error.__context__
    return False
