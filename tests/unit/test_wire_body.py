"""A body of bytes is a JSON object or refused (contract section 1)."""

import pytest

from huiyao import errors
from huiyao.wire import body


@pytest.mark.parametrize("raw", [b"", b" ", b"\r\n\t "])
def test_an_empty_or_blank_body_is_empty(raw: bytes) -> None:
    with pytest.raises(errors.EmptyBody):
        body.decode(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b'{"a":}',
        b'{"a":1,}',
        b'{"a":1}{}',
        b"uid=1",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1e400}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\udc00x"}',
        b'{"a":"tab\there"}',
        b'{"a":' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        '{"a":"会"}'.encode("gbk"),
        '{"a":"会"}'.encode("utf-16"),
    ],
    ids=lambda raw: repr(raw[:20]),
)
def test_what_is_no_json_names_the_body(raw: bytes) -> None:
    with pytest.raises(errors.BadParameter) as caught:
        body.decode(raw)
    assert caught.value.message() == "参数错误: body 不是合法的JSON"


@pytest.mark.parametrize("raw", [b"[]", b"1", b"null", b'"text"', b"true"])
def test_json_that_is_no_object_names_the_body(raw: bytes) -> None:
    with pytest.raises(errors.BadParameter) as caught:
        body.decode(raw)
    assert caught.value.message() == "参数错误: body 必须是JSON对象"


def test_of_a_repeated_key_the_last_counts() -> None:
    assert body.decode(b'{"a":1,"b":2,"a":3}') == {"a": 3, "b": 2}


def test_escaped_pairs_and_large_integers_are_read_exactly() -> None:
    assert body.decode(b'{"a":"\\ud83d\\udcc5","b":18446744073709551617}') == {"a": "📅", "b": 2**64 + 1}
