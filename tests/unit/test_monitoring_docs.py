"""Monitoring is documented whole: every metric, every alarm and every line of the log, in both languages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client import Counter, Gauge, Histogram

from huiyao import telemetry

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = ROOT / "src" / "huiyao"
ALERTS: Final = ROOT / "docs" / "alerts.yml"
LEVELS: Final = frozenset({"info", "warning", "error"})
both_languages = pytest.mark.parametrize("page", ["monitoring.md", "monitoring.zh.md"])


def read(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def metrics() -> dict[str, list[str]]:
    """Each metric, as Prometheus shows it, with its labels."""
    found = {}
    for one in vars(telemetry).values():
        if isinstance(one, Counter | Gauge | Histogram):
            (family,) = one.describe()
            name = f"{family.name}_total" if isinstance(one, Counter) else family.name
            found[name] = list(one._labelnames)
    return found


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def lines() -> set[str]:
    """What is logged: the first argument of each call of a logger."""
    return {line for file in SOURCE.rglob("*.py") for line in _lines(ast.parse(file.read_text()))}


def _lines(tree: ast.Module) -> Iterator[str]:
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and call.args and "log" in ast.unparse(call.func).lower()):
            continue
        methods = {one.attr for one in ast.walk(call.func) if isinstance(one, ast.Attribute)}
        first = call.args[0]
        # A variable called log is one of the logger's methods.
        if (methods & LEVELS or ast.unparse(call.func) == "log") and isinstance(first, ast.Constant):
            yield str(first.value)


@both_languages
def test_every_metric_is_documented_with_its_labels_and_no_other(page: str) -> None:
    rows = re.findall(r"^\| `(huiyao_\w+)` \|([^|]*)\|", read(page), re.MULTILINE)
    assert {name: re.findall(r"\w+", labels) for name, labels in rows} == metrics()


@both_languages
def test_every_alarm_is_documented_and_no_other(page: str) -> None:
    assert re.findall(r"^\| `(Huiyao\w+)` \|", read(page), re.MULTILINE) == [
        rule["alert"] for rule in rules()
    ]


def test_alarms_ask_for_metrics_labels_and_kinds_that_exist() -> None:
    known = metrics()
    for rule in rules():
        asked = re.findall(r"\b(huiyao_\w+?)(?:_bucket)?\b(?:\{(.*?)\})?", rule["expr"])
        assert asked or rule["expr"].startswith("up{"), rule
        for metric, selector in asked:
            labels = known[metric]
            assert {name for name, _ in re.findall(r"(\w+)!?=\"(\w*-?\w*)\"", selector)} <= set(labels)
        shown = re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])
        grouped = re.search(r" by \(([^)]*)\)", rule["expr"])
        kept = {one.strip() for one in grouped[1].split(",")} if grouped else {"instance"}
        assert set(shown) <= kept, rule


@both_languages
def test_every_line_of_the_log_is_explained(page: str) -> None:
    table = read(page).partition("| `serving`")[2]
    assert lines() <= set(re.findall(r"`([a-z ]+)`", f"`serving`{table}"))


def test_the_search_for_lines_of_the_log_finds_them_however_they_are_written() -> None:
    assert lines() >= {"call", "delivery", "statement failed", "serving", "worker died", "task put off"}
