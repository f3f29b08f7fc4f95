"""A pattern of digits matches the numbers of its range and no other."""

import re

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huiyao.wire import cursor
from huiyao.wire.digits import between
from huiyao.wire.fields import LARGEST_ID, LATEST_MOMENT, Fault, Field, Integer, Moment, Text

numbers = st.integers(0, 10**20) | st.integers(0, 50_000)


@given(low=numbers, high=numbers, number=numbers, zeros=st.integers(0, 3))
def test_a_number_matches_where_it_is_within_the_range(low: int, high: int, number: int, zeros: int) -> None:
    low, high = min(low, high), max(low, high)
    matches = re.compile(between(low, high)).fullmatch
    for one in (number, low, high, low - 1, high + 1):
        if one >= 0:
            assert bool(matches("0" * zeros + str(one))) == (low <= one <= high), one


@pytest.mark.parametrize(
    "field",
    [
        *(Integer(0, 1), Integer(2, 3), Integer(0, 40_320), Integer(1, 200)),
        *(Moment(), Moment(zero_is_unset=True), Text(5), Text(5, blank=True)),
    ],
    ids=lambda field: type(field).__name__,
)
@given(
    value=st.integers(-3, LATEST_MOMENT + 3)
    | st.integers(-3, 50_000)
    | st.integers(4_102_444_790, 4_102_444_810)
    | st.integers(99_999_999_990, 100_000_000_010)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff"), max_size=7)
    | st.booleans(),
    form=st.sampled_from(["{}", "+{}", "-{}", " 0{}\n", "{}.0"]),
    as_text=st.booleans(),
)
def test_the_schema_and_the_server_accept_the_same(
    field: Field[object], value: object, form: str, as_text: bool
) -> None:
    sent = form.format(value) if as_text and type(value) is int else value
    if type(sent) is int and isinstance(field, Text):
        return  # of a number that stands for a text, a schema cannot say how long it is
    try:
        field.parse(sent)
    except Fault:
        accepted = False
    else:
        accepted = True
    assert jsonschema.Draft202012Validator(field.schema()).is_valid(sent) == accepted, sent


def test_the_largest_id_is_the_last_that_fits_as_text_too() -> None:
    valid = jsonschema.Draft202012Validator(Integer(1, LARGEST_ID).schema()).is_valid
    assert valid(str(LARGEST_ID))
    assert not valid(str(LARGEST_ID + 1))


def test_a_cursor_in_the_other_alphabet_of_base64_is_none() -> None:
    written = cursor.write_below(2**62 + 2**56 - 1)
    assert cursor.BelowCursor().parse(written) == 2**62 + 2**56 - 1
    for one in (written.replace("_", "/"), written.replace("_", "/") + "=", f"{written}\n"):
        if one != written:
            with pytest.raises(Fault):
                cursor.BelowCursor().parse(one)
