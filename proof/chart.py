"""The picture of growth: a small panel for each call, all on one scale, in which flat means that size costs nothing."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

COLUMNS: Final = 4
WIDTH, HEIGHT = 250, 150  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 34, 14, 40, 24  # around its plot
HIGHEST: Final = 1.5  # above it a line is cut
BUDGET: Final = 0.7
RATE, TAIL = "#1f6feb", "#d9730d"
INK, PALE, LINE = "#222222", "#767676", "#d8d8d8"
HEAD: Final = 58


def draw(target: Path, figures: Mapping[str, Any]) -> None:
    """Of the figures that `growth` makes for one database."""
    sizes = [str(size) for size in figures["sizes"]]
    calls = figures["calls"]
    rows = -(-len(calls) // COLUMNS)
    width, height = COLUMNS * WIDTH + 16, HEAD + rows * HEIGHT + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="system-ui, sans-serif">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        _text(8, 22, f"{figures['database']}: {_count(sizes[0])} to {_count(sizes[-1])} meetings", size=16),
        _text(8, 44, "calls a second, as a part of those with the fewest meetings", colour=RATE),
        _text(390, 44, "p99 with the fewest meetings by p99", colour=TAIL),
        _text(630, 44, f"dashed: the budget, {BUDGET} · 1 is flat, higher is better", colour=PALE),
    ]
    for place, (call, found) in enumerate(calls.items()):
        x, y = 8 + place % COLUMNS * WIDTH, HEAD + place // COLUMNS * HEIGHT
        parts += [f'<g transform="translate({x} {y})">', *_panel(call, found, sizes), "</g>"]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join([*parts, "</svg>", ""]))


def _panel(call: str, found: Mapping[str, Mapping[str, float]], sizes: Sequence[str]) -> Iterator[str]:
    yield _text(LEFT, 14, call, size=13)
    yield _text(LEFT, 30, _ends(found, sizes), size=10, colour=PALE)
    for mark in (0.0, 0.5, 1.0, HIGHEST):
        yield _line([(0, mark), (1, mark)], colour=LINE, width=1)
        yield _text(LEFT - 5, _y(mark) + 3, f"{mark:g}", size=9, colour=PALE, anchor="end")
    yield _line([(0, BUDGET), (1, BUDGET)], colour=PALE, width=1, dashed=True)
    for place, size in enumerate(sizes):
        x = _x(place / (len(sizes) - 1))
        yield _text(x, HEIGHT - 10, _count(size), size=9, colour=PALE, anchor="middle")
    first = found[sizes[0]]
    lines = (("p99_ms", TAIL), ("per_second", RATE)) if "per_second" in first else (("p50_ms", RATE),)
    for what, colour in lines:
        values = [_beside(what, first[what], found[size][what]) for size in sizes]
        points = [(place / (len(sizes) - 1), min(value, HIGHEST)) for place, value in enumerate(values)]
        yield _line(points, colour=colour, width=2)
        for x, y in points:
            yield f'<circle cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="2.5" fill="{colour}"/>'


def _beside(what: str, first: float, value: float) -> float:
    return value / first if what == "per_second" else first / value


def _ends(found: Mapping[str, Mapping[str, float]], sizes: Sequence[str]) -> str:
    """What the ends of the lines stand for."""
    first, last = found[sizes[0]], found[sizes[-1]]
    if "per_second" not in first:
        return f"{first['p50_ms']:.1f} → {last['p50_ms']:.1f} ms"
    rates = f"{first['per_second']:,.0f} → {last['per_second']:,.0f}/s"
    return f"{rates} · p99 {first['p99_ms']:.1f} → {last['p99_ms']:.1f} ms"


def _count(size: str) -> str:
    zeros = len(size) - 1
    return f"10{'⁰¹²³⁴⁵⁶⁷⁸⁹'[zeros]}" if int(size) == 10**zeros else f"{int(size):,}"


def _x(part: float) -> float:
    return LEFT + part * (WIDTH - LEFT - RIGHT)


def _y(value: float) -> float:
    return TOP + (1 - value / HIGHEST) * (HEIGHT - TOP - BOTTOM)


def _line(points: Sequence[tuple[float, float]], *, colour: str, width: float, dashed: bool = False) -> str:
    path = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in points)
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dash}/>'


def _text(x: float, y: float, text: str, *, size: int = 12, colour: str = INK, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )
