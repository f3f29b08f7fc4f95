"""Numbers in E.164: however they are written, the same; and what cannot take a text is none."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from huiyao.telephone import normalise

FORMATS = (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL)
NOISE = (" ", "-", "(", ")", ".", "\u3000", "\u2013", "")


@pytest.mark.parametrize(
    "written",
    [
        "13800138000",
        "138 0013 8000",
        "138-0013-8000",
        "013800138000",
        "86 138 0013 8000",
        "8613800138000",
        "0086 138 0013 8000",
        "+86-138-0013-8000",
        "(+86) 138 0013 8000",
        "１３８００１３８０００",
        "＋８６　１３８　００１３　８０００",
        "\u202d138 0013 8000\u202c",  # as copied from an address book
        "'13800138000",  # as spreadsheets write what is to stay a text
    ],
)
def test_a_mainland_number_is_the_same_however_it_is_written(written: str) -> None:
    assert normalise(written) == "+8613800138000"


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+852 5123 4567", "+85251234567"),
        ("00852 5123 4567", "+85251234567"),
        ("+886 912 345 678", "+886912345678"),
        ("+49 (0) 1512 3456789", "+4915123456789"),
        ("+1 (201) 555-0123", "+12015550123"),
    ],
)
def test_numbers_of_other_countries_name_the_country(written: str, number: str) -> None:
    assert normalise(written) == number


@pytest.mark.parametrize(
    "written",
    [
        "",
        "+",
        "110",
        "10086",
        "1380013800",
        "138001380000",
        "12345678901",
        "010 6234 5678",  # Beijing's fixed lines
        "+44 20 7946 0018",
        "400 123 4567",
        "5123 4567",  # of Hong Kong, if it said so
        "1.38001E+10",
        "13800138000.0",
        "13800138000 ext. 7",
        "13800138000#7",
        "手机13800138000",
        "13800138000/13900139000",
        "13800138000, 13900139000",
        "1" * 1000,
        "x" * 1000,
    ],
)
def test_what_cannot_take_a_text_is_none(written: str) -> None:
    assert normalise(written) is None


def mobiles() -> list[phonenumbers.PhoneNumber]:
    """One mobile number of each country."""
    found = (
        phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    )
    return [one for one in found if one]


@given(st.sampled_from(mobiles()), st.sampled_from(FORMATS), st.data())
def test_what_stands_between_the_digits_does_not_matter(
    number: phonenumbers.PhoneNumber, form: int, data: st.DataObject
) -> None:
    written = phonenumbers.format_number(number, form)
    gaps = data.draw(st.lists(st.sampled_from(NOISE), min_size=len(written), max_size=len(written)))
    noisy = "".join(character + gap for character, gap in zip(written, gaps, strict=True))
    assert normalise(noisy) == phonenumbers.format_number(number, PhoneNumberFormat.E164)


@given(st.one_of(st.text(), st.from_regex(r"[+0]{0,2}[0-9 ]{5,17}", fullmatch=True)))
def test_a_number_once_normalised_stays_as_it_is(written: str) -> None:
    number = normalise(written)
    assert number is None or normalise(number) == number
