"""The levels that the long run plays, from quick and simulated to slow and real."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.faults import (
    api_killed,
    browser_killed,
    exhaustive,
    host,
    nth_failure,
    processes,
    simulated,
    stateful,
    walls,
    whole,
)
from tests.faults.plan import Plan
from tests.faults.tally import Tally


@dataclass(frozen=True, slots=True)
class Level:
    """``quick`` and ``full``: how many trials."""

    words: str
    trials: Callable[[Plan], Iterator[Tally]]
    quick: int
    full: int
    databases: tuple[str, ...] = ("sqlite", "postgresql")


LEVELS = {
    "A-nth": Level("simulation: the n-th step fails", nth_failure.trials, 10_000, 10_000),
    "A-tree": Level("simulation: every plan of troubles", exhaustive.trials, 5, 10, ("sqlite",)),
    "A": Level("simulation: stories with crashes", simulated.trials, 2_000, 1_000_000),
    **{
        level: Level(
            f"the same on a real channel: {level.removeprefix('A-')}", trials, 200, 20_000, ("sqlite",)
        )
        for level, trials in simulated.CHANNELS.items()
    },
    "H": Level("made-up stories, shortened when they fail", stateful.trials, 300, 20_000),
    "B": Level("real processes, killed and frozen", processes.trials, 20, 700),
    "B-long": Level("the same, with up to ten kills in a row", processes.long_trials, 5, 100),
    "C": Level("real browsers, killed in four ways", browser_killed.trials, 4, 70),
    "D": Level("the API, killed and crowded", api_killed.trials, 10, 100),
    "walls": Level("walls, and starts under a halt", walls.trials, 4, 40, ("sqlite",)),
    "M": Level("the machine in trouble", host.trials, 2, 24),
    "E": Level("everything at once, thirty messages each", whole.trials, 1, 10, ("sqlite",)),
    "E-large": Level("the same, three hundred messages", whole.large_trials, 0, 1, ("sqlite",)),
}
