"""One object with every setting: command line over environment (HUIYAO_…) over huiyao.toml over the default.

A value that is wrong or unknown stops the start with one line that names the setting and where it came from.
The values of `key`, `database_url` and `sms_url` may hold secrets and are never shown.
"""

import re
import tomllib
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

import msgspec

from huiyao.errors import OperatorError

PREFIX: Final = "HUIYAO_"
TEST_PREFIX: Final = "HUIYAO_TEST_"  # the test suite's own variables, none of them a setting
TOML_NAME: Final = "huiyao.toml"
SECRET: Final = frozenset({"key", "database_url", "sms_url"})  # names whose values are never shown
SHORTEST_KEY: Final = 32
_OWN_HOST: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing listens here
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]*)(:[0-9]{1,5})?")  # with a port, if need be
SMS_SCHEMES: Final = ("log:", "kannel://", "aliyun://", "tencent://")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator can set. The descriptions complete "NAME must be …"."""

    database_url: Annotated[
        str, msgspec.Meta(description="sqlite:///FILE or postgresql://[USER[:PASSWORD]@]HOST/DATABASE")
    ] = "sqlite:///huiyao.db"

    # The server key: signs access tokens, seals app secrets. Embedded, a file beside the database stands in.
    key: Annotated[
        Annotated[str, msgspec.Meta(min_length=SHORTEST_KEY)] | None,
        msgspec.Meta(description=f"{SHORTEST_KEY} characters or more"),
    ] = None

    # The address clients use, as the OpenAPI document names it.
    public_url: Annotated[str, msgspec.Meta(description="an http:// or https:// address")] = ""

    host: Annotated[str, msgspec.Meta(min_length=1, description="an address to listen on")] = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535, description="a number from 1 to 65535")] = 8080

    # Processes of one `serve`; more than one needs PostgreSQL.
    workers: Annotated[int, msgspec.Meta(ge=1, le=64, description="a number from 1 to 64")] = 1

    # Whose X-Forwarded-Proto and X-Forwarded-For count.
    trusted_proxies: Annotated[
        tuple[str, ...], msgspec.Meta(description="IP addresses or networks, such as 10.0.0.0/8")
    ] = ()

    # Answer 4011 to calls that did not come over https.
    require_https: Annotated[bool, msgspec.Meta(description="true or false")] = False

    # How long an access token lives, and how long a superseded one stays good (contract section 2).
    token_seconds: Annotated[
        int, msgspec.Meta(ge=1, le=31_536_000, description="a number of seconds from 1 to 31536000")
    ] = 7200
    token_grace_seconds: Annotated[
        int, msgspec.Meta(ge=0, le=86_400, description="a number of seconds from 0 to 86400")
    ] = 300

    # How long a browser stays signed in (contract section 6, ticket).
    session_hours: Annotated[
        int, msgspec.Meta(ge=1, le=720, description="a number of hours from 1 to 720")
    ] = 12

    # A larger request body is answered with HTTP 413.
    max_body_bytes: Annotated[
        int, msgspec.Meta(ge=1024, le=1 << 30, description="a number of bytes from 1024 to 1073741824")
    ] = 8_388_608

    # Members of one meeting.
    max_members: Annotated[int, msgspec.Meta(ge=1, le=100_000, description="a number from 1 to 100000")] = (
        10_000
    )

    # A request that is silent this long while incomplete loses its connection, as does who takes nothing of an answer.
    body_silence_seconds: Annotated[
        int, msgspec.Meta(ge=1, le=3600, description="a number of seconds from 1 to 3600")
    ] = 10

    # Calls under way in one process; more get HTTP 503.
    max_waiting: Annotated[
        int, msgspec.Meta(ge=1, le=1_000_000, description="a number from 1 to 1000000")
    ] = 2000

    # Calls of one kind a second that one process takes from an app that has no rate of its own; 0: any number.
    rate_per_second: Annotated[
        int, msgspec.Meta(ge=0, le=1_000_000, description="a number from 0 to 1000000")
    ] = 0

    # The SMS gateway; `log:` sends nothing (docs/sms.md).
    sms_url: Annotated[
        str,
        msgspec.Meta(description="an address that begins with log:, kannel://, aliyun:// or tencent://"),
    ] = "log:"

    # Texts to one person in 24 hours, at the most; more are skipped.
    sms_daily_limit: Annotated[int, msgspec.Meta(ge=1, le=10_000, description="a number from 1 to 10000")] = (
        20
    )

    # Whether texts carry a personal link, if public_url leaves it room; a short one then takes two parts.
    sms_link: Annotated[bool, msgspec.Meta(description="true or false")] = True

    # How long to wait for a receipt where a gateway gave no answer, before the one repeat.
    sms_wait_seconds: Annotated[
        int, msgspec.Meta(ge=1, le=3600, description="a number of seconds from 1 to 3600")
    ] = 60

    # Private networks to which callbacks may go; everything that is not public is refused otherwise.
    callback_private: Annotated[
        tuple[str, ...], msgspec.Meta(description="IP addresses or networks, such as 10.20.0.0/16")
    ] = ()

    # How long deliveries and events that have ended are kept.
    delivery_days: Annotated[
        int, msgspec.Meta(ge=1, le=3650, description="a number of days from 1 to 3650")
    ] = 30

    log_level: Annotated[
        str,
        msgspec.Meta(pattern="^(debug|info|warning|error)$", description="debug, info, warning or error"),
    ] = "info"

    def __repr__(self) -> str:
        shown = ((name, "…" if name in SECRET else getattr(self, name)) for name in self.__struct_fields__)
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown)})"

    @property
    def embedded(self) -> bool:
        """Whether the database is a SQLite file."""
        return self.database_url.startswith("sqlite:")

    @property
    def database_file(self) -> Path:
        """The SQLite file; only where `embedded`."""
        return Path(self.database_url.removeprefix("sqlite:///"))

    @property
    def own_address(self) -> str:
        """Where this machine itself finds the server, without a slash at its end."""
        host = _OWN_HOST.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def address(self) -> str:
        """Where people and programs find the server, as far as it knows, without a slash at its end."""
        return self.public_url.rstrip("/") or self.own_address


FIELDS: Final = {field.name: field for field in msgspec.structs.fields(Settings)}


def load(
    overrides: Mapping[str, object], environ: Mapping[str, str], toml_path: Path | None = None
) -> Settings:
    """The settings in force. `overrides` are the command line's, None where an option was not given.

    Raises OperatorError.
    """
    values: dict[str, object] = {}
    values |= _from_toml(toml_path if toml_path is not None else Path(TOML_NAME))
    values |= _from_environment(environ)
    for name, value in overrides.items():
        if value is not None:
            values[name] = _checked(name, value, source="the command line", lax=False)
    url = overrides.get("database_url")
    if isinstance(url, str) and _has_password(url):
        raise OperatorError(
            "A --database address with a password is refused, since everybody on the machine can read the"
            f" process list; put it into {PREFIX}DATABASE_URL or {TOML_NAME}."
        )
    return msgspec.convert(values, Settings)


def _from_toml(path: Path) -> dict[str, object]:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise OperatorError(f"{path} cannot be read: {error}.") from error
    return {name: _checked(name, value, source=str(path), lax=False) for name, value in raw.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable.startswith(TEST_PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        value: object = text
        if name in ("trusted_proxies", "callback_private"):
            value = [one.strip() for one in text.split(",") if one.strip()]
        found[name] = _checked(name, value, source=f"the environment ({variable})", lax=True)
    return found


def _checked(name: str, value: object, *, source: str, lax: bool) -> object:
    """The value as the setting's type. `lax`: numbers and booleans may be text. Raises OperatorError."""
    field = FIELDS.get(name)
    if field is None:
        raise OperatorError(f"There is no setting {name!r}, but {source} sets it.")
    try:
        typed: object = msgspec.convert(value, field.type, strict=not lax)
        _check_form(name, typed)
    except ValueError as error:
        shown = "" if name in SECRET else f", not {value!r}"
        raise OperatorError(f"{name} must be {_form(field)}{shown}; it comes from {source}.") from error
    return typed


