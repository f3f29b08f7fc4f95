"""Every example of every page runs: `sh` and `python` blocks in order; what follows a `sh` block is its output."""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Final

import pytest

from huiyao import settings
from tests.acceptance.process import free_port
from tests.documentation.blocks import EXECUTED, ROOT, SHOWN, Block, blocks, matches, pages
from tests.documentation.sandbox import HOME_NETWORK, Sandbox
from tests.documentation.session import Failed, Session
from tests.unit.test_client_callbacks import EVENT, SECRET, TOKEN, hooked, sealed

ORG: Final = 85161
DATABASE: Final = "postgresql://huiyao@db.example/huiyao"  # on a page: a migrated database in the test
# Programs that another test runs to the letter: the first line of each, and where.
ELSEWHERE: Final = {"import base64, hashlib, hmac, json, os, sys": "tests/acceptance/test_callback_docs.py"}


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with closing(Sandbox(tmp_path_factory.mktemp("sandbox"))) as made:
        yield made


def executed(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.language in EXECUTED]


def to_run() -> list[Path]:
    """Pages with something to run; a translation whose blocks do the same has been run with its original."""
    found = []
    for page in pages():
        original = page.with_name(page.name.replace(".zh.md", ".md"))
        twins = ([block.uncommented for block in executed(one)] for one in (original, page))
        same = original != page and next(twins) == next(twins)
        if executed(page) and not same:
            found.append(page)
    return found


@pytest.mark.timeout(300)  # a page may start many commands, on a machine that is busy with other tests
@pytest.mark.parametrize("page", to_run(), ids=name)
async def test_the_examples_of_a_page_run(
    page: Path,
    sandbox: Sandbox,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = blocks(page)
    values = {
        "APP_ID": sandbox.app_id,
        "APP_SECRET": sandbox.app_secret,
        "PASTE_THE_APP_SECRET": sandbox.app_secret,
        "TOKEN": sandbox.token,
        "ORG_ID": str(ORG),
        "https://hooks.example.com/huiyao": sandbox.receiver,
    }
    if any(DATABASE in block.text for block in found if block.language == "sh"):
        values[DATABASE] = request.getfixturevalue("postgres_url")
    session = Session(
        tmp_path,
        sandbox=sandbox.server.address,
        values=values,
        settings={"database_url": sandbox.database, "callback_private": HOME_NETWORK},
    )
    for variable, value in (
        ("HUIYAO_APP_SECRET", sandbox.app_secret),
        ("HUIYAO_CALLBACK_TOKEN", TOKEN),
        ("HUIYAO_WEBHOOK_SECRET", SECRET),
        ("NO_PROXY", "127.0.0.1"),
    ):
        monkeypatch.setenv(variable, value)
    known = names(sandbox)
    try:
        await session.start()
        for block, after in zip(found, [*found[1:], None], strict=True):
            if block.language == "sh":
                said = await session.run(block)
                if after and after.follows and after.language in ("json", "text"):
                    shown = session.filled(after.text)
                    assert matches(shown, said), (
                        f"{name(page)}:{block.line} shows {shown!r}, but {said!r} is said"
                    )
            elif block.language == "python" and block.text.splitlines()[0] not in ELSEWHERE:
                await run(
                    session.addressed(block.text).replace("app_id=7", f"app_id={sandbox.app_id}"), known
                )
    except Failed as failure:
        pytest.fail(f"{name(page)}: {failure}")
    finally:
        await session.close()
    if page.name.startswith("client."):
        look_at_the_client(known, capsys, sandbox.app_secret)


def names(sandbox: Sandbox) -> dict[str, Any]:
    """What python blocks may take for granted: what an app has at hand when an event comes in."""
    return {
        "body": sealed(EVENT, app_secret=sandbox.app_secret),
        "CALLBACK_SECRET": TOKEN,
        "APP_SECRET": sandbox.app_secret,
    }


async def run(example: str, known: dict[str, Any]) -> None:
    """Run an example in the names that those before it have made; it may await."""
    code = compile(example, "example", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(code, CodeType)
    answer = FunctionType(code, known)()
    if inspect.isawaitable(answer):
        await answer


def look_at_the_client(known: dict[str, Any], capsys: pytest.CaptureFixture[str], secret: str) -> None:
    """What the client's page says its examples do, they do."""
    shown = capsys.readouterr().out
    assert "[('李强', 'ACCEPTED'), ('张敏', 'UNREAD')]" in shown
    assert "季度预算 2090-01-15 01:00:00+00:00" in shown
    assert "4602" in shown
    assert known["received"](sealed(EVENT, app_secret=secret)) == b'{"status":0}'
    assert "u2 comes to 111234" in capsys.readouterr().out
    content = sealed(EVENT)  # whatever it is: the signature is what counts first
    with pytest.raises(known["errors"].BadCallback, match="form"):
        known["received_standard"](hooked(content), content)


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_block_is_of_a_language_that_somebody_looks_at(page: Path, tmp_path: Path) -> None:
    assert not re.search(r"^[ >]+```|^ *~~~", page.read_text("utf-8"), re.MULTILINE), (
        "a fence nobody would find"
    )
    for block in blocks(page):
        assert block.language in EXECUTED | SHOWN, f"{name(page)}:{block.line}"
        if block.language == "json" and "…" not in block.text:
            json.loads(block.text)
        if block.language == "toml":
            (tmp_path / "huiyao.toml").write_text(block.text, encoding="utf-8")
            settings.load({}, {}, toml_path=tmp_path / "huiyao.toml")


@pytest.mark.parametrize("first_line", ELSEWHERE)
def test_what_is_run_elsewhere_is_still_on_a_page_and_run_there(first_line: str) -> None:
    assert (ROOT / ELSEWHERE[first_line]).exists()
    assert any(block.text.startswith(first_line) for page in pages() for block in blocks(page))


def test_a_block_that_fails_or_says_something_else_is_noticed() -> None:
    assert matches('{"status": 0, "id": …}', '{"status":0,"id":12}')
    assert not matches('{"status": 0, "id": …}', '{"status":4600,"id":12}')
    assert not matches("", "something")


async def test_a_command_that_fails_fails_its_block(tmp_path: Path) -> None:
    session = Session(tmp_path, sandbox=f"http://127.0.0.1:{free_port()}", values={}, settings={})
    good, bad = (
        Block("sh", text, 1, False) for text in ("echo one\nfalse || echo two", "echo one\nfalse\necho two")
    )
    try:
        await session.start()
        assert await session.run(good) == "one\ntwo\n"
        with pytest.raises(Failed):
            await session.run(bad)
    finally:
        await session.close()
