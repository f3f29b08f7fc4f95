"""What a search for people looks in: the name, its pinyin and initials, and the uid.

The spelling of Chinese characters is pypinyin's, loaded when the first name with one is met: the tables cost 13 MB and
60 ms. Its tables of phrases would cost 50 MB more; names are not in them.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from importlib import import_module
from itertools import islice, product
from typing import Any, Final

MOST_SPELLINGS: Final = 8  # of one name
REMEMBERED: Final = 10_000  # names; each create names people who were met before

_IDEOGRAPHS: Final = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f\U00030000-\U000323af"
_UNIT: Final = re.compile(f"[{_IDEOGRAPHS}]+|[^\\s{_IDEOGRAPHS}]+")
_IS_IDEOGRAPH: Final = re.compile(f"[{_IDEOGRAPHS}]")


def fold(text: str) -> str:
    """As it is looked for: compatible forms made one, in lower case, single blanks between words."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def search_text(uid: str, name: str) -> str:
    """Pieces separated by blanks: "曾芳" of u1001 is "曾芳 cengfang zengfang cf zf u1001"."""
    return f"{_spelled(name)} {fold(uid)}"


@lru_cache(REMEMBERED)
def _spelled(name: str) -> str:
    """The name, then how it may be spelled in one word, then by initials; a heteronym by each of its readings."""
    folded = fold(name)
    readings = list(_readings(folded))
    # The first character, the surname, changes fastest: of many readings its own are all among the first.
    spellings = (
        [one[::-1] for one in islice(product(*reversed(readings)), MOST_SPELLINGS)] if readings else []
    )
    whole = ("".join(one) for one in spellings)
    initials = ("".join(part[0] for part in one) for one in spellings)
    return " ".join(dict.fromkeys((folded, *whole, *initials)))


def _readings(folded: str) -> Iterator[Sequence[str]]:
    """Of each Chinese character all its readings; any other word is read as it is written."""
    for unit in _UNIT.findall(folded):
        if _IS_IDEOGRAPH.match(unit):
            for found in _pinyin()(unit):
                usual = [reading for reading in found if reading]
                yield usual or [unit]
        else:
            yield [unit]


@cache
def _pinyin() -> Callable[[str], list[list[str]]]:
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "1")
    os.environ.setdefault("PYPINYIN_NO_DICT_COPY", "1")
    pypinyin: Any = import_module("pypinyin")

    def spell(text: str) -> list[list[str]]:
        found: list[list[str]] = pypinyin.pinyin(
            text, style=pypinyin.Style.NORMAL, heteronym=True, errors=list
        )
        return found

    return spell
