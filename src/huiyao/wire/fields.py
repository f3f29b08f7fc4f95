"""What a value in a request may be: one declaration that both parses it and describes it as JSON Schema.

Contract section 1: scalars arrive as JSON numbers or as strings, null is absent, unknown fields are ignored.
Every call passes here: the path of the field at fault is put together only once something fails.
"""

import re
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar

from huiyao.wire import digits

LATEST_MOMENT: Final = 4_102_444_799_999  # the end of 2099
SECONDS_BELOW: Final = 100_000_000_000  # a smaller moment is in seconds
LARGEST_ID: Final = 2**63 - 1
BLANKS: Final = " \t\r\n"

Schema = dict[str, Any]
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_SENSIBLE_DIGITS: Final = 30  # more of them are out of every range, and int() refuses some thousands
_CONTROLS: Final = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_CONTROL: Final = re.compile(rf"[{_CONTROLS}\ud800-\udfff]")
_VISIBLE: Final = re.compile("[!-~]+")
_BOOLEANS: Final = {"true": True, "false": False, "1": True, "0": False}


class Fault(Exception):
    """A value refused, and why in both languages; each container above puts its part before `path`."""

    def __init__(self, zh: str, en: str, *, path: str = "") -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en
        self.path = path

    def under(self, part: str) -> None:
        """Put the name or index of the container's part before the path."""
        dot = "." if self.path and not self.path.startswith("[") else ""
        self.path = f"{part}{dot}{self.path}"


def missing() -> Fault:
    return Fault("不能为空", "is required")


class Field(Protocol[T_co]):
    """Something a request may hold."""

    def parse(self, value: object) -> T_co:
        """The value inside for the value outside, which is not None. Raises Fault."""

    def schema(self) -> Schema:
        """What is accepted, as JSON Schema."""


class Text:
    """A string, or an integer taken as one; without control characters other than tab and line breaks."""

    def __init__(self, limit: int, *, blank: bool = False, late: bool = False) -> None:
        self.limit = limit  # characters
        self.blank = blank or late  # whether it may be empty or all blanks
        self.late = late  # whether a blank one is refused all the same, later and with a code of its own

    def parse(self, value: object) -> str:
        if type(value) is str:
            text = value
        elif type(value) is int:
            text = str(value)
        else:
            raise Fault("必须是字符串", "must be a string")
        if len(text) > self.limit:
            raise Fault(f"不能超过{self.limit}个字符", f"must not exceed {self.limit} characters")
        # isprintable() takes 0.03 µs and is true of nearly every text; only others get the exact question.
        if not text.isprintable() and _CONTROL.search(text):
            raise Fault("含有不允许的控制字符", "contains control characters")
        if not self.blank and (not text or text.isspace()):
            raise Fault("不能为空", "must not be blank")
        return text

    def schema(self) -> Schema:
        any_text = f"[^{_CONTROLS}]*"
        pattern = any_text if self.blank and not self.late else rf"{any_text}[^{_CONTROLS}\s]{any_text}"
        return {"type": ["string", "integer"], "maxLength": self.limit, "pattern": f"^{pattern}$"}


