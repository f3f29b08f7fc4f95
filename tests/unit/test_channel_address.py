"""What an SMS gateway's address may hold, what is said of a wrong one, and which channel it opens."""

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from huiyao.channels.address import Address, parse
from huiyao.channels.contract import Outgoing, Sent
from huiyao.channels.opening import open_sms
from huiyao.channels.templates import KINDS, Templates
from huiyao.channels.templates import OPTIONS as VENDORS_OPTIONS
from huiyao.errors import OperatorError
from huiyao.settings import SMS_SCHEMES
from huiyao.texts.sms import PARAMS

OPTIONS = frozenset({"from", "sign"})
TEXT = Outgoing(
    org_id=1,
    delivery_id=2,
    attempt=1,
    kind="invited",
    english=False,
    number="+8613800138000",
    text="…",
    params=dict.fromkeys(PARAMS, "…"),
)


def address(tail: str = "", *, who: str = "user:word", where: str = "gw.example:13013") -> Address:
    return parse(f"kannel://{who}@{where}{tail}", options=OPTIONS)


def fault(url: str) -> str:
    with pytest.raises(OperatorError) as caught:
        parse(url, options=OPTIONS)
    assert caught.value.__cause__ is None, "what urlsplit said may quote the URL"
    said = str(caught.value)
    assert "\n" not in said
    assert said.count(". ") == 0
    assert said.endswith(".")
    return said


def test_an_address_says_who_where_and_how() -> None:
    found = address("/cgi-bin/sendsms?from=1069&concurrency=3&per_second=0.5&tls=true")
    assert (found.user, found.password, found.host, found.port) == ("user", "word", "gw.example", 13013)
    assert (found.path, found.options) == ("/cgi-bin/sendsms", {"from": "1069"})
    assert (found.concurrency, found.per_second, found.tls) == (3, 0.5, True)
    assert (found.protocol, found.authority) == ("https", "gw.example:13013")


def test_what_an_address_does_not_say_has_a_default() -> None:
    found = address(where="gw.example")
    assert (found.port, found.path, found.options) == (None, "", {})
    assert (found.concurrency, found.per_second, found.tls) == (8, 50.0, False)
    assert (found.protocol, found.authority) == ("http", "gw.example")
    assert parse("aliyun://a:b@h", options=(), tls=True).tls


def test_an_address_of_ipv6_keeps_its_brackets() -> None:
    assert address(where="[::1]:13013").authority == "[::1]:13013"


def test_every_part_is_percent_decoded_and_a_plus_is_a_plus() -> None:
    found = address("/a%20b?from=+86&sign=%E4%BC%9A%E9%82%80%26%3D", who="us%40er:p%3A%2F%23%3F%25")
    assert (found.user, found.password) == ("us@er", "p:/#?%")
    assert (found.path, found.options) == ("/a b", {"from": "+86", "sign": "会邀&="})
    assert address("?sign=会邀").options == {"sign": "会邀"}


@pytest.mark.parametrize(
    "url",
    [
        "kannel:",
        "kannel://",
        "kannel://gw.example",
        "kannel://user@gw.example",
        "kannel://:secret@gw.example",
        "kannel://user:secret@",
        "kannel://user:secret@:13013",
        "kannel://user:secret@gw.example:0",
        "kannel://user:secret@gw.example:70000",
        "kannel://user:secret@gw.example:http",
        "kannel://user:secret@[gw.example",
        "kannel://user:secret@gw..example",
        "kannel://user:secret@gw<>example",
        "kannel://user:secret@gw%2Fexample",
        "kannel://user:sec#ret@gw.example",
        "kannel://user:12?secret@gw.example",
        "kannel://user:12/secret@gw.example",
        "kannel://user:12/a@secret=b@gw.example",
        "kannel://user:12?a@secret=b@gw.example",
        "kannel://user:12@secret/x@gw.example",
        "kannel://user:12@b?secret@gw.example",
        "kannel://user:12@secret@gw.example",
        "kannel://user:secret@gw.example/ x",
        "kannel://user:secret@gw.example\n",
    ],
)
def test_an_address_that_lacks_a_part_is_refused_without_showing_it(url: str) -> None:
    said = fault(url)
    assert "must have the form SCHEME://USER:PASSWORD@HOST:PORT" in said
    assert "secret" not in said


def test_an_option_that_is_not_known_is_named() -> None:
    assert fault("kannel://u:secret@h?form=1069") == (
        "HUIYAO_SMS_URL has an option 'form', which kannel:// does not know."
    )


@pytest.mark.parametrize("query", ["from", "from=", "from=1&from=2"])
def test_an_option_stands_there_once_and_with_a_value(query: str) -> None:
    assert fault(f"kannel://u:p@h?{query}") == "HUIYAO_SMS_URL must have its option from once, with a value."


@pytest.mark.parametrize(
    ("option", "values", "form"),
    [
        ("tls", ["yes", "2"], "true or false"),
        ("concurrency", ["0", "1001", "-1", "1.5", "８", "many"], "a whole number from 1 to 1000"),
        (
            "per_second",
            ["0", "-1", "100001", "nan", "inf", "fast"],
            "a number above 0, and 100000 at the most",
        ),
    ],
)
def test_an_option_out_of_range_is_named_with_its_form(option: str, values: list[str], form: str) -> None:
    for value in values:
        said = fault(f"kannel://u:p@h?{option}={value}")
        assert said == f"The option {option} of HUIYAO_SMS_URL must be {form}."


