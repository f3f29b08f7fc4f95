"""Aliyun's and Tencent's channels: their real SDKs against a small server that answers as it is told."""

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from huiyao.channels import aliyun, tencent
from huiyao.channels.address import parse
from huiyao.channels.contract import Refused, Retry, Sent, Unknown, Verdict
from huiyao.channels.templates import OPTIONS
from huiyao.errors import OperatorError
from tests.unit.vendor import (
    CUT,
    DRIP,
    HANG,
    MOBILE,
    Request,
    Vendor,
    accepts,
    api_error,
    serving,
    status_set,
    strangers_certificate,
    text,
)

# What the SDKs call is deprecated from Python 3.12 on.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")

SECRET = "s3cret0fTheAccount"
Channel = aliyun.Aliyun | tencent.Tencent


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    vendor = Vendor()
    async with serving(vendor):
        yield vendor


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


MAKERS: dict[str, Callable[..., Channel]] = {"aliyun": aliyun.Aliyun, "tencent": tencent.Tencent}
SHORT_SECONDS = 2.0  # enough to connect on a machine that is busy with other tests
BOTH = pytest.mark.parametrize("scheme", sorted(MAKERS))


def opened(
    scheme: str, port: int, *, more: str = "", seconds: float = 5, tls: bool = False, host: str = "127.0.0.1"
) -> Channel:
    app = "&app=1400006666" if scheme == "tencent" else ""
    kinds = "&invited=T1&updated=T2&reminder=T3&invited.en=E1"
    url = f"{scheme}://ID:{SECRET}@{host}:{port}?sign=会邀{kinds}{app}{more}"
    return MAKERS[scheme](
        parse(f"{url}&tls={str(tls).lower()}", options=OPTIONS | {"app", "region"}), seconds=seconds
    )


async def send(scheme: str, vendor: Vendor, *, more: str = "", **changes: object) -> Verdict:
    channel = opened(scheme, vendor.port, more=more)
    try:
        return await channel.send(text(**changes))
    finally:
        await channel.close()


# What is sent


async def test_aliyun_gets_the_template_with_named_parameters_and_our_reference(vendor: Vendor) -> None:
    accepts(vendor, "aliyun")
    assert await send("aliyun", vendor) == Sent("9006^0")
    (request,) = vendor.requests
    assert request.headers["x-acs-action"] == "SendSms"
    assert request.headers["x-acs-version"] == "2017-05-25"
    assert "Credential=ID," in request.headers["authorization"]
    assert request.query == {
        "PhoneNumbers": "13800138000",
        "SignName": "会邀",
        "TemplateCode": "T1",
        "TemplateParam": '{"organizer":"王芳","content":"季度预算","time":"1月2日 周五 10:00–11:00","place":"三楼"}',
        "OutId": "85161:42:3",
    }
    assert SECRET not in str(request)


async def test_tencent_gets_the_template_with_ordered_parameters_and_our_reference(vendor: Vendor) -> None:
    accepts(vendor, "tencent")
    assert await send("tencent", vendor) == Sent("5000:1")
    (request,) = vendor.requests
    assert request.headers["x-tc-action"] == "SendSms"
    assert request.headers["x-tc-version"] == "2021-01-11"
    assert request.headers["x-tc-region"] == "ap-guangzhou"
    assert "Credential=ID/" in request.headers["authorization"]
    assert json.loads(request.body) == {
        "PhoneNumberSet": [MOBILE],
        "SmsSdkAppId": "1400006666",
        "SignName": "会邀",
        "TemplateId": "T1",
        "TemplateParamSet": ["王芳", "季度预算", "1月2日 周五 10:00–11:00", "三楼"],
        "SessionContext": "85161:42:3",
    }
    assert SECRET not in str(request)


async def test_tencent_serves_the_region_of_the_address(vendor: Vendor) -> None:
    accepts(vendor, "tencent")
    await send("tencent", vendor, more="&region=ap-beijing")
    assert vendor.requests[0].headers["x-tc-region"] == "ap-beijing"


