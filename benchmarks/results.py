"""What was measured, what was expected of it, and how both are shown: JSON, a Markdown page, a plot."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Series:
    """Values of one thing, measured several times: ``case`` says what, ``who`` whose way of doing it."""

    group: str
    case: str
    who: str
    unit: str
    values: list[float]
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def share(self, part: float) -> float:
        """The value that so many of all (0.95) do not exceed."""
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


@dataclass(slots=True)
class Goal:
    """A line of the table of goals. ``reason`` says why it is not met, as measured."""

    what: str
    wanted: str
    found: str
    met: bool | None
    reason: str = ""


@dataclass(slots=True)
class Results:
    """All of one run."""

    size: str
    series: list[Series] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """Requests that the site's log has of ours, by case and kind."""
    plans: dict[str, list[str]] = field(default_factory=dict)
    """Query plans of what the workers ask most often."""
    troubles: list[str] = field(default_factory=list)
    """What could not be measured here, and why."""
    facts: dict[str, Any] = field(default_factory=dict)
    """The machine, versions, load."""

    def add(
        self, group: str, case: str, who: str, unit: str, values: Iterable[float], note: str = ""
    ) -> None:
        """Keep what was measured; several rounds of the same thing become one series."""
        known = self.find(case, who, unit)
        if known is not None:
            known.values += values
            return
        kept = list(values)
        if kept:
            self.series.append(Series(group, case, who, unit, kept, note))

    def find(self, case: str, who: str, unit: str | None = None) -> Series | None:
        """The series of this case, or None if it was not measured."""
        for one in self.series:
            if (one.case, one.who) == (case, who) and unit in (None, one.unit):
                return one
        return None

    def ratio(self, case: str, ours: str, other: str, unit: str) -> float | None:
        """Median of ours by median of the other's; None if one of them is missing."""
        mine, theirs = self.find(case, ours, unit), self.find(case, other, unit)
        return mine.median / theirs.median if mine and theirs and theirs.median else None

    def save(self, path: Path, goals: list[Goal]) -> None:
        """Write everything as JSON."""
        told = asdict(self) | {"goals": [asdict(goal) for goal in goals]}
        path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(path: Path) -> Results:
    """What ``save`` wrote, without the goals, which follow from it."""
    told = json.loads(path.read_text(encoding="utf-8"))
    told.pop("goals", None)
    told["series"] = [Series(**one) for one in told["series"]]
    return Results(**told)


# --- the page ----------------------------------------------------------------------------------------------


def number(value: float) -> str:
    """Three digits that mean something."""
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def page(results: Results, goals: list[Goal]) -> str:
    """The Markdown page: goals first, then every series."""
    facts = results.facts
    lines = [
        f"# Measured ({results.size})",
        "",
        "Written by `sh scripts/bench.sh`; what it means is said in `docs/performance.md`.",
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
        "",
        "## Goals",
        "",
        "| what | goal | measured | |",
        "| --- | --- | --- | --- |",
    ]
    for goal in goals:
        verdict = {True: "met", False: "**not met**", None: "not measured"}[goal.met]
        more = f": {goal.reason}" if goal.reason else ""
        lines.append(f"| {goal.what} | {goal.wanted} | {goal.found} | {verdict}{more} |")
    for group in dict.fromkeys(one.group for one in results.series):
        lines += ["", f"## {group}", "", "| what | who | median | min to max | n | |"]
        lines += ["| --- | --- | --- | --- | --- | --- |"]
        for one in (s for s in results.series if s.group == group):
            span = f"{number(min(one.values))} to {number(max(one.values))}"
            cells = [
                one.case,
                one.who,
                f"{number(one.median)} {one.unit}",
                span,
                str(len(one.values)),
                one.note,
            ]
            lines.append(f"| {' | '.join(cells)} |")
    if results.counts:
        lines += ["", "## Requests at the site (ours)", "", "| case | requests |", "| --- | --- |"]
        for case, kinds in results.counts.items():
            said = ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items())) or "none"
            lines.append(f"| {case} | {said} |")
    for what, plan in results.plans.items():
        lines += ["", f"## Query plan: {what}", "", "```", *plan, "```"]
    if results.troubles:
        lines += ["", "## Not measured", "", *(f"- {one}" for one in results.troubles)]
    return "\n".join(lines) + "\n"


