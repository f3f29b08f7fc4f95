"""What a program of the proof answers: rows of the table, each with what was measured beside its budget."""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

import msgspec


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure; with a budget where design section 6, or the issue, names one."""

    what: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    why: str = ""  # where the budget is missed: the reason, as measured

    @property
    def budget(self) -> str:
        """As the table shows it; "" where there is none."""
        if self.at_most is not None:
            return f"≤ {shown(self.at_most)} {self.unit}".rstrip()
        return f"≥ {shown(self.at_least)} {self.unit}".rstrip() if self.at_least is not None else ""

    @property
    def met(self) -> bool:
        above = self.at_most is not None and self.value > self.at_most
        return not above and not (self.at_least is not None and self.value < self.at_least)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table."""

    done: str  # what was done
    times: int  # how often
    counted: str = ""  # what that touched, such as "12,000 changes acknowledged"
    wrong: tuple[str, ...] = ()  # what was lost, doubled, half there, or otherwise not as promised
    measures: tuple[Measure, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.wrong and all(one.met for one in self.measures)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """How much is asked of a program."""

    folder: Path  # of its own; gone afterwards
    quick: bool = False  # a few rounds, for a look; such figures are not kept in docs/
    rounds: int | None = None  # else as many as the program thinks right
    docs: Path | None = None  # where pictures and further figures are kept; None: nowhere

    def times(self, full: int, quick: int) -> int:
        """How often to do what is done so often in full, or for a quick look."""
        return self.rounds or (quick if self.quick else full)

    def place(self, prefix: str) -> Path:
        """A fresh folder that every user of the machine may enter, for PostgreSQL runs as another."""
        made = Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=self.folder))
        made.chmod(0o755)
        return made


# Yields a row as soon as it is there.
Program: TypeAlias = Callable[[Run], Iterable[Row]]


def shown(value: float) -> str:
    """A number with as many digits as say anything."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
