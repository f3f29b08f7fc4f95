"""A body of bytes becomes a value of a declared form; what is wrong with it, a BadParameter with its path."""

from typing import TypeVar

import msgspec

from huiyao import errors
from huiyao.wire.fields import Fault, Field

T = TypeVar("T")

_decode = msgspec.json.Decoder().decode


def decode(body: bytes) -> dict[str, object]:
    """The JSON object in a body. Raises EmptyBody, or BadParameter naming `body`.

    The decoder refuses what no text may hold: invalid UTF-8, lone surrogates, raw control characters, NaN.
    """
    try:
        content = _decode(body)
    except (ValueError, RecursionError):  # msgspec's and Unicode's errors are ValueErrors
        if not body or body.isspace():
            raise errors.EmptyBody from None
        raise errors.BadParameter("body", "不是合法的JSON", "is not valid JSON") from None
    if type(content) is not dict:
        raise errors.BadParameter("body", "必须是JSON对象", "must be a JSON object")
    return content


def parse(form: Field[T], value: object, *, path: str = "") -> T:
    """The value in its declared form; `path` names what has no field name of its own. Raises BadParameter."""
    try:
        return form.parse(value)
    except Fault as fault:
        if path:
            fault.under(path)
        raise errors.BadParameter(fault.path or "body", fault.zh, fault.en) from None
