"""The benchmarks run, on a small scale, and write their figures; what they are is no test's business."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = {
    "rounds": 1,
    "members": 200,
    "waiting": 2_000,
    "reminders": 5,
    "seconds": 0.2,
    "commits": 3,
    "texts": 100,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.thorough])]
)
def test_the_dispatchers_benchmark_writes_figures_of_every_part(kind: str, tmp_path: Path) -> None:
    figures = tmp_path / "dispatch.json"
    sizes = [word for name, size in SMALL.items() for word in (f"--{name}", str(size))]
    done = subprocess.run(
        [sys.executable, ROOT / "bench" / "dispatch.py", "--database", kind, "--figures", figures, *sizes],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(figures.read_text())
    assert found["machine"]["cores"] > 0
    assert list(found[kind]) == ["herd", "waiting", "lateness", "wake", "texts"]
    assert [shape["reminders"] for shape in found[kind]["herd"].values()] == [200, 200]
    assert (found[kind]["lateness"]["reminders"], found[kind]["wake"]["commits"]) == (5, 3)
    assert found[kind]["texts"]["sent_per_second"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.thorough])]
)
def test_the_benchmark_of_live_events_writes_figures_beside_the_references(kind: str, tmp_path: Path) -> None:
    figures = tmp_path / "live.json"
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "bench" / "live.py", "--database", kind, "--figures", figures),
            *("--streams", "20", "--messages", "3"),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(figures.read_text())
    assert (found["streams"], found["messages"]) == (20, 3)
    for one in ("reference", kind):
        assert found[one]["connected_mb"] > 0
        assert found[one]["p50_ms"] <= found[one]["max_ms"]
