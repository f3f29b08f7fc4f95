"""The GSM 7-bit default alphabet (3GPP TS 23.038, 6.2.1): which texts fit it, and how long they are in it."""

from typing import Final

# The table's rows of sixteen; the place of the escape character, 0x1B, is left out.
_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")  # behind an escape character


def is_gsm(text: str) -> bool:
    """Whether every character is in the alphabet or its extension table; the empty text is."""
    return all(character in _BASIC or character in _EXTENDED for character in text)


def septets(text: str) -> int:
    """The length of a text that is in the alphabet; characters of the extension table count two."""
    return len(text) + sum(character in _EXTENDED for character in text)
