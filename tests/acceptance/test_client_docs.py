"""The examples in docs/client.md run as they stand, but for the address."""

import ast
import inspect
import re
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

from huiyao.client import AsyncPerson
from tests.acceptance.process import Installation
from tests.unit.test_client_callbacks import EVENT, SECRET, TOKEN, hooked, sealed

PAGE = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
EXAMPLES: list[str] = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


async def test_the_examples_run(
    embedded: Installation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = embedded.serve()
    monkeypatch.setenv("HUIYAO_APP_SECRET", embedded.app_secret)
    monkeypatch.setenv("HUIYAO_CALLBACK_TOKEN", TOKEN)
    monkeypatch.setenv("HUIYAO_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    known: dict[str, Any] = {}
    for example in EXAMPLES:
        await run(example.replace("https://huiyao.example", server.address), known)
    shown = capsys.readouterr().out
    assert "[('李强', 'ACCEPTED'), ('张敏', 'UNREAD')]" in shown
    assert "季度预算 2090-01-15 01:00:00+00:00" in shown
    assert "4602" in shown
    assert known["received"](sealed(EVENT, app_secret=embedded.app_secret)) == b'{"status":0}'
    assert "u2 comes to 111234" in capsys.readouterr().out
    content = sealed(EVENT)  # whatever it is: the signature is what counts first
    with pytest.raises(known["errors"].BadCallback, match="form"):
        known["received_standard"](hooked(content), content)
    assert len(EXAMPLES) == 5


async def run(example: str, known: dict[str, Any]) -> None:
    """Run an example in the names that those before it have made; it may await."""
    code = compile(example, "docs/client.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(code, CodeType)
    answer = FunctionType(code, known)()
    if inspect.isawaitable(answer):
        await answer


def test_the_table_has_every_method_of_a_person() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    methods = [name for name, _ in inspect.getmembers(AsyncPerson, inspect.isfunction) if name[0] != "_"]
    assert sorted(listed) == sorted(methods)
