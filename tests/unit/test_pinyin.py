"""What people are found by: the name as it is written, spelled and abbreviated, and the uid."""

import subprocess
import sys

import pytest

from huiyao.pinyin import MOST_SPELLINGS, fold, search_text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("张芳", "张芳 zhangfang zf u1"),
        ("曾芳", "曾芳 cengfang zengfang cf zf u1"),
        ("Anna  Maria SMITH", "anna maria smith annamariasmith ams u1"),
        ("李 Bruce", "李 bruce libruce lb u1"),
        ("ＡＢ１２", "ab12 a u1"),
        ("吕布", "吕布 lvbu lb u1"),
    ],
)
def test_a_name_is_found_as_written_spelled_and_abbreviated(name: str, text: str) -> None:
    assert search_text("U1", name) == text


def test_a_surname_is_spelled_in_every_way_before_the_spellings_become_too_many() -> None:
    pieces = search_text("u1", "单乐乐乐乐").split()
    spelled = [one for one in pieces if len(one) > len("lllll") and one.isascii()]
    assert len(spelled) == MOST_SPELLINGS
    assert {one.removesuffix("lelelele") for one in spelled} >= {"dan", "chan", "shan"}


@pytest.mark.parametrize("name", ["", " ", "🙂", "\ufdfa", "\U0002f80a", "·", "〇", "a" * 128, "乐" * 128])
def test_any_name_has_a_text_with_the_uid_behind_it(name: str) -> None:
    assert search_text("u1", name).endswith(" u1")
    assert fold(name) in search_text("u1", name)


def test_the_tables_are_loaded_with_the_first_chinese_name_and_those_of_phrases_never() -> None:
    program = """
import sys
from huiyao.pinyin import search_text
search_text("u1", "Anna Smith")
assert "pypinyin" not in sys.modules
search_text("u1", "王芳")
assert "pypinyin" in sys.modules
assert "pypinyin.phrases_dict" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