@pytest.mark.parametrize(
    ("number", "aliyuns"), [(MOBILE, "13800138000"), ("+85261234567", "85261234567"), ("+8613", "13")]
)
async def test_each_vendor_gets_the_number_in_its_form(vendor: Vendor, number: str, aliyuns: str) -> None:
    accepts(vendor, "aliyun")
    await send("aliyun", vendor, number=number)
    assert vendor.requests[0].query["PhoneNumbers"] == aliyuns
    accepts(vendor, "tencent")
    await send("tencent", vendor, number=number)
    assert json.loads(vendor.requests[1].body)["PhoneNumberSet"] == [number]


def told(request: Request) -> tuple[str, dict[str, str] | list[str]]:
    """The template and its values."""
    if request.body:
        sent = json.loads(request.body)
        return sent["TemplateId"], sent["TemplateParamSet"]
    return request.query["TemplateCode"], json.loads(request.query["TemplateParam"])


@BOTH
async def test_the_change_is_told_of_an_update_and_the_time_left_in_a_reminder(
    vendor: Vendor, scheme: str
) -> None:
    accepts(vendor, scheme)
    for kind, template, last in [("updated", "T2", "时间由 9:00 改为 10:00"), ("reminder", "T3", "15分钟")]:
        await send(scheme, vendor, kind=kind)
        used, values = told(vendor.requests.pop())
        assert used == template
        assert (list(values.values()) if isinstance(values, dict) else values)[3:] == ["三楼", last]


@BOTH
async def test_english_goes_by_its_own_template_where_there_is_one(vendor: Vendor, scheme: str) -> None:
    accepts(vendor, scheme)
    for kind, template in [("invited", "E1"), ("updated", "T2")]:
        await send(scheme, vendor, kind=kind, english=True)
        assert told(vendor.requests.pop())[0] == template


@BOTH
async def test_a_kind_without_a_template_is_refused_and_nothing_sent(vendor: Vendor, scheme: str) -> None:
    accepts(vendor, scheme)
    assert await send(scheme, vendor, kind="nudged") == Refused("no_template")
    assert await send(scheme, vendor, kind="nudged", english=True) == Refused("no_template")
    assert not vendor.requests


@BOTH
async def test_a_value_is_cut_to_the_vendors_limit_and_never_empty(vendor: Vendor, scheme: str) -> None:
    accepts(vendor, scheme)
    params = {"organizer": "王" * 36, "content": "好" * 35, "time": "明天", "place": ""}
    await send(scheme, vendor, params=params)
    values = told(vendor.requests.pop())[1]
    assert (list(values.values()) if isinstance(values, dict) else values) == [
        "王" * 34 + "…",
        "好" * 35,
        "明天",
        "-",
    ]
    await send(scheme, vendor, more="&variable=6", params=params)
    values = told(vendor.requests.pop())[1]
    assert "王王王王王…" in (values.values() if isinstance(values, dict) else values)
    await send(scheme, vendor, params={"content": "b" * 36}, english=True)
    values = told(vendor.requests.pop())[1]
    assert "b" * 32 + "..." in (values.values() if isinstance(values, dict) else values)


