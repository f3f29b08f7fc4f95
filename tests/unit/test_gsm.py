"""The GSM alphabet."""

import pytest

from huiyao import gsm


def test_the_basic_table_has_its_127_characters() -> None:
    assert sum(gsm.is_gsm(chr(code)) and gsm.septets(chr(code)) == 1 for code in range(0x10000)) == 127


def test_characters_behind_an_escape_count_two() -> None:
    assert gsm.septets("a^{}\\[~]|€\fb") == 1 + 10 * 2 + 1


@pytest.mark.parametrize(
    "text", ["", "Meeting at 10:00, Café Öl? 5% @ £3", "line\r\nbreak", "Δ_ΦΓΛΩΠΨΣΘΞ", "€[1]"]
)
def test_a_text_of_the_alphabet_is_known(text: str) -> None:
    assert gsm.is_gsm(text)


@pytest.mark.parametrize("text", ["会议", "10:00–11:00", "…", "ç", "`", "\t", "😀", "fine until here\u00a0"])
def test_one_character_outside_is_enough(text: str) -> None:
    assert not gsm.is_gsm(text)
