"""The table of the proof: what fails and what is missed is shown as that, and ends with exit code 1."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proof import __main__ as command
from proof import programs, table
from proof.result import Measure, Program, Row, Run, shown

GOOD = Row(done="nothing", times=3, measures=(Measure(what="back", value=1.5, unit="s", at_most=5),))
MISSED = Row(
    done="much",
    times=1,
    measures=(Measure(what="rate", value=10, at_least=20, why="the machine was busy"),),
)
MACHINE: dict[str, str | int | None] = {"cores": 2, "system": "Linux", "python": "3.11", "commit": "abc"}
WRONG = Row(done="harm", times=2, wrong=("a meeting is lost", "b", "c", "d"))


def cells(row: Row) -> list[str]:
    return [cell.strip() for cell in table.table([row]).splitlines()[-1].strip("|").split("|")]


def test_a_row_says_what_was_done_how_often_and_what_came_of_it() -> None:
    assert cells(GOOD) == ["nothing", "3", "nothing", "back: 1.5 s", "≤ 5 s", "met"]


def test_a_missed_budget_is_shown_with_its_reason() -> None:
    assert cells(MISSED)[4:] == ["≥ 20", "**missed**<br>rate: the machine was busy"]


def test_what_is_wrong_is_shown_and_counted() -> None:
    assert cells(WRONG)[2] == "a meeting is lost<br>b<br>c<br>and 1 more"
    assert cells(WRONG)[5] == "**fails**"


def test_what_has_no_budget_is_not_said_to_have_met_one() -> None:
    assert cells(Row(done="nothing", times=1, measures=(Measure(what="rate", value=10),)))[5] == "holds"


def test_the_page_begins_with_what_all_programs_came_to() -> None:
    records = {
        "one": table.Record(machine=MACHINE, rows=(GOOD, MISSED)),
        "two": table.Record(machine=MACHINE, rows=(WRONG,)),
    }
    text = table.page(records, {"one": "About one.", "two": "About two."})
    summary = text.partition("## one")[0].splitlines()
    assert summary[-3:-1] == ["| [one](#one) | 2 | nothing | 1 of 2 |", "| [two](#two) | 1 | in 1 | – |"]


@pytest.mark.parametrize(
    ("value", "text"), [(3, "3"), (12_000, "12,000"), (0.1234, "0.123"), (12.345, "12.3"), (1234.5, "1,234")]
)
def test_numbers_have_as_many_digits_as_say_anything(value: float, text: str) -> None:
    assert shown(value) == text


def proving(*rows: Row, stopped: bool = False) -> Program:
    def prove(run: Run) -> Iterator[Row]:
        assert run.folder.is_dir()
        yield from rows
        if stopped:
            raise RuntimeError("the machine is on fire")

    return prove


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str, **proofs: Program) -> int:
    entries = {name: programs.Entry(prove, f"About {name}.") for name, prove in proofs.items()}
    monkeypatch.setattr(command, "PROGRAMS", entries)
    monkeypatch.setattr(sys, "argv", ["proof", "--figures", str(folder), *arguments])
    return command.main()


def test_a_partial_run_renews_its_rows_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert run(monkeypatch, tmp_path, one=proving(GOOD), two=proving(MISSED)) == 1
    assert run(monkeypatch, tmp_path, "two", one=proving(WRONG), two=proving(GOOD)) == 0
    text = (tmp_path / "proof.md").read_text()
    assert text.index("## one") < text.index("About one.") < text.index("## two") < text.index("About two.")
    assert text.count("| met |") == 2


def test_a_program_that_stops_is_a_row_that_fails_behind_those_it_had(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run(monkeypatch, tmp_path, one=proving(GOOD, stopped=True), two=proving(GOOD)) == 1
    text = (tmp_path / "proof.md").read_text()
    assert "RuntimeError: the machine is on fire" in text
    assert text.count("| met |") == 2


def test_what_was_never_run_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run(monkeypatch, tmp_path, "one", one=proving(GOOD), two=proving(GOOD))
    assert "Not yet run in full: two." in (tmp_path / "proof.md").read_text()
