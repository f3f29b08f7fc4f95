"""Numbers written as text, as a regular expression: JSON Schema's `minimum` and `maximum` say nothing of strings."""


def between(low: int, high: int) -> str:
    """What matches the numbers from `low` to `high`, neither of them negative, with any zeros before them."""
    found: list[str] = []
    for length in range(len(str(low)), len(str(high)) + 1):
        first = max(low, 10 ** (length - 1) if length > 1 else 0)
        found += _of_one_length(str(first), str(min(high, 10**length - 1)))
    return f"0*(?:{'|'.join(_joined(found))})"


def _of_one_length(low: str, high: str) -> list[str]:
    """Patterns for the numbers between two of as many digits."""
    rest = len(low) - 1
    if not rest:
        return [_digit(low, high)]
    if low[1:] == "0" * rest and high[1:] == "9" * rest:
        return [f"{_digit(low[0], high[0])}[0-9]{{{rest}}}"]
    if low[0] == high[0]:
        return [low[0] + tail for tail in _of_one_length(low[1:], high[1:])]
    found: list[str] = []
    begin, end = int(low[0]), int(high[0])
    if low[1:] != "0" * rest:
        found += [low[0] + tail for tail in _of_one_length(low[1:], "9" * rest)]
        begin += 1
    above: list[str] = []
    if high[1:] != "9" * rest:
        above = [high[0] + tail for tail in _of_one_length("0" * rest, high[1:])]
        end -= 1
    if begin <= end:
        found.append(f"{_digit(str(begin), str(end))}[0-9]{{{rest}}}")
    return found + above


def _digit(low: str, high: str) -> str:
    return low if low == high else f"[{low}-{high}]"


def _joined(patterns: list[str]) -> list[str]:
    """`[1-9][0-9]{1}` and `[1-9][0-9]{2}` are one: most lengths are whole."""
    whole = [one for one in patterns if one.startswith("[1-9][0-9]{")]
    if len(whole) < 2:
        return patterns
    lengths = [int(one.removeprefix("[1-9][0-9]{").removesuffix("}")) for one in whole]
    place = patterns.index(whole[0])
    others = [one for one in patterns if one not in whole]
    return [*others[:place], f"[1-9][0-9]{{{min(lengths)},{max(lengths)}}}", *others[place:]]
