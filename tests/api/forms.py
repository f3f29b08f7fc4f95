"""Requests that are nearly right, made from the same declarations the server parses with."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from huiyao.wire.fields import Field, Integer, List, Moment, Object, Text

ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abciduN", max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
_Path = tuple[str | int, ...]


def paths(form: Field[Any], so_far: _Path = ()) -> Iterator[tuple[_Path, Field[Any]]]:
    """Every place in a form, lists having a first and a second entry, with what may stand there."""
    if so_far:
        yield so_far, form
    if isinstance(form, Object):
        for key in form.keys:
            yield from paths(key.field, (*so_far, key.name))
    elif isinstance(form, List):
        for index in (0, 1):
            yield from paths(form.item, (*so_far, index))


def near(field: Field[Any]) -> st.SearchStrategy[Any]:
    """Values at and around what the field takes."""
    if isinstance(field, Text):
        lengths = st.sampled_from([0, 1, field.limit - 1, field.limit, field.limit + 1])
        characters = st.sampled_from(
            ["x", " ", "会", "📅", "\0", "\x1f", "\x7f", "\x85", "\t", "\n", "\u2028"]
        )
        return st.builds(lambda length, character: character * length, lengths, characters)
    if isinstance(field, Integer | Moment):
        low, high = (field.low, field.high) if isinstance(field, Integer) else (0, 4_102_444_799_999)
        edges = [
            low - 1,
            low,
            low + 1,
            high - 1,
            high,
            high + 1,
            0,
            -1,
            2**53,
            2**63,
            2**64,
            10**11,
            253_402_300_799,
        ]
        numbers = st.sampled_from(edges) | st.integers(low, high)
        return numbers | numbers.map(str) | numbers.map(float) | numbers.map(lambda number: f" +{number} ")
    return st.sampled_from(
        [
            *("true", "FALSE", "none", "created", "0", 1, 0, [], {}, [{}], [None]),
            *("AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAE"),
        ]
    )


def changed(form: Object[Any], example: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The example with one to three places taken out or replaced."""
    places = list(paths(form))

    @st.composite
    def build(draw: st.DrawFn) -> dict[str, Any]:
        whole = copy.deepcopy(example)
        for _ in range(draw(st.integers(1, 3))):
            path, field = draw(st.sampled_from(places))
            _put(whole, path, draw(near(field) | ANY_JSON), remove=draw(st.integers(0, 9)) == 0)
        return whole

    return build()


def _put(whole: Any, path: _Path, value: object, *, remove: bool) -> None:
    """Replace or take out what is at the path, where the way there still leads somewhere."""
    for step in path[:-1]:
        try:
            whole = whole[step]
        except (KeyError, IndexError, TypeError):
            return
    last = path[-1]
    if isinstance(whole, dict) and isinstance(last, str):
        if remove:
            whole.pop(last, None)
        else:
            whole[last] = value
    elif isinstance(whole, list) and isinstance(last, int) and last < len(whole):
        whole[last] = value
