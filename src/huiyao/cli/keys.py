"""`huiyao key`: another server key, and the end of the one before it."""

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from huiyao.cli import options
from huiyao.cli.lazily import lazily
from huiyao.settings import Settings

if TYPE_CHECKING:
    from huiyao import keys
    from huiyao.service import keyring, rotation
    from huiyao.storage.contract import Storage
else:
    keys = lazily("huiyao.keys")
    keyring = lazily("huiyao.service.keyring")
    rotation = lazily("huiyao.service.rotation")

group = typer.Typer(no_args_is_help=True, help="The server key.")


@group.command("rotate")
def rotate(
    *,
    new_key_file: Annotated[
        str | None,
        typer.Option(
            "--new-key-file",
            metavar="FILE|-",
            help="Take the new key from this file, or from standard input, instead of making one.",
        ),
    ] = None,
    revoke: Annotated[
        bool,
        typer.Option(
            "--revoke",
            help="Refuse what was made with the old key, and processes that have it: it was stolen.",
        ),
    ] = False,
    json: options.Json = False,
    database: options.Database = None,
) -> None:
    """Seal everything with a new server key; the old one goes on working for a while."""
    given = options.read_secret(new_key_file)
    found = options.settings(database_url=database)
    text = keys.invent() if given is None else given
    shown = given is None and found.key is not None

    def show() -> None:
        # Before it is in force: afterwards nobody could do without it.
        if json:
            options.print_json({"rotated": True} | ({"key": text} if shown else {}))
        elif shown:
            print(f"new server key  {text}")
        sys.stdout.flush()

    async def work(storage: "Storage") -> bool:
        now = time.time_ns() // 1_000_000
        done: bool = await rotation.rotate(storage, found, text, revoke=revoke, now=now, before=show)
        return done

    done = options.with_storage(found, work)
    if done and not json:
        print(_next_steps(found, revoke=revoke))
    elif not done and json:
        options.print_json({"rotated": False})
    elif not done:
        print("This key is in force already.")


@group.command("finish")
def finish(
    *,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Refuse what was made with earlier keys, too.")
    ] = False,
    database: options.Database = None,
) -> None:
    """Let the server keys before the present one open nothing any more."""
    found = options.settings(database_url=database)

    async def work(storage: "Storage") -> int:
        ended: int = await rotation.finish(storage, found, revoke=revoke)
        return ended

    ended = options.with_storage(found, work)
    print(f"{ended} earlier keys are good for nothing any more." if ended else "There was nothing to end.")


def _next_steps(found: Settings, *, revoke: bool) -> str:
    if found.key is None:
        return f"The server key is rotated; the new one is in {keys.key_file(found)}. Keep a copy of it elsewhere."
    if revoke:
        return (
            "The server key is rotated; what has the old one ends within seconds. Set HUIYAO_KEY to the new one and"
            " start every node."
        )
    days = keyring.ONWARD_MS // 86_400_000
    return (
        "The server key is rotated. Set HUIYAO_KEY to the new one on every node and start each anew, in any order,"
        f" within {days} days: until then the old one works too. `huiyao key finish` ends that."
    )
