"""The address of an SMS gateway, as HUIYAO_SMS_URL holds it: who, where, and the options every gateway has.

SCHEME://USER:PASSWORD@HOST[:PORT][/PATH]?OPTION=VALUE&… with every part percent-encoded where it has to be; a plus
sign is a plus sign. User and password are secrets: no message and no repr shows them.
"""

import re
from collections.abc import Container
from contextlib import suppress
from typing import Annotated, Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from huiyao.errors import OperatorError

_COMMON: Final[dict[str, tuple[object, str]]] = {  # option: its type, and what completes "… must be …"
    "tls": (bool, "true or false"),
    "concurrency": (Annotated[int, msgspec.Meta(ge=1, le=1000)], "a whole number from 1 to 1000"),
    "per_second": (
        Annotated[float, msgspec.Meta(gt=0, le=100_000)],
        "a number above 0, and 100000 at the most",
    ),
}


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a gateway is and how it is to be used."""

    scheme: str
    user: str
    password: str
    host: str
    port: int | None  # None: the protocol's own
    path: str  # "" or /…
    options: dict[str, str]  # the gateway's own; none is empty
    tls: bool
    concurrency: int = 8  # requests under way at once, 1 to 1000
    per_second: float = 50.0  # requests begun, above 0, up to 100000

    def __repr__(self) -> str:
        return f"Address({self.scheme}://…@{self.authority})"

    @property
    def protocol(self) -> str:
        return "https" if self.tls else "http"

    @property
    def authority(self) -> str:
        """HOST or HOST:PORT, as it stands in an http address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def need(self, option: str) -> str:
        """An option that the gateway cannot do without. Raises OperatorError."""
        if option not in self.options:
            raise OperatorError(f"HUIYAO_SMS_URL lacks the option {option}, which {self.scheme}:// needs.")
        return self.options[option]

    def count(self, option: str, *, default: int, most: int) -> int:
        """An option that is a whole number from 1 to `most`. Raises OperatorError."""
        text = self.options.get(option, str(default))
        if re.fullmatch(r"[0-9]{1,9}", text) and 1 <= int(text) <= most:
            return int(text)
        raise OperatorError(f"The option {option} of HUIYAO_SMS_URL must be a whole number from 1 to {most}.")


def parse(url: str, *, options: Container[str], tls: bool = False) -> Address:
    """The address in a URL. `options` are the names of the gateway's own; `tls` is what holds where it says nothing.

    Raises OperatorError, one sentence that shows neither user, password nor the value of an option.
    """
    parts = _split(url)
    values = _options(parts, known=options)
    return Address(
        scheme=parts.scheme,
        user=_secret(parts.username),
        password=_secret(parts.password),
        host=parts.hostname or "",
        port=parts.port,
        path=_text(parts.path),
        options={name: value for name, value in values.items() if name not in _COMMON},
        **({"tls": tls} | {name: _typed(name, value) for name, value in values.items() if name in _COMMON}),
    )


def _split(url: str) -> SplitResult:
    """The parts of a URL that has them all. What urlsplit says of another one quotes it, so it is left out."""
    with suppress(ValueError):
        parts = urlsplit(url)
        whole = parts.username and parts.password and parts.port != 0 and parts.hostname
        # With more than one @ a secret was not encoded, and a piece of it may stand in any other part.
        if whole and url.count("@") == 1 and not re.search(r"[\s\x00-\x1f#]", url) and _nameable(whole):
            return parts
    raise OperatorError(
        "HUIYAO_SMS_URL must have the form SCHEME://USER:PASSWORD@HOST:PORT?OPTION=VALUE&…,"
        " with %25 %40 %3A %2F %3F %23 %26 for the characters % @ : / ? # & inside a part, and %20 for a blank."
    )


def _nameable(host: str) -> bool:
    """Whether a look-up can be made of it. Raises UnicodeError too, where not."""
    return bool(host.encode("idna")) and re.fullmatch(r"[\w.:-]+", host) is not None


def _options(parts: SplitResult, *, known: Container[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in filter(None, parts.query.split("&")):
        name, _, value = pair.partition("=")
        if name not in _COMMON and name not in known:
            raise OperatorError(
                f"HUIYAO_SMS_URL has an option {name!r}, which {parts.scheme}:// does not know."
            )
        if name in values or not value:
            raise OperatorError(f"HUIYAO_SMS_URL must have its option {name} once, with a value.")
        values[name] = _text(value)
    return values


def _text(encoded: str) -> str:
    """Percent-decoded. Raises OperatorError."""
    try:
        return unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        raise OperatorError("HUIYAO_SMS_URL has percent-encoded bytes that are not UTF-8.") from None


def _secret(encoded: str | None) -> str:
    """A user or password. Raises OperatorError where it is blank at an end: copied with a line break, most likely."""
    text = _text(encoded or "")
    if text != text.strip():
        raise OperatorError("The user and the password of HUIYAO_SMS_URL must not begin or end with a blank.")
    return text


def _typed(name: str, value: str) -> Any:
    """The value of a common option. Raises OperatorError."""
    form, description = _COMMON[name]
    try:
        return msgspec.convert(value, form, strict=False)
    except msgspec.ValidationError:
        raise OperatorError(f"The option {name} of HUIYAO_SMS_URL must be {description}.") from None
