"""Numbers of some days as bars: where they stand in a small SVG. Nothing but arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH = 320
_FLOOR, _CEILING = 100, 14
_GAP = 0.28
"""Of the width of a day, between two days."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, in units of the picture; ``series`` is its place among the series, for its colour."""

    x: float
    y: float
    width: float
    height: float
    series: int
    said: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars for each day, its days' names, and the same as a table for screen readers."""

    title: str
    series: list[str]
    bars: list[Bar]
    days: list[tuple[float, str]]
    """Where a day's name is centred, and the name."""
    table: list[tuple[str, list[str]]]
    """The full name of a day and what each series says about it."""
    top: str
    """The largest value, in words."""

    @classmethod
    def of(
        cls,
        title: str,
        names: Sequence[str],
        full_names: Sequence[str],
        series: Sequence[tuple[str, Sequence[float | None]]],
        say: Callable[[float], str],
    ) -> Chart:
        """``say`` writes a value; None is a day about which there is nothing to say."""
        highest = max((v for _, values in series for v in values if v is not None), default=0.0)
        day_width = WIDTH / max(len(names), 1)
        bar_width = day_width * (1 - _GAP) / len(series)
        bars = []
        for place, (_, values) in enumerate(series):
            for day, value in enumerate(values):
                if value:
                    height = max(2.0, (_FLOOR - _CEILING) * value / highest)
                    x = day * day_width + day_width * _GAP / 2 + place * bar_width
                    bars.append(
                        Bar(
                            round(x, 1),
                            round(_FLOOR - height, 1),
                            round(bar_width - 1, 1),
                            round(height, 1),
                            place,
                            say(value),
                        )
                    )
        table = [
            (name, ["–" if values[day] is None else say(values[day] or 0) for _, values in series])
            for day, name in enumerate(full_names)
        ]
        centres = [round(day_width * (day + 0.5), 1) for day in range(len(names))]
        return cls(
            title,
            [name for name, _ in series],
            bars,
            list(zip(centres, names, strict=True)),
            table,
            say(highest) if highest else "",
        )
