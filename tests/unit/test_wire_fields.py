"""What a scalar, list or object on the wire may be (contract section 1)."""

from typing import Any

import pytest

from huiyao.errors import BadParameter
from huiyao.wire import body
from huiyao.wire.fields import (
    Boolean,
    Choice,
    Field,
    Integer,
    Key,
    List,
    Moment,
    Object,
    Text,
    Visible,
)

INTEGER = Integer(-5, 40_320)
LAST = 4_102_444_799_999


def refusal(field: Field[Any], value: object) -> str:
    with pytest.raises(BadParameter) as caught:
        body.parse(field, value, path="x")
    assert caught.value.field == "x"
    return caught.value.message()


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (15, 15),
        ("15", 15),
        (" +15\t", 15),
        ("-5", -5),
        (15.0, 15),
        ("0" * 5000 + "7", 7),
        ("0" * 5000, 0),
        (-0.0, 0),
    ],
)
def test_an_integer_is_a_number_with_zero_fraction_or_digits(value: object, number: int) -> None:
    assert body.parse(INTEGER, value) == number


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "+",
        "1.0",
        "0x1",
        "1_000",
        "１５",
        "1 5",
        "--1",
        1.5,
        True,
        False,
        [],
        {},
        float("inf"),
        "\u00a05",
    ],
)
def test_what_is_no_integer_is_refused(value: object) -> None:
    assert refusal(INTEGER, value) == "参数错误: x 必须是整数"


@pytest.mark.parametrize("value", [-6, 40_321, 2**63, 2**200, "9" * 9000, "-" + "9" * 31, 1e300])
def test_an_integer_out_of_range_is_refused_with_the_range(value: object) -> None:
    assert refusal(INTEGER, value) == "参数错误: x 必须在-5到40320之间"


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        (True, True),
        (False, False),
        (1, True),
        (0, False),
        (1.0, True),
        ("true", True),
        ("TRUE", True),
        ("False", False),
        ("1", True),
        ("0", False),
    ],
)
def test_a_boolean_comes_in_many_forms(value: object, truth: bool) -> None:
    assert body.parse(Boolean(), value) is truth


@pytest.mark.parametrize("value", [2, -1, "yes", "", "tru e", [], {}, 0.5])
def test_what_is_no_boolean_is_refused(value: object) -> None:
    assert refusal(Boolean(), value) == "参数错误: x 必须是true或false"


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (1_478_851_200_000, 1_478_851_200_000),
        ("1478851200000", 1_478_851_200_000),
        (1_478_851_200, 1_478_851_200_000),
        ("1478851200", 1_478_851_200_000),
        (0, 0),
        (1, 1000),
        (99_999_999_999 // 1000, 99_999_999_000),
        (100_000_000_000, 100_000_000_000),
        (LAST, LAST),
        (4_102_444_799, 4_102_444_799_000),
    ],
)
def test_a_moment_below_a_hundred_thousand_million_is_in_seconds(value: object, moment: int) -> None:
    assert body.parse(Moment(), value) == moment


@pytest.mark.parametrize(
    "value", [LAST + 1, 4_102_444_800, 99_999_999_999, 253_402_300_799_000, 2**63, "9" * 40]
)
def test_a_moment_after_2099_is_refused(value: object) -> None:
    assert refusal(Moment(), value) == "参数错误: x 不能晚于2099年"


@pytest.mark.parametrize("value", [-1, "-1", -(2**70)])
def test_a_negative_moment_is_refused(value: object) -> None:
    assert refusal(Moment(), value) == "参数错误: x 不能为负数"


def test_where_zero_means_not_set_a_moment_of_zero_is_missing() -> None:
    assert refusal(Moment(zero_is_unset=True), 0) == "参数错误: x 不能为空"
    assert body.parse(Moment(zero_is_unset=True), 1) == 1000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("张三", "张三"),
        (13800138000, "13800138000"),
        (-1, "-1"),
        (" a ", " a "),
        ("a\tb\r\nc", "a\tb\r\nc"),
        ("👨‍👩‍👧", "👨‍👩‍👧"),
    ],
)
def test_a_text_is_a_string_or_an_integer_and_is_kept_as_it_came(value: object, text: str) -> None:
    assert body.parse(Text(64), value) == text