class Visible:
    """1 to `limit` visible ASCII characters."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def parse(self, value: object) -> str:
        text = str(value) if type(value) is int else value
        if type(text) is not str or len(text) > self.limit or not _VISIBLE.fullmatch(text):
            raise Fault(
                f"必须是1到{self.limit}个可见ASCII字符", f"must be 1 to {self.limit} visible ASCII characters"
            )
        return text

    def schema(self) -> Schema:
        return {"type": ["string", "integer"], "maxLength": self.limit, "pattern": "^[!-~]+$"}


class Choice:
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def parse(self, value: object) -> str:
        if type(value) is not str or value not in self.words:
            raise Fault(f"必须是{'或'.join(self.words)}", f"must be {' or '.join(self.words)}")
        return value

    def schema(self) -> Schema:
        return {"type": "string", "enum": list(self.words)}


class Integer:
    """A whole number from `low` to `high`: an integer, a number with zero fraction, or digits with a sign."""

    def __init__(self, low: int, high: int) -> None:
        self.low = low
        self.high = high

    def parse(self, value: object) -> int:
        number = value if type(value) is int else _whole(value)
        if not self.low <= number <= self.high:
            raise Fault(f"必须在{self.low}到{self.high}之间", f"must be between {self.low} and {self.high}")
        return number

    def schema(self) -> Schema:
        return _number_schema(self.low, self.high, texts=[digits.between(self.low, self.high)])


class Moment:
    """Milliseconds since 1970-01-01 UTC; a value below 100,000,000,000 is taken as seconds."""

    def __init__(self, *, zero_is_unset: bool = False) -> None:
        self.zero_is_unset = zero_is_unset  # the later generation's client sends what is not set as 0

    def parse(self, value: object) -> int:
        number = value if type(value) is int else _whole(value)
        if SECONDS_BELOW <= number <= LATEST_MOMENT:
            return number
        if number < 0:
            raise Fault("不能为负数", "must not be negative")
        if number >= SECONDS_BELOW or number * 1000 > LATEST_MOMENT:
            raise Fault("不能晚于2099年", "must not be later than 2099")
        if self.zero_is_unset and not number:
            raise missing()
        return number * 1000

    def schema(self) -> Schema:
        low, latest_second = int(self.zero_is_unset), LATEST_MOMENT // 1000
        texts = [digits.between(low, latest_second), digits.between(SECONDS_BELOW, LATEST_MOMENT)]
        neither = {"type": "integer", "exclusiveMinimum": latest_second, "exclusiveMaximum": SECONDS_BELOW}
        return _number_schema(low, LATEST_MOMENT, texts=texts) | {"not": neither}


class Boolean:
    """true or false, 1 or 0, or these as strings in any case."""

    def parse(self, value: object) -> bool:
        if value is True or value is False:
            return value
        if type(value) is str:
            found = _BOOLEANS.get(value.lower())
            if found is not None:
                return found
        elif type(value) in (int, float) and value in (0, 1):
            return bool(value)
        raise Fault("必须是true或false", "must be true or false")

    def schema(self) -> Schema:
        return {
            "anyOf": [
                {"type": "boolean"},
                {"type": "integer", "enum": [0, 1]},
                {"type": "string", "pattern": "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|0|1)$"},
            ]
        }


class List(Generic[T]):
    """1 to `limit` values of one kind."""

    def __init__(self, item: Field[T], *, limit: int) -> None:
        self.item = item
        self.limit = limit

    def parse(self, value: object) -> list[T]:
        if type(value) is not list:
            raise Fault("必须是数组", "must be an array")
        if not value:
            raise missing()
        if len(value) > self.limit:
            raise Fault(f"不能超过{self.limit}项", f"must not have more than {self.limit} entries")
        parse = self.item.parse
        found: list[T] = []
        try:
            for one in value:
                found.append(parse(one))
        except Fault as fault:
            fault.under(f"[{len(found)}]")
            raise
        return found

    def schema(self) -> Schema:
        return {"type": "array", "items": self.item.schema(), "minItems": 1, "maxItems": self.limit}


class Key:
    """One field of an object: its name on the wire, what it may be, and what stands for it when absent."""

    REQUIRED: Final = object()

    def __init__(
        self,
        name: str,
        field: Field[object],
        *,
        default: object = REQUIRED,
        doc: str = "",
        late: bool = False,
    ) -> None:
        self.name = name
        self.field = field
        self.default = default
        self.doc = doc
        self.late = late  # required, but its absence is told later, with a code of its own (4501)

    @property
    def required(self) -> bool:
        return self.late or self.default is Key.REQUIRED

    def schema(self) -> Schema:
        schema = self.field.schema()
        if not self.required:
            schema = _or_null(schema)
        return schema | {"description": self.doc} if self.doc else schema


class Object(Generic[T]):
    """An object of known fields, made into a T from their values in order; unknown fields are ignored.

    `make` may raise Fault with a path, where two fields contradict each other.
    """

    def __init__(self, make: Callable[..., T], *keys: Key) -> None:
        self.keys = keys
        self._make = make
        self._plan = tuple((key.name, key.field.parse, key.default) for key in keys)

    def parse(self, value: object) -> T:
        if type(value) is not dict:
            raise Fault("必须是JSON对象", "must be a JSON object")
        get = value.get
        found = []
        name = ""
        try:
            for name, parse, default in self._plan:
                given = get(name)
                if given is not None:
                    found.append(parse(given))
                elif default is Key.REQUIRED:
                    raise missing()
                else:
                    found.append(default)
        except Fault as fault:
            fault.under(name)
            raise
        return self._make(*found)

    def schema(self) -> Schema:
        schema: Schema = {"type": "object", "properties": {key.name: key.schema() for key in self.keys}}
        required = [key.name for key in self.keys if key.required]
        return schema | {"required": required} if required else schema


def _whole(value: object) -> int:
    """The integer that a number with zero fraction or a string of digits stands for."""
    if type(value) is str:
        text = value.strip(BLANKS)
        digits = text[1:] if text[:1] in ("+", "-") else text
        if digits.isascii() and digits.isdigit():
            if len(digits) > _SENSIBLE_DIGITS:
                digits = digits.lstrip("0")[: _SENSIBLE_DIGITS + 1] or "0"
            return -int(digits) if text[0] == "-" else int(digits)
    elif type(value) is float and value.is_integer():
        return int(value)
    elif type(value) is int:
        return value
    raise Fault("必须是整数", "must be an integer")


def _number_schema(low: int, high: int, *, texts: list[str]) -> Schema:
    """`texts`: what matches the numbers as text, without a sign."""
    signed = [rf"\+?{one}" for one in texts] + (["-0+"] if low == 0 else [])
    return {
        "type": ["integer", "string"],
        "minimum": low,
        "maximum": high,
        "pattern": rf"^[ \t\r\n]*(?:{'|'.join(signed)})[ \t\r\n]*$",
    }


def _or_null(schema: Schema) -> Schema:
    if "type" not in schema:
        return {"anyOf": [*schema["anyOf"], {"type": "null"}]}
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    allowed = schema | {"type": [*kinds, "null"]}
    return allowed | {"enum": [*schema["enum"], None]} if "enum" in schema else allowed
