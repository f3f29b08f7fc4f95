"""What several commands have in common: their options, the settings, an opened database, JSON."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import typer

from huiyao.cli.lazily import lazily
from huiyao.errors import OperatorError
from huiyao.settings import Settings, load

if TYPE_CHECKING:
    from rich import console, table

    from huiyao import telemetry
    from huiyao.service import installation
    from huiyao.service.keyring import Keyring
    from huiyao.storage.contract import Storage
else:
    telemetry = lazily("huiyao.telemetry")
    installation = lazily("huiyao.service.installation")
    console = lazily("rich.console")

_LINE_WIDTH = 200

T = TypeVar("T")

Database = Annotated[
    str | None,
    typer.Option(
        "--database", metavar="URL", help="sqlite:///FILE, or postgresql://HOST/DATABASE without a password."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Answer with JSON on standard output.")]
OrgId = Annotated[int, typer.Argument(metavar="ORG_ID", help="The organisation's id.")]
AppId = Annotated[int, typer.Argument(metavar="APP_ID", help="The app's id.")]
SecretFile = Annotated[
    str | None,
    typer.Option(
        "--secret-file",
        metavar="FILE|-",
        help="Take the secret from this file, or from standard input, instead of making one.",
    ),
]


def settings(**overrides: object) -> Settings:
    """The settings in force; `overrides` are the command line's, None where an option was not given."""
    return load(overrides, os.environ)


def to_the_end(found: Settings, work: Coroutine[Any, Any, T]) -> T:
    """What `work` answers. Its log is shown only at level debug: a command's one line says what is wrong."""
    telemetry.log_to_stderr("debug" if found.log_level == "debug" else "critical")
    return asyncio.run(work)


def with_storage(found: Settings, work: "Callable[[Storage], Awaitable[T]]") -> T:
    """What `work` answers on the opened database."""

    async def run() -> T:
        storage = await installation.open_database(found)
        try:
            return await work(storage)
        finally:
            await storage.close()

    return to_the_end(found, run())


def with_keys(found: Settings, work: "Callable[[Storage, Keyring], Awaitable[T]]") -> T:
    """What `work` answers on the opened database and its keys."""

    async def run(storage: "Storage") -> T:
        return await work(storage, await installation.open_keys(storage, found))

    return with_storage(found, run)


def print_json(answer: object) -> None:
    print(msgspec.json.encode(answer).decode())


def print_table(shown: "table.Table") -> None:
    found = console.Console(soft_wrap=True, markup=False)
    found.width = max(found.width, _LINE_WIDTH)  # a row is a line, for grep too
    found.print(shown)


def print_facts(facts: dict[str, object]) -> None:
    """One a line; what is called ..._at is a moment."""
    for name, value in facts.items():
        shown = moment(value) if name.endswith("_at") and isinstance(value, int) else value
        print(f"{name:12}{'-' if shown in (None, '') else shown}")


def moment(at: int) -> str:
    """In UTC, as everything is that machines compare."""
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S}Z"


def read_secret(file: str | None) -> str | None:
    """The first line of a file, or of standard input for "-"; None where no file is named."""
    if file is None:
        return None
    try:
        text = sys.stdin.readline() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"The secret file {file} cannot be read: {error}.") from error
    return text.split("\n", 1)[0].strip()


def org_ids(text: str) -> tuple[int, ...]:
    """The ids of a list such as 84000,85161, each once, in order."""
    try:
        return tuple(dict.fromkeys(int(one) for one in text.split(",") if one.strip()))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no comma-separated list of organisation ids") from None