# What becomes of it


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("isv.MOBILE_NUMBER_ILLEGAL", Refused("aliyun:isv.MOBILE_NUMBER_ILLEGAL")),
        ("isv.SMS_TEMPLATE_ILLEGAL", Refused("aliyun:isv.SMS_TEMPLATE_ILLEGAL")),
        ("isv.TEMPLATE_MISSING_PARAMETERS", Refused("aliyun:isv.TEMPLATE_MISSING_PARAMETERS")),
        ("isv.BLACK_KEY_CONTROL_LIMIT", Refused("aliyun:isv.BLACK_KEY_CONTROL_LIMIT")),
        ("isv.PARAM_LENGTH_LIMIT", Refused("aliyun:isv.PARAM_LENGTH_LIMIT")),
        ("isv.BUSINESS_LIMIT_CONTROL", Retry("aliyun:isv.BUSINESS_LIMIT_CONTROL", down=False)),
        ("isv.AMOUNT_NOT_ENOUGH", Retry("aliyun:isv.AMOUNT_NOT_ENOUGH")),
        ("isv.OUT_OF_SERVICE", Retry("aliyun:isv.OUT_OF_SERVICE")),
        ("isv.SMS_SIGNATURE_ILLEGAL", Retry("aliyun:isv.SMS_SIGNATURE_ILLEGAL")),
        ("isv.DAY_LIMIT_CONTROL", Retry("aliyun:isv.DAY_LIMIT_CONTROL")),
        ("isp.RAM_PERMISSION_DENY", Retry("aliyun:isp.RAM_PERMISSION_DENY")),
        ("isp.SYSTEM_ERROR", Retry("aliyun:isp.SYSTEM_ERROR")),
        ("a code?", Retry("aliyun:a_code_")),
    ],
)
async def test_aliyuns_code_decides(vendor: Vendor, code: str, verdict: Verdict) -> None:
    vendor.answers({"Code": code, "Message": f"{MOBILE} is wrong", "RequestId": "r"})
    assert await send("aliyun", vendor) == verdict
    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (404, "InvalidAccessKeyId.NotFound", Retry("aliyun:InvalidAccessKeyId.NotFound")),
        (400, "SignatureDoesNotMatch", Retry("aliyun:SignatureDoesNotMatch")),
        (400, "isv.MOBILE_NUMBER_ILLEGAL", Refused("aliyun:isv.MOBILE_NUMBER_ILLEGAL")),
        (400, "Throttling.User", Retry("aliyun:Throttling.User", down=False)),
        (500, "InternalError", Retry("aliyun:InternalError")),
        (503, "ServiceUnavailable", Retry("aliyun:ServiceUnavailable")),
        (504, "GatewayTimeout", Unknown("http_504")),
        (502, None, Unknown("http_502")),
        (403, None, Retry("http_403")),
    ],
)
async def test_aliyuns_http_status_decides_with_its_code(
    vendor: Vendor, status: int, code: str | None, verdict: Verdict
) -> None:
    vendor.answers({"Code": code, "Message": f"{MOBILE} is wrong", "RequestId": "r"}, status=status)
    assert await send("aliyun", vendor) == verdict
    assert len(vendor.requests) == 1


async def test_aliyuns_wish_when_to_come_again_is_kept(vendor: Vendor) -> None:
    vendor.answers({"Code": "Throttling.Api", "RequestId": "r"}, status=429, x_acs_retry_after="1500")
    assert await send("aliyun", vendor) == Retry("aliyun:Throttling.Api", down=False, after_seconds=2)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("InvalidParameterValue.IncorrectPhoneNumber", Refused),
        ("FailedOperation.PhoneNumberInBlacklist", Refused),
        ("FailedOperation.TemplateIncorrectOrUnapproved", Refused),
        ("FailedOperation.ContainSensitiveWord", Refused),
        ("InvalidParameterValue.TemplateParameterLengthLimit", Refused),
        ("UnsupportedOperation.ChineseMainlandTemplateToGlobalPhone", Refused),
        ("LimitExceeded.AppCountryOrRegionInBlacklist", Refused),
        ("LimitExceeded.PhoneNumberThirtySecondLimit", False),
        ("LimitExceeded.DeliveryFrequencyLimit", False),
        ("RequestLimitExceeded", False),
        ("LimitExceeded.AppDailyLimit", True),
        ("FailedOperation.InsufficientBalanceInSmsPackage", True),
        ("FailedOperation.SignatureIncorrectOrUnapproved", True),
        ("InvalidParameterValue.SdkAppIdNotExist", True),
        ("AuthFailure.SecretIdNotFound", True),
        ("UnauthorizedOperation.ServiceSuspendDueToArrears", True),
        ("InternalError.OtherError", True),
        ("InternalError.Timeout", Unknown),
        ("SomethingNew", True),
    ],
)
async def test_tencents_code_decides_wherever_it_stands(
    vendor: Vendor, code: str, verdict: type[Refused] | type[Unknown] | bool
) -> None:
    """Of a retry: whether the gateway is down."""
    reason = f"tencent:{code}"
    wanted = Retry(reason, down=verdict) if isinstance(verdict, bool) else verdict(reason)
    vendor.answers(status_set(Code=code))
    assert await send("tencent", vendor) == wanted
    vendor.answers(api_error(code))
    assert await send("tencent", vendor) == wanted
    assert len(vendor.requests) == 2


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (429, Retry("http_429", down=False, after_seconds=7)),
        (503, Retry("http_503", after_seconds=7)),
        (403, Retry("http_403")),
        (302, Retry("http_302")),
        (500, Unknown("http_500")),
        (504, Unknown("http_504")),
    ],
)
async def test_an_http_status_of_something_before_tencent_decides(
    vendor: Vendor, status: int, verdict: Verdict
) -> None:
    vendor.answers(b"<html>", status=status, Retry_After="7")
    assert await send("tencent", vendor) == verdict
    assert len(vendor.requests) == 1


