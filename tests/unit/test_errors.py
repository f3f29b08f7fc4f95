"""Every return code has its messages, its place in the tree, and its row in the documentation."""

import re
from pathlib import Path

import pytest

from huiyao import errors

ROOT = Path(__file__).parents[2]


def every(root: type[errors.ApiError]) -> list[type[errors.ApiError]]:
    return [root, *(found for one in root.__subclasses__() for found in every(one))]


ALL = every(errors.ApiError)


def documented(page: str) -> set[tuple[int, int]]:
    """(code, HTTP status) of each row of the table in the documentation."""
    rows = re.findall(r"^\| (-?\d+) \| (\d+) \|", (ROOT / "docs" / page).read_text(), re.MULTILINE)
    return {(int(code), int(http)) for code, http in rows}


@pytest.mark.parametrize("page", ["return-codes.md", "return-codes.zh.md"])
def test_the_documentation_lists_exactly_the_codes_that_exist(page: str) -> None:
    assert documented(page) == {(one.code, one.http_status) for one in ALL} | {(0, 200)}


@pytest.mark.parametrize("error", ALL, ids=lambda one: one.__name__)
def test_every_message_is_chinese_and_english_without_a_full_stop(error: type[errors.ApiError]) -> None:
    assert re.search(r"[\u4e00-\u9fff]", error.zh)
    assert not error.zh.endswith(("。", "."))
    assert not error.en.endswith(".")
    assert not re.search(r"[\u4e00-\u9fff]", error.en)


@pytest.mark.parametrize("error", ALL[1:], ids=lambda one: one.__name__)
def test_every_error_says_what_to_do(error: type[errors.ApiError]) -> None:
    assert error.remedy


def test_the_tree_in_the_modules_docstring_is_the_tree() -> None:
    assert errors.__doc__
    drawn = re.findall(r"── (\w+) +(?:(-?\d+)(?:, HTTP (\d+))?)?", errors.__doc__)
    found = {(name, int(code), int(http or 200)) for name, code, http in drawn if code}
    assert found == {(one.__name__, one.code, one.http_status) for one in ALL[1:]}


def test_the_message_of_4003_is_the_platforms_own_to_the_byte() -> None:
    assert errors.ExpiredToken().message() == "accessToken超时，请重新获取"


def test_a_bad_parameter_names_its_field_in_both_languages() -> None:
    error = errors.BadParameter("detail.members[3].uid", "不能为空", "must not be empty")
    assert error.message() == "参数错误: detail.members[3].uid 不能为空"
    assert error.message(english=True) == "invalid parameter: detail.members[3].uid must not be empty"
    assert error.field == "detail.members[3].uid"
