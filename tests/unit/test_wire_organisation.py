"""The forms of orgId and orgSecret (contract section 2)."""

import base64
import struct

import pytest

from huiyao.wire import organisation


def org_id(number: int) -> str:
    return base64.urlsafe_b64encode(struct.pack("<hq", 1, number)).decode()


def test_the_contracts_example_is_organisation_85161() -> None:
    assert organisation.from_org_secret("AQB3AQAAAAAAAKlMAQAAAAAA") == 85161


@pytest.mark.parametrize(
    "value", ["84000", 84000, 84000.0, org_id(84000), org_id(84000).rstrip("="), " 84000 "]
)
def test_an_org_id_is_digits_or_ten_bytes(value: object) -> None:
    assert organisation.from_org_id(value) == 84000


def test_an_org_secret_may_be_digits_too() -> None:
    assert organisation.from_org_secret("85161") == 85161


def test_bytes_that_need_the_url_safe_alphabet_are_read() -> None:
    number = struct.unpack("<q", b"\xfb\xff\xfe\xff\xff\xff\x0f\x00")[0]
    text = org_id(number)
    assert set("-_") & set(text)
    assert organisation.from_org_id(text) == number


@pytest.mark.parametrize(
    "value",
    [
        "",
        "abc",
        "-1",
        "8.5",
        "８４",
        "9" * 20,
        "9" * 5000,
        "AQB3AQAAAAAAAKlMAQAAAAAA",
        "!!!!",
        "A" * 13,
        "A",
        True,
        [],
        {},
        1.5,
        0,
        -3,
        2**63,
    ],
)
def test_of_neither_form_is_no_org_id(value: object) -> None:
    assert organisation.from_org_id(value) is None


@pytest.mark.parametrize(
    "value", ["", "abc", org_id(84000), "AQB3AQAAAAAAAKlMAQAAAAA", "AQB3AQAAAAAAAKlMAQAAAAA/", "键"]
)
def test_of_neither_form_is_no_org_secret(value: str) -> None:
    assert organisation.from_org_secret(value) is None
