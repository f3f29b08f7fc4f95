"""One HTTP request as the checks and calls see it: headers, query, who is asking and with what."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from huiyao import errors
from huiyao.model import App
from huiyao.service.access import Access
from huiyao.service.caller import Caller, Services
from huiyao.service.pace import Standing
from huiyao.wire import body

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SDK: Final = b"open-api-sdk("  # how the Java client's User-Agent begins

_PLAUSIBLE_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}").fullmatch


class Request:
    """A request on its way through the checks; what they find out is added to it."""

    __slots__ = (
        "_content",
        "access",
        "app",
        "body",
        "caller",
        "given",
        "headers",
        "idempotency_key",
        "meeting_id",
        "method",
        "name",
        "path",
        "query_string",
        "scope",
        "sdk",
        "services",
        "standing",
    )

    # Set once the checks before it have passed:
    app: App  # on the call that gets it a token
    body: bytes
    caller: Caller
    given: Any  # what the call's form made of the body
    idempotency_key: str | None
    meeting_id: int  # from the query, on the calls that have it there
    name: str  # the requester's, from the header, on the calls that need it

    def __init__(self, scope: Scope, services: Services, access: Access) -> None:
        self.scope = scope
        self.services = services
        self.access = access
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.query_string: bytes = scope["query_string"]
        self._content: dict[str, object] | None = None
        self.standing: Standing | None = None  # with the limit that leaves the app the least, if there is one
        self.sdk = self.headers.get(b"user-agent", b"").startswith(SDK)

    @property
    def english(self) -> bool:
        """Whether the first language the client accepts is English."""
        return self.headers.get(b"accept-language", b"")[:2].lower() == b"en"

    @property
    def client_id(self) -> bytes | None:
        """The X-Request-Id the client sent, if it is a plausible one."""
        own = self.headers.get(b"x-request-id")
        return own if own is not None and _PLAUSIBLE_ID(own) else None

    def text(self, header: bytes) -> str | None:
        """A header's value as text: UTF-8, else ISO-8859-1 (contract section 5)."""
        value = self.headers.get(header)
        return None if value is None else _text(value)

    def query(self) -> dict[str, str]:
        """The query's parameters; of a repeated one the last counts."""
        found = {}
        for pair in self.query_string.split(b"&"):
            key, _, value = pair.partition(b"=")
            if key:
                found[_unquote(key)] = _unquote(value)
        return found

    def content(self) -> dict[str, object]:
        """The body's JSON object. Raises EmptyBody, BadParameter."""
        if self._content is None:
            self._content = body.decode(self.body)
        return self._content

    def token(self) -> str:
        """The access token from the query, else from the header. Raises MissingToken."""
        token: str | None = None
        for pair in reversed(self.query_string.split(b"&")):  # of a repeated one the last counts
            key, _, value = pair.partition(b"=")
            if key == b"accessToken":
                token = _unquote(value)
                break
        token = token or self.text(b"accesstoken")
        if not token:
            raise errors.MissingToken
        return token

    def requester_name(self) -> str | None:
        """The header name: URL-encoded UTF-8 beside orgSecret, plain otherwise. Raises BadParameter."""
        value = self.headers.get(b"name")
        if value is None or b"orgsecret" not in self.headers:
            return None if value is None else _text(value)
        try:
            return unquote_to_bytes(value.replace(b"+", b" ")).decode()
        except UnicodeDecodeError:
            raise errors.BadParameter("name", "不是UTF-8编码", "is not URL-encoded UTF-8") from None


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _unquote(value: bytes) -> str:
    if b"%" in value or b"+" in value:
        value = unquote_to_bytes(value.replace(b"+", b" "))
    return value.decode(errors="replace")
