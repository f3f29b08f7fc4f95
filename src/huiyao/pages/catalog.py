"""The pages' words in the two languages: English stands in templates and code, Chinese in translations/zh_CN.po."""

import io
from functools import lru_cache
from gettext import NullTranslations
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

CHINESE: Final = "zh-CN"
ENGLISH: Final = "en"
CATALOG: Final = Path(__file__).parent / "translations" / "zh_CN.po"


def N_(text: str) -> str:
    """Marks words of a table for translation; whoever shows them translates them."""
    return text


@lru_cache(maxsize=2)
def translations(locale: str) -> NullTranslations:
    """Of CHINESE or ENGLISH; what is not in the catalogue stays English."""
    if locale == ENGLISH:
        return NullTranslations()
    with CATALOG.open("rb") as file:
        catalog = read_po(file, locale="zh_CN")
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return Translations(compiled)


def preferred(accept_language: str) -> str:
    """The better one of the two for a browser's Accept-Language (RFC 9110, 12.5.4); Chinese where it has no wish."""
    best, best_weight = CHINESE, 0.0
    for part in accept_language.split(","):
        tag, _, weight_text = part.strip().partition(";q=")
        name = tag.strip().lower().partition("-")[0]
        try:
            weight = float(weight_text or 1)
        except ValueError:
            continue
        if name in ("zh", "en") and weight > best_weight:
            best, best_weight = (CHINESE if name == "zh" else ENGLISH), weight
    return best