def _form(field: msgspec.structs.FieldInfo) -> str:
    info = msgspec.inspect.type_info(field.type)
    if isinstance(info, msgspec.inspect.Metadata) and info.extra_json_schema:
        return str(info.extra_json_schema["description"])
    raise AssertionError(f"setting {field.name} has no description")


def _check_form(name: str, value: object) -> None:
    """What a type cannot say. Raises ValueError."""
    if name == "database_url":
        parts = urlsplit(str(value))
        file = str(value).removeprefix("sqlite:///")
        embedded = str(value).startswith("sqlite:///") and file not in ("", ":memory:")
        if not embedded and not (parts.scheme == "postgresql" and parts.path.strip("/") and _is_whole(parts)):
            raise ValueError(name)
    elif name == "public_url" and value:
        address = urlsplit(str(value))
        if address.scheme not in ("http", "https") or not address.hostname or address.query:
            raise ValueError(name)
    elif name == "sms_url" and not str(value).startswith(SMS_SCHEMES):
        raise ValueError(name)
    elif name in ("trusted_proxies", "callback_private") and isinstance(value, tuple):
        for one in value:
            ip_network(one, strict=False)


def _is_whole(parts: SplitResult) -> bool:
    """Whether it is cut where it should be: half of a password with a / in it would be taken for a port, and shown."""
    hosts = parts.netloc.rpartition("@")[2].split(",")
    return "@" not in parts.path and all(_HOST.fullmatch(one) for one in hosts)


def _has_password(url: str) -> bool:
    parts = urlsplit(url)
    return parts.password is not None or any("password" in key for key, _ in parse_qsl(parts.query))