@pytest.mark.parametrize("value", [1.0, True, [], {}, ["a"]])
def test_what_is_no_text_is_refused(value: object) -> None:
    assert refusal(Text(64), value) == "参数错误: x 必须是字符串"


@pytest.mark.parametrize(
    "character",
    ["\0", "\x01", "\x08", "\x0b", "\x0c", "\x1b", "\x1f", "\x7f", "\x80", "\x9f", "\ud800"],
)
def test_a_text_holds_no_control_character_and_no_lone_surrogate(character: str) -> None:
    assert refusal(Text(64), f"a{character}b") == "参数错误: x 含有不允许的控制字符"


@pytest.mark.parametrize(
    "character", ["\u00a0", "\u00b7", "\u3000", "\u2028", "\u200b", "\ue000", "\U0010ffff", "\ufeff"]
)
def test_a_text_holds_any_other_character_printable_or_not(character: str) -> None:
    assert body.parse(Text(64), f"a{character}b") == f"a{character}b"


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u3000"])
def test_a_blank_text_is_refused_unless_it_may_be_blank(blank: str) -> None:
    assert refusal(Text(64), blank) == "参数错误: x 不能为空"
    assert body.parse(Text(64, blank=True), blank) == blank


def test_a_text_is_measured_in_characters() -> None:
    assert body.parse(Text(4), "📅会议室") == "📅会议室"
    assert refusal(Text(4), "12345") == "参数错误: x 不能超过4个字符"
    assert refusal(Text(4), 12345) == "参数错误: x 不能超过4个字符"


@pytest.mark.parametrize("value", ["", "a b", "键", "a\n", "x" * 256, 1.0, None, True])
def test_a_key_is_1_to_255_visible_ascii_characters(value: object) -> None:
    assert "可见ASCII字符" in refusal(Visible(255), value)
    assert body.parse(Visible(255), "x" * 255) == "x" * 255
    assert body.parse(Visible(255), 7) == "7"


def test_a_choice_is_one_of_its_words() -> None:
    assert body.parse(Choice("none"), "none") == "none"
    assert refusal(Choice("a", "b"), "c") == "参数错误: x 必须是a或b"
    assert refusal(Choice("a", "b"), []) == "参数错误: x 必须是a或b"


PAIR = Object(
    lambda *values: values,
    Key("a", INTEGER),
    Key("b", List(Object(lambda c: c, Key("c", INTEGER)), limit=3), default=None),
)


def test_an_objects_unknown_fields_are_ignored_and_null_counts_as_absent() -> None:
    assert body.parse(PAIR, {"a": 1, "b": None, "z": object()}) == (1, None)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({}, "a"),
        ({"a": None}, "a"),
        ({"a": 1, "b": []}, "b"),
        ({"a": 1, "b": {}}, "b"),
        ({"a": 1, "b": [{"c": 1}] * 4}, "b"),
        ({"a": 1, "b": [{"c": 1}, {"c": ""}]}, "b[1].c"),
        ({"a": 1, "b": [{"c": 1}, {"c": 2}, 7]}, "b[2]"),
        ({"a": 1, "b": [None]}, "b[0]"),
        ([], "body"),
        ("text", "body"),
    ],
)
def test_a_fault_names_the_path_to_the_field(value: object, path: str) -> None:
    with pytest.raises(BadParameter) as caught:
        body.parse(PAIR, value)
    assert caught.value.field == path


def test_english_and_chinese_say_the_same() -> None:
    with pytest.raises(BadParameter) as caught:
        body.parse(PAIR, {"a": "x"})
    assert caught.value.message() == "参数错误: a 必须是整数"
    assert caught.value.message(english=True) == "invalid parameter: a must be an integer"