@BOTH
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b'"OK"',
        b'{"Response":{}}',
        b'{"Response":[1]}',
        b'{"Response":{"SendStatusSet":[{}]}}',
        b'{"Response":{"SendStatusSet":[]}}',
    ],
)
async def test_an_answer_that_makes_no_sense_leaves_it_unknown(
    vendor: Vendor, scheme: str, body: bytes
) -> None:
    vendor.answers(body)
    assert await send(scheme, vendor) == Unknown("no_answer")
    assert len(vendor.requests) == 1


@BOTH
@pytest.mark.parametrize(
    "answer", [CUT, b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{", b"SSH-2.0\r\n\r\n"]
)
async def test_a_connection_cut_after_the_request_leaves_it_unknown(
    vendor: Vendor, scheme: str, answer: bytes | str
) -> None:
    vendor.answer = answer
    channel = opened(scheme, vendor.port, seconds=SHORT_SECONDS)
    verdict = await channel.send(text())
    await channel.close()
    assert isinstance(verdict, Unknown)
    assert len(vendor.requests) == 1


@BOTH
async def test_an_answer_of_no_type_is_read_to_its_end(vendor: Vendor, scheme: str) -> None:
    vendor.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    channel = opened(scheme, vendor.port)
    assert await channel.send(text()) == Unknown("no_answer")
    await vendor.left_alone()
    await channel.close()


@BOTH
@pytest.mark.parametrize("answer", [HANG, DRIP])
async def test_silence_and_dawdling_leave_it_unknown(vendor: Vendor, scheme: str, answer: str) -> None:
    vendor.answer = answer
    channel = opened(scheme, vendor.port, seconds=SHORT_SECONDS)
    begun = asyncio.get_running_loop().time()
    assert await channel.send(text()) == Unknown("timeout")
    assert asyncio.get_running_loop().time() - begun < 4 * SHORT_SECONDS
    await channel.close()
    assert len(vendor.requests) == 1
    if answer == HANG:
        await vendor.left_alone()


@BOTH
async def test_a_refused_connection_may_be_tried_again(vendor: Vendor, scheme: str) -> None:
    async with serving(gone := Vendor()):
        pass
    channel = opened(scheme, gone.port)
    assert await channel.send(text()) == Retry("unreachable")
    await channel.close()


@BOTH
async def test_a_name_without_an_address_may_be_tried_again(scheme: str) -> None:
    channel = opened(scheme, 443, host="gateway.invalid")
    assert await channel.send(text()) == Retry("unreachable")
    await channel.close()


@BOTH
async def test_a_name_service_that_is_silent_does_not_pass_for_a_request_written(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_asked, **_how: answered.wait(10) and [])
    channel = opened(scheme, 443, host="gateway.invalid", seconds=0.4)
    try:
        assert await channel.send(text()) == Retry("unreachable")
    finally:
        answered.set()  # or its threads would be waited for
        await channel.close()


@pytest.mark.parametrize(
    ("scheme", "open_vendor"), [("aliyun", aliyun.open_vendor), ("tencent", tencent.open_vendor)]
)
async def test_a_server_with_a_strangers_certificate_is_told_nothing(
    scheme: str, open_vendor: Callable[[str], Channel], tmp_path: Path
) -> None:
    vendor = Vendor()
    app = "&app=1" if scheme == "tencent" else ""
    async with serving(vendor, strangers_certificate(tmp_path)):
        channel = open_vendor(f"{scheme}://ID:{SECRET}@127.0.0.1:{vendor.port}?sign=s&invited=1{app}")
        assert await channel.send(text()) == Retry("unreachable")
        await channel.close()
    assert not vendor.requests


@BOTH
async def test_texts_go_out_at_the_same_time(vendor: Vendor, scheme: str) -> None:
    accepts(vendor, scheme)
    channel = opened(scheme, vendor.port, more="&concurrency=4")
    verdicts = await asyncio.gather(*(channel.send(text(delivery_id=number)) for number in range(8)))
    await channel.close()
    assert all(isinstance(verdict, Sent) for verdict in verdicts)
    assert len(vendor.requests) == 8


@BOTH
async def test_a_connection_that_is_closed_between_two_texts_harms_neither(
    vendor: Vendor, scheme: str
) -> None:
    accepts(vendor, scheme)
    vendor.lasting = False
    channel = opened(scheme, vendor.port)
    for _ in range(3):
        assert isinstance(await channel.send(text()), Sent)
    await channel.close()


@BOTH
@pytest.mark.parametrize(
    "answer",
    [
        CUT,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nbroken\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
async def test_no_number_and_no_secret_reaches_a_log(
    vendor: Vendor,
    scheme: str,
    answer: bytes | str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DEBUG", "sdk")
    caplog.set_level(logging.DEBUG)
    vendor.answer = answer
    channel = opened(scheme, vendor.port, seconds=SHORT_SECONDS)
    await channel.send(text())
    await channel.close()
    assert len(vendor.requests) == 1
    logged = caplog.text + "".join(capfd.readouterr())
    for private in ("13800138000", "王芳", SECRET, "Signature"):
        assert private not in logged


@BOTH
async def test_a_closed_channel_sends_nothing(vendor: Vendor, scheme: str) -> None:
    accepts(vendor, scheme)
    channel = opened(scheme, vendor.port)
    await channel.close()
    with pytest.raises(RuntimeError):
        await channel.send(text())
    assert not vendor.requests


# Opening


@BOTH
def test_an_address_with_a_path_is_refused(scheme: str) -> None:
    with pytest.raises(OperatorError, match="has a path"):
        MAKERS[scheme](
            parse(f"{scheme}://ID:{SECRET}@h/sms?sign=s&invited=1&app=1", options=OPTIONS | {"app"})
        )


@BOTH
def test_an_address_without_any_template_is_refused(scheme: str) -> None:
    with pytest.raises(OperatorError, match="names no template"):
        MAKERS[scheme](parse(f"{scheme}://ID:{SECRET}@h?sign=s&app=1", options=OPTIONS | {"app"}))


@BOTH
def test_an_address_without_a_signature_is_refused(scheme: str) -> None:
    with pytest.raises(OperatorError, match="lacks the option sign"):
        MAKERS[scheme](parse(f"{scheme}://ID:{SECRET}@h?invited=1&app=1", options=OPTIONS | {"app"}))


def test_each_vendor_knows_its_own_options() -> None:
    with pytest.raises(OperatorError, match="an option 'app', which aliyun:// does not know"):
        aliyun.open_vendor(f"aliyun://ID:{SECRET}@h?sign=s&invited=1&app=1")
    with pytest.raises(OperatorError, match="lacks the option app"):
        tencent.open_vendor(f"tencent://ID:{SECRET}@h?sign=s&invited=1")
    found = tencent.open_vendor(f"tencent://ID:{SECRET}@h?sign=s&invited=1&app=1&concurrency=2&per_second=3")
    assert (found.concurrency, found.per_second) == (2, 3.0)
