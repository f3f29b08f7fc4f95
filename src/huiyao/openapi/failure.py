"""Where an unexpected failure happened, without what it said: exceptions can quote a request."""

import traceback
from collections.abc import Iterator


def frames(failure: BaseException) -> str:
    """Types and stack frames, causes included, without any message."""
    return "\n".join(_chain(failure))


def _chain(failure: BaseException | None) -> Iterator[str]:
    while failure is not None:
        yield type(failure).__qualname__
        yield from (line.rstrip() for line in traceback.format_tb(failure.__traceback__))
        failure = failure.__cause__ or failure.__context__
