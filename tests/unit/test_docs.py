"""The documentation knows every setting and every command that exists, and none that does not, in both languages."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from huiyao import cli
from huiyao.settings import Settings

ROOT = Path(__file__).parents[2]


def commands(command: Any, path: str = "huiyao") -> Iterator[str]:
    if hasattr(command, "commands"):
        for name, one in command.commands.items():
            yield from commands(one, f"{path} {name}")
    else:
        yield path


def options(command: Any, path: str = "huiyao") -> Iterator[tuple[str, str]]:
    if hasattr(command, "commands"):
        for name, one in command.commands.items():
            yield from options(one, f"{path} {name}")
        return
    for parameter in command.params:
        for name in parameter.opts:
            if name.startswith("--"):
                yield path, name


def headings(document: str) -> list[str]:
    return re.findall(r"^## `(.*?)`", (ROOT / document).read_text(), re.MULTILINE)


def section(document: str, heading: str) -> str:
    text = (ROOT / document).read_text()
    start = text.index(f"## `{heading}`")
    end = text.find("\n## ", start + 1)
    return text[start : end if end > 0 else None]


ROOT_COMMAND: Any = typer.main.get_command(cli.app)
both_languages = pytest.mark.parametrize("end", [".md", ".zh.md"])


@both_languages
def test_every_setting_is_documented_with_its_default_and_no_other(end: str) -> None:
    text = (ROOT / f"docs/settings{end}").read_text()
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*?) \|", text, re.MULTILINE)
    assert [(name, variable) for name, variable, _ in rows] == [
        (field.name, f"HUIYAO_{field.name.upper()}") for field in msgspec.structs.fields(Settings)
    ]
    for (name, _, default), field in zip(rows, msgspec.structs.fields(Settings), strict=True):
        if field.default not in (None, "", (), msgspec.NODEFAULT):
            text = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
            assert default == f"`{text}`", name


@both_languages
def test_every_command_is_documented_and_no_other(end: str) -> None:
    assert sorted(headings(f"docs/commands{end}")) == sorted(commands(ROOT_COMMAND))


@both_languages
@pytest.mark.parametrize(("command", "option"), sorted(options(ROOT_COMMAND)))
def test_every_option_is_documented_with_its_command(command: str, option: str, end: str) -> None:
    assert f"`{option}" in section(f"docs/commands{end}", command)


def test_every_document_the_readmes_link_to_exists() -> None:
    for readme in ("README.md", "README.zh-CN.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / readme).read_text()):
            assert (ROOT / target).exists(), target


def test_every_picture_is_shown_in_both_readmes() -> None:
    pictures = {f"docs/images/{file.name}" for file in (ROOT / "docs/images").glob("*.png")}
    for readme in ("README.md", "README.zh-CN.md"):
        shown = set(re.findall(r'src="(docs/images/[^"]+\.png)"', (ROOT / readme).read_text()))
        assert shown == {one for one in pictures if not one.endswith("-dark.png")}, readme
