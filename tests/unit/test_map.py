"""The README's map is the map of the folders, and imports only go down it."""

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import TOGETHER

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "huiyao"


def the_map(readme: str) -> list[str]:
    """Module names in the README's map, top to bottom."""
    block = re.search(r"```text\nsrc/huiyao/\n(.*?)```", (ROOT / readme).read_text(), re.DOTALL)
    assert block, f"{readme} has no map"
    return re.findall(r"^  (\w+)(?:/|\.py) ", block[1], re.MULTILINE)


def modules() -> set[str]:
    names = {path.stem for path in SOURCE.glob("*.py")} | {
        path.parent.name for path in SOURCE.glob("*/__init__.py")
    }
    return names - {"__init__", "__main__"}


def imported(path: Path) -> set[str]:
    """Names of huiyao's own top modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "huiyao":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("huiyao.")}
    return found & modules()


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_readmes_map_lists_every_module_and_no_other(readme: str) -> None:
    assert sorted(the_map(readme)) == sorted(modules())


def test_both_readmes_draw_the_same_map() -> None:
    assert the_map("README.md") == the_map("README.zh-CN.md")


def test_both_readmes_name_the_same_targets_of_make() -> None:
    english, chinese = (
        re.findall(r"^make ([a-z-]+)", (ROOT / readme).read_text(), re.MULTILINE)
        for readme in ("README.md", "README.zh-CN.md")
    )
    assert english == chinese
    makefile = (ROOT / "Makefile").read_text()
    assert [one for one in english if f"\n.PHONY: {one}\n" not in makefile] == []


def test_files_of_tests_that_stay_together_are_there() -> None:
    assert [file for file in TOGETHER if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_imports_only_what_stands_below_it_on_the_map(path: Path) -> None:
    order = the_map("README.md")
    own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if own in {"__init__", "__main__"}:
        return
    above = {name for name in imported(path) if name != own and order.index(name) < order.index(own)}
    assert not above, f"{own} imports {above} from above it"


@pytest.mark.parametrize("path", sorted((SOURCE / "client").glob("*.py")), ids=lambda path: path.name)
def test_the_client_shares_nothing_with_the_server(path: Path) -> None:
    assert the_map("README.md")[0] == "client", "where it stands, nothing may import it"
    assert imported(path) <= {"client"}


def test_the_rules_touch_no_database_and_no_clock() -> None:
    banned = {"asyncio", "datetime", "time", "sqlite3", "asyncpg", "random", "os", "structlog"}
    for path in (SOURCE / "rules").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            if isinstance(node, ast.ImportFrom):
                names = {node.module or ""}
            assert not names & banned, path


def test_no_module_is_longer_than_500_lines() -> None:
    for folder in ("src", "tests", "bench", "proof"):
        for path in (ROOT / folder).rglob("*.py"):
            assert len(path.read_text().splitlines()) <= 500, path