# --- the plot ----------------------------------------------------------------------------------------------

_WIDTH, _HEIGHT = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 220, 40, 50
_COLOURS = {"ours": "#0b7a75", "floor": "#7b8794", "naive": "#d1495b"}


def plot(results: Results, latencies: Iterable[str], threads: Iterable[int]) -> str:
    """Cost of a cycle with two changed conversations over the size of the inbox, both axes logarithmic (SVG)."""
    sizes = list(threads)
    lines: list[tuple[str, str, list[tuple[int, float]]]] = []
    for latency in latencies:
        for who in ("naive", "ours", "floor"):
            points = [
                (n, found.median)
                for n in sizes
                if (found := results.find(f"cycle, 2 changed, N={n}, {latency}", who, "ms")) is not None
            ]
            if points:
                lines.append((who, latency, points))
    every = [value for _, _, points in lines for _, value in points]
    if not every or len(sizes) < 2:
        return ""
    scale = _Scale(sizes, every)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"',
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="22" font-size="15">',
        "One cycle with two changed conversations, by the size of the inbox</text>",
    ]
    for power in range(scale.low, scale.high + 1):
        y = scale.y(10.0**power)
        name = f"{10**power} ms" if power < 3 else f"{10 ** (power - 3)} s"
        drawn.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e7eb"/>'
        )
        drawn.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{name}</text>')
    for n in sizes:
        drawn.append(f'<text x="{scale.x(n):.1f}" y="{_HEIGHT - 26}" text-anchor="middle">{n:,}</text>')
    drawn.append(
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">conversations</text>'
    )
    labels: list[float] = []
    for who, latency, points in sorted(lines, key=lambda line: -line[2][-1][1]):
        drawn += _line(who, latency, points, scale, labels)
    return "\n".join([*drawn, "</svg>"]) + "\n"


class _Scale:
    """Values to places, logarithmic in both directions."""

    def __init__(self, sizes: list[int], values: list[float]) -> None:
        self._sizes = sizes
        self.low = _power(min(values))
        self.high = _power(max(values)) + 1

    def x(self, n: int) -> float:
        first, last = _log(self._sizes[0]), _log(self._sizes[-1])
        return _LEFT + 20 + (_log(n) - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT - 40)

    def y(self, value: float) -> float:
        part = (_log(value) - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - part * (_HEIGHT - _TOP - _BOTTOM)


def _line(
    who: str, latency: str, points: list[tuple[int, float]], scale: _Scale, labels: list[float]
) -> list[str]:
    colour, dash = _COLOURS[who], "" if latency == "no latency" else ' stroke-dasharray="5 4"'
    path = " ".join(f"{scale.x(n):.1f},{scale.y(v):.1f}" for n, v in points)
    drawn = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>']
    drawn += [
        f'<circle cx="{scale.x(n):.1f}" cy="{scale.y(v):.1f}" r="3" fill="{colour}"/>' for n, v in points
    ]
    y = scale.y(points[-1][1]) + 4
    while any(abs(y - other) < 14 for other in labels):
        y += 3
    labels.append(y)
    last = points[-1][1]
    said = f"{last:.0f} ms" if last < 1000 else f"{last / 1000:,.1f} s"
    drawn.append(f'<text x="{_WIDTH - _RIGHT}" y="{y:.1f}" fill="{colour}">{who}, {latency} ({said})</text>')
    return drawn


def _log(value: float) -> float:
    return math.log10(value)


def _power(value: float) -> int:
    return math.floor(math.log10(value))
