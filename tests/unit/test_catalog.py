"""Everything the pages say, they say in Chinese too."""

import re

import pytest

from huiyao.pages import catalog
from tests.unit import words

_NAMES = re.compile(r"%\((\w+)\)")


def test_every_word_of_the_pages_has_its_chinese_and_none_is_left_over() -> None:
    used = {words.key(one) for one in words.used() if one.id}
    kept = {words.key(one): one.string for one in words.kept() if one.id}
    assert used - kept.keys() == set(), "run `make words`, then put in the Chinese"
    assert kept.keys() - used == set(), "run `make words`"
    assert [one for one, chinese in kept.items() if not chinese or chinese == ("",)] == []


def test_the_chinese_has_the_same_places_to_fill_in() -> None:
    for one in words.kept():
        if not one.id:
            continue
        chinese = (one.string,) if isinstance(one.string, str) else one.string or ()
        for text in chinese:
            assert set(_NAMES.findall(text)) <= set(_NAMES.findall(words.key(one))) | {"num"}, words.key(one)


@pytest.mark.parametrize(
    ("wish", "spoken"),
    [
        ("", "zh-CN"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("fr,en;q=0.5,zh;q=0.4", "en"),
        ("zh-TW", "zh-CN"),
        ("de", "zh-CN"),
        ("en;q=0, zh;q=0.1", "zh-CN"),
        ("en;q=x", "zh-CN"),
        (";;;,,q=1", "zh-CN"),
    ],
)
def test_a_browser_gets_the_better_of_the_two_languages(wish: str, spoken: str) -> None:
    assert catalog.preferred(wish) == spoken


def test_the_catalogue_is_used() -> None:
    assert catalog.translations("zh-CN").gettext("Accept") == "接受"
    assert catalog.translations("en").gettext("Accept") == "Accept"
