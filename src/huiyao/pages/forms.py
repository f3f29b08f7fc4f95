"""What browsers send: forms, read with a limit, and whether a request comes from our own pages."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

LARGEST_FORM: Final = 2 * 1024 * 1024  # bytes
MOST_FIELDS: Final = 20_000
_SAFE: Final = ("GET", "HEAD")


class Form:
    """The fields of one form, each name any number of times."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def get(self, name: str, default: str = "") -> str:
        """The last one, line breaks as \\n."""
        values = self._values.get(name)
        return values[-1].replace("\r\n", "\n") if values else default

    def all(self, name: str) -> list[str]:
        return list(self._values.get(name, ()))

    def has(self, name: str) -> bool:
        return name in self._values

    def number(self, name: str) -> int | None:
        """None for what is no number of up to 16 digits."""
        text = self.get(name).strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else None


async def read(request: Request) -> Form:
    """Raises HTTPException: 413 where it is too large, 400 where it is no form."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_FORM:
            raise HTTPException(413)
    try:
        text = body.decode("utf-8")
        return Form(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"))
    except ValueError as error:
        raise HTTPException(400) from error


def same_origin(method: str, headers: Mapping[str, str], *, public_url: str) -> bool:
    """Whether a request may change something: it comes from one of our own pages, by the browser's own word.

    Fetch Metadata where the browser sends it (https and localhost), else Origin, which every browser sends with POST.
    A request with neither is refused.
    """
    if method in _SAFE:
        return True
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = urlsplit(headers.get("origin", ""))
    if origin.scheme not in ("http", "https") or not origin.netloc:
        return False
    own = {headers.get("host", ""), urlsplit(public_url).netloc}
    return origin.netloc in own
