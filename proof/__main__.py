"""`python -m proof [PROGRAM…]`: runs programs of the proof, all where none is named, and renews their rows.

Exit code 1 where a row does not hold. A quick run is a look: it prints its rows, and docs/ stays as it is.
"""

import argparse
import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

import msgspec

from bench import report
from proof import table
from proof.programs import PROGRAMS
from proof.result import Row, Run

DOCS = report.ROOT / "docs"


def attempt(name: str, run: Run) -> list[Row]:
    """The program's rows as far as it came; what stopped it is a row that fails."""
    rows: list[Row] = []
    os.sync()  # what came before must not still be on its way to the disk
    try:
        for row in PROGRAMS[name].prove(run):
            rows.append(row)
            print(table.table([row]).splitlines()[-1], flush=True)
    except Exception as error:  # the loop's edge: the other programs are to run
        traceback.print_exc()
        told = (str(error).splitlines() or [""])[0]
        rows.append(Row(done=f"the program `{name}`", times=0, wrong=(f"{type(error).__name__}: {told}",)))
        print(table.table(rows[-1:]).splitlines()[-1], flush=True)
    return rows


def keep(name: str, rows: list[Row], *, figures: Path) -> None:
    report.write(
        figures / f"{name}.json",
        {"machine": report.machine(), "rows": msgspec.to_builtins(rows)},
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="proof", description=__doc__)
    parser.add_argument("program", nargs="*", help=f"of {', '.join(PROGRAMS)}; all where none is named")
    parser.add_argument("--rounds", type=int, help="how often to do it, instead of as often as is right")
    parser.add_argument("--quick", action="store_true", help="a few rounds, for a look")
    parser.add_argument(
        "--figures", type=Path, help="where to keep them; docs/figures/proof, or nowhere if quick"
    )
    options = parser.parse_args()
    unknown = sorted(set(options.program) - PROGRAMS.keys())
    if unknown:
        parser.error(f"there is no program {', '.join(unknown)}, only {', '.join(PROGRAMS)}")
    figures = options.figures or (None if options.quick else DOCS / "figures" / "proof")
    holds = True
    for name in options.program or PROGRAMS:
        print(f"\n{name}", flush=True)
        folder = Path(tempfile.mkdtemp(prefix="huiyao-proof-", dir="/tmp"))
        folder.chmod(0o755)
        try:
            docs = DOCS if options.figures is None and not options.quick else None
            rows = attempt(name, Run(folder=folder, quick=options.quick, rounds=options.rounds, docs=docs))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        holds = holds and all(row.holds for row in rows)
        if figures:
            keep(name, rows, figures=figures)
    if figures:
        records = table.read(figures, PROGRAMS)
        target = DOCS / "proof.md" if options.figures is None else figures / "proof.md"
        target.write_text(table.page(records, {name: entry.summary for name, entry in PROGRAMS.items()}))
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
