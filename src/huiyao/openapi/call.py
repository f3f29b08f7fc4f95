"""One call of the Open API: everything that tells it from the others, for the application and its document."""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any

import msgspec

from huiyao import errors
from huiyao.openapi.request import Request
from huiyao.wire.fields import Object

BASE = "/openapi/"

Handler = Callable[[Request], Awaitable[bytes | None]]


class Style(Enum):
    """Where a call's context is: who is asking, and about which meeting."""

    TOKEN = "app id and secret"  # noqa: S105
    WORKBENCH = "in the body"
    MEETING = "in headers and query"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    name: str  # the path below BASE
    method: str
    style: Style
    handle: Handler  # answers the envelope's data as JSON
    body: Object[Any] | None = None
    query: Object[Any] | None = None
    named: bool = False  # whether it needs the requester's name from the header
    repeatable: bool = False  # whether an Idempotency-Key means anything
    grant: str = ""  # the API permission (model.Grant) without which it is answered with 4013

    # For the document
    summary: str
    description: str = ""
    example: Any = None  # of the body
    answer: Any = None  # an example of the envelope's data
    answer_schema: type | None = None
    refusals: tuple[type[errors.ApiError], ...] = ()  # beyond those every call of its style can answer

    @property
    def short_name(self) -> str:
        """What both generations of the call have in common: the name on an app's list of calls."""
        return self.name.rpartition("/")[2]

    @property
    def path(self) -> str:
        return BASE + self.name
