"""The table of `docs/proof.md`, from the figures that the programs have written."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from proof.result import Row, shown

HEAD: Final = """\
# Proof

Written by `make prove`; every row is made by a program of `proof/`, which anyone can run again:
`make prove ROWS="kill outage"` runs these two alone and renews their rows. The figures are in `docs/figures/proof/`.
"""
COLUMNS: Final = ("what was done", "how often", "lost or wrong", "measured", "budget", "")
SUMMARY: Final = ("program", "rows", "lost or wrong", "budgets met")
SHOWN_WRONGS: Final = 3  # of one row


class Record(msgspec.Struct, frozen=True):
    """What one program wrote when it was last run in full."""

    machine: dict[str, str | int | None]
    rows: tuple[Row, ...]


def read(folder: Path, names: Iterable[str]) -> dict[str, Record]:
    """The records that are there, in the order of the names."""
    paths = {name: folder / f"{name}.json" for name in names}
    return {
        name: msgspec.json.decode(path.read_bytes(), type=Record)
        for name, path in paths.items()
        if path.exists()
    }


def page(records: Mapping[str, Record], summaries: Mapping[str, str]) -> str:
    """The whole document."""
    parts = [HEAD, _summary(records)]
    for name, record in records.items():
        parts.append(f"## {name}\n\n{summaries[name]}\n\n{table(record.rows)}\n\n_{_machine(record)}_\n")
    missing = [name for name in summaries if name not in records]
    if missing:
        parts.append(f"Not yet run in full: {', '.join(missing)}.\n")
    return "\n".join(parts)


def _summary(records: Mapping[str, Record]) -> str:
    lines = [_line(SUMMARY), _line(["---"] * len(SUMMARY))]
    for name, record in records.items():
        wrong = sum(bool(row.wrong) for row in record.rows)
        budgets = [one for row in record.rows for one in row.measures if one.budget]
        met = f"{sum(one.met for one in budgets)} of {len(budgets)}" if budgets else "–"
        lines.append(
            _line([f"[{name}](#{name})", str(len(record.rows)), f"in {wrong}" if wrong else "nothing", met])
        )
    return "\n".join(lines) + "\n"


def table(rows: Iterable[Row]) -> str:
    lines = [_line(COLUMNS), _line(["---"] * len(COLUMNS))]
    lines += [_line(_cells(row)) for row in rows]
    return "\n".join(lines)


def _cells(row: Row) -> list[str]:
    measures = row.measures
    return [
        f"{row.done}<br>{row.counted}" if row.counted else row.done,
        shown(row.times),
        _wrong(row),
        "<br>".join(f"{one.what}: {shown(one.value)} {one.unit}".rstrip() for one in measures),
        "<br>".join(one.budget or "–" for one in measures),
        "<br>".join(
            [
                _verdict(row),
                *(f"{one.what}: {one.why}" for one in measures if not one.met and one.why),
            ]
        ),
    ]


def _verdict(row: Row) -> str:
    if row.wrong:
        return "**fails**"
    if not row.holds:
        return "**missed**"
    return "met" if any(one.budget for one in row.measures) else "holds"


def _wrong(row: Row) -> str:
    if not row.wrong:
        return "nothing"
    more = len(row.wrong) - SHOWN_WRONGS
    return "<br>".join([*row.wrong[:SHOWN_WRONGS], *([f"and {more} more"] if more > 0 else [])])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/').replace(chr(10), ' ') for cell in cells)} |"


def _machine(record: Record) -> str:
    machine = record.machine
    return f"{machine['cores']} cores, {machine['system']}, Python {machine['python']}, commit {machine['commit']}"
