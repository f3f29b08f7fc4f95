"""How answers are read from JSON, and moments written to it (contract section 1)."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")

_MILLISECOND: Final = timedelta(milliseconds=1)


class Moment(datetime):
    """A moment of an answer: an aware datetime in UTC, to the millisecond."""


_EPOCH: Final = Moment(1970, 1, 1, tzinfo=UTC)


class Envelope(msgspec.Struct, frozen=True):
    """What is around every answer (contract section 1)."""

    status: int
    message: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


def milliseconds(at: datetime) -> int:
    """The moment as the wire has it. Raises ValueError where `at` does not say its time zone."""
    if at.utcoffset() is None:
        raise ValueError(f"a datetime must say its time zone, and {at.isoformat()} does not")
    return (at - _EPOCH) // _MILLISECOND


def read(data: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Raises msgspec.DecodeError for what is not of that kind."""
    which: Any = kind
    found: T = _decoder(which).decode(data)
    return found


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, dec_hook=_moment)


def _moment(kind: type, value: Any) -> Any:
    if kind is not Moment or type(value) is not int:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    try:
        return _EPOCH + value * _MILLISECOND
    except OverflowError as error:
        raise ValueError(f"{value} is no moment") from error