def test_bytes_that_are_no_text_are_refused() -> None:
    assert "UTF-8" in fault("kannel://u:%ff@h")


@pytest.mark.parametrize("who", ["user:secret%0A", "user:%20secret", "%20user:secret"])
def test_a_secret_with_a_blank_at_an_end_is_refused(who: str) -> None:
    said = fault(f"kannel://{who}@h")
    assert "must not begin or end with a blank" in said
    assert "secret" not in said


def test_a_needed_option_that_is_missing_is_named() -> None:
    with pytest.raises(OperatorError, match="lacks the option sign, which kannel:// needs"):
        address().need("sign")
    assert address("?sign=a").need("sign") == "a"


def test_a_count_has_a_default_and_a_range() -> None:
    assert address().count("sign", default=7, most=9) == 7
    assert address("?sign=9").count("sign", default=7, most=9) == 9
    for wrong in ("0", "10", "x", "-1", "1.5"):
        with pytest.raises(OperatorError, match=r"The option sign .* from 1 to 9"):
            address(f"?sign={wrong}").count("sign", default=7, most=9)


def test_an_address_that_is_printed_shows_no_secret() -> None:
    shown = repr(address("?from=1069", who="account:word"))
    assert shown == "Address(kannel://…@gw.example:13013)"


# Opening


async def test_the_log_takes_every_text() -> None:
    channel = open_sms("log:")
    assert (channel.name, channel.gateway, channel.two_way) == ("sms", "log", False)
    assert await channel.send(TEXT) == Sent("")
    await channel.close()


@pytest.mark.parametrize("url", ["", "log", "smpp://u:secret@h", "secret", "aliyun:u:secret@h"])
def test_an_unknown_scheme_is_refused_without_showing_the_address(url: str) -> None:
    with pytest.raises(OperatorError) as caught:
        open_sms(url)
    assert str(caught.value) == "HUIYAO_SMS_URL must begin with log:, kannel://, aliyun:// or tencent://."


@pytest.mark.parametrize("scheme", ["kannel", "aliyun", "tencent"])
async def test_the_scheme_chooses_the_gateway(scheme: str) -> None:
    assert f"{scheme}://" in SMS_SCHEMES
    tail = "" if scheme == "kannel" else "?sign=s&invited=1" + ("&app=1" if scheme == "tencent" else "")
    channel = open_sms(f"{scheme}://u:p@127.0.0.1:1{tail}")
    assert (channel.name, channel.gateway) == ("sms", scheme)
    await channel.close()


@pytest.mark.parametrize(
    ("scheme", "package"),
    [("aliyun", "alibabacloud_dysmsapi20170525"), ("tencent", "tencentcloud.sms.v20210111")],
)
def test_a_missing_sdk_is_named_with_its_remedy(
    scheme: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith(package)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, f"huiyao.channels.{scheme}", raising=False)
    with pytest.raises(OperatorError) as caught:
        open_sms(f"{scheme}://u:secret@h?sign=s&invited=1&app=1")
    assert str(caught.value) == (
        f"HUIYAO_SMS_URL names {scheme}://, which needs more packages: run `pip install 'huiyao[{scheme}]'`."
    )


def test_the_log_loads_no_gateways_packages() -> None:
    script = (
        "import sys; from huiyao.channels.opening import open_sms; open_sms('log:');"
        "print(sorted({'httpx', 'requests', 'aiohttp', 'tencentcloud', 'darabonba'} & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert told.stdout == "[]\n"


# The documentation

DOCUMENT = (Path(__file__).parents[2] / "docs" / "sms.md").read_text()


@pytest.mark.parametrize("scheme", ["kannel", "aliyun", "tencent"])
async def test_the_documented_address_opens_its_gateway(scheme: str) -> None:
    (url,) = re.findall(rf"^export HUIYAO_SMS_URL='({scheme}://.*)'$", DOCUMENT, re.MULTILINE)
    channel = open_sms(url)
    assert channel.gateway == scheme
    await channel.close()


@pytest.mark.parametrize(
    "option", sorted({*VENDORS_OPTIONS, "app", "region", "from", "tls", "concurrency", "per_second"})
)
def test_every_option_is_documented(option: str) -> None:
    assert f"`{option}`" in DOCUMENT


@pytest.mark.parametrize("kind", KINDS)
def test_the_documented_templates_of_a_kind_use_its_values(kind: str) -> None:
    message = msgspec.structs.replace(TEXT, kind=kind)
    named = Templates(parse("aliyun://u:p@h?invited=1", options=VENDORS_OPTIONS)).values(message)
    rows = re.findall(rf"^\| `{kind}` \| `(.*)` \| `(.*)` \|$", DOCUMENT, re.MULTILINE)
    (aliyun, tencent) = rows
    for template in aliyun:
        used = re.findall(r"\$\{(\w+)\}", template)
        assert len(used) == len(set(used))
        assert set(used) <= set(named)
    for template in tencent:
        assert sorted(re.findall(r"\{(\d)\}", template)) == [str(n) for n in range(1, len(named) + 1)]
