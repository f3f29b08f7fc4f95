"""Tencent Cloud's SMS service (2021-01-11) through its own SDK, which sends registered templates."""

import asyncio
import logging
from typing import Final

import httpx
from tencentcloud.common.credential import Credential  # type: ignore[import-untyped]
from tencentcloud.common.exception.tencent_cloud_sdk_exception import (  # type: ignore[import-untyped]
    TencentCloudSDKException,
)
from tencentcloud.common.profile.client_profile import ClientProfile  # type: ignore[import-untyped]
from tencentcloud.common.profile.http_profile import HttpProfile  # type: ignore[import-untyped]
from tencentcloud.common.retry_async import NoopRetryer  # type: ignore[import-untyped]
from tencentcloud.sms.v20210111.models import SendSmsRequest  # type: ignore[import-untyped]
from tencentcloud.sms.v20210111.sms_client_async import SmsClient  # type: ignore[import-untyped]

from huiyao.channels import templates
from huiyao.channels.address import Address, parse
from huiyao.channels.contract import REQUEST_SECONDS, Outgoing, Refused, Retry, Sent, Unknown, Verdict
from huiyao.channels.templates import Templates

REGION: Final = "ap-guangzhou"  # unless the address says otherwise

# Codes: cloud.tencent.com/document/api/382/55981. Families first, then what is different within one.
_SLOWER: Final = ("LimitExceeded", "RequestLimitExceeded")
_NEVER: Final = ("FailedOperation", "InvalidParameter", "MissingParameter", "UnsupportedOperation")
_REFUSED: Final = frozenset({"LimitExceeded.AppCountryOrRegionInBlacklist"})
_ACCOUNT: Final = frozenset(
    {
        "FailedOperation.InsufficientBalanceInSmsPackage",
        "FailedOperation.SignatureIncorrectOrUnapproved",
        "InvalidParameter.AppidAndBizId",
        "InvalidParameterValue.SdkAppIdNotExist",
        "LimitExceeded.AppDailyLimit",
        "LimitExceeded.AppMainlandChinaDailyLimit",
    }
)
_UNANSWERED: Final = frozenset(  # it lost touch with what is behind it
    {"InternalError.ParseBackendResponseFail", "InternalError.SendAndRecvFail", "InternalError.Timeout"}
)
# What the SDK raises where the connection ends, or the answer is none of the service's.
_NO_ANSWER: Final = (httpx.HTTPError, ValueError, LookupError, TypeError, AttributeError)

logging.getLogger("tencentcloud_sdk_common").setLevel(
    logging.ERROR
)  # it writes whole requests where DEBUG is on


def open_vendor(url: str) -> "Tencent":
    """The channel of a tencent:// address. Raises OperatorError."""
    return Tencent(parse(url, options=templates.OPTIONS | {"app", "region"}, tls=True))


class Tencent:
    """One application with one signature."""

    name = "sms"
    gateway = "tencent"
    two_way = False

    def __init__(self, address: Address, *, seconds: float = REQUEST_SECONDS) -> None:
        """Raises OperatorError."""
        self.concurrency = address.concurrency
        self.per_second = address.per_second
        self._templates = Templates(address)
        self._app = address.need("app")
        self._sign = address.need("sign")
        self._seconds = seconds
        http = HttpProfile(
            protocol=address.protocol,
            endpoint=address.authority,
            reqTimeout=httpx.Timeout(None, connect=seconds / 2),  # with the look-up; of the rest see send
        )
        self._client = SmsClient(
            Credential(address.user, address.password),
            address.options.get("region", REGION),
            ClientProfile(httpProfile=http, retryer=NoopRetryer()),
        )
        self._client.http_client.event_hooks = {"response": [_take]}

    async def send(self, message: Outgoing) -> Verdict:
        template = self._templates.find(message)
        if template is None:
            return Refused("no_template")
        request = SendSmsRequest()
        request.PhoneNumberSet = [message.number]
        request.SmsSdkAppId = self._app
        request.SignName = self._sign
        request.TemplateId = template
        request.TemplateParamSet = list(self._templates.values(message).values())
        request.SessionContext = templates.reference(message)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._request(request)
        except TimeoutError:
            return Unknown("timeout")

    async def close(self) -> None:
        await self._client.close()

    async def _request(self, request: SendSmsRequest) -> Verdict:
        try:
            (status,) = (await self._client.SendSms(request)).SendStatusSet
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError):
            return Retry("unreachable")
        except httpx.HTTPStatusError as error:
            return _failed(error.response)
        except TencentCloudSDKException as error:
            return _judge(str(error.code))
        except _NO_ANSWER:
            return Unknown("no_answer")
        if status.Code == "Ok":
            return Sent(str(status.SerialNo or ""))
        return _judge(status.Code) if isinstance(status.Code, str) else Unknown("no_answer")


async def _take(response: httpx.Response) -> None:
    """Read the whole answer, which the SDK leaves open where it has no content type. Raises httpx.HTTPStatusError.

    Of another status than 200 the SDK would not tell which.
    """
    await response.aread()
    response.raise_for_status()


def _failed(response: httpx.Response) -> Verdict:
    """Of an HTTP status that is no success; the service itself answers its own faults with 200."""
    reason = f"http_{response.status_code}"
    if response.status_code in (429, 503):
        wish = response.headers.get("Retry-After", "")
        after_seconds = int(wish) if wish.isdecimal() else None
        return Retry(reason, down=response.status_code == 503, after_seconds=after_seconds)
    return Unknown(reason) if response.status_code >= 500 else Retry(reason)


def _judge(code: str) -> Verdict:
    """Of the service's code; one of no known family may be gone later."""
    reason = templates.reason("tencent", code)
    if code in _UNANSWERED:
        return Unknown(reason)
    if code in _ACCOUNT:
        return Retry(reason)
    if code in _REFUSED or code.startswith(_NEVER):
        return Refused(reason)
    return Retry(reason, down=not code.startswith(_SLOWER))
