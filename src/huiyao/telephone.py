"""Telephone numbers that can take a text, in E.164 (+8613800138000), by the tables of the library phonenumbers."""

from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

REGION: Final = "CN"  # of numbers that name no country

# In some countries, the United States among them, a number does not tell which of the two it is.
_MOBILE: Final = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


def normalise(number: str) -> str | None:
    """The number in E.164 however it is written, of another country than China's with + or 00 before it.

    None for what is no valid mobile number. Words and extensions are not overlooked: they are no part of one.
    """
    if any(character.isalpha() for character in number):
        return None
    try:
        parsed = phonenumbers.parse(number, REGION)
    except NumberParseException:
        return None
    # An invalid number is of no type.
    if phonenumbers.number_type(parsed) not in _MOBILE or parsed.extension:
        return None
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
