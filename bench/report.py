"""What benchmarks say of their figures: on which machine and commit, quantiles, and where they are kept."""

import json
import math
import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _git(*arguments: str) -> str:
    answer = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def machine() -> dict[str, object]:
    """What the figures were measured on; a commit is dirty where something other than docs/ was changed,
    because the programs renew their figures there one after the other.
    """
    commit = _git("describe", "--always")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs")
    return {
        "commit": f"{commit}-dirty" if changed else commit,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
    }


def quantile(values: Sequence[float], percent: int) -> float:
    """The least of them that `percent` of them do not exceed."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def middle(values: Sequence[float], digits: int) -> float:
    """The median over the rounds."""
    return round(statistics.median(values), digits)


def write(target: Path, figures: Mapping[str, object]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures, indent=2) + "\n")
    print(f"\nwritten to {os.path.relpath(target)}")
