"""What is counted over many trials, on every level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

PROMISES = {
    "I1": "lost",
    "I2": "duplicates",
    "I3": "false sent",
    "I4": "wrong conversation",
    "I5": "stuck",
    "I6": "false unconfirmed",
    "I7": "touched at a wall",
    "I8": "out of order or stale",
    "I9": "callbacks enqueued twice",
    "I10": "leftover processes, wrong exit codes",
    "I11": "secrets in the open",
}


@dataclass
class Tally:
    """Counts by name; ``broken`` holds what must never be, each line with what replays it."""

    trials: int = 1
    counts: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    longest: dict[str, float] = field(default_factory=dict)
    """The longest of some durations, in seconds."""

    def add(self, other: Tally) -> None:
        self.counts.update(other.counts)
        self.broken += other.broken
        for name, seconds in other.longest.items():
            self.took(name, seconds)

    def count(self, name: str, number: int = 1) -> None:
        self.counts[name] += number

    def took(self, name: str, seconds: float) -> None:
        self.longest[name] = max(seconds, self.longest.get(name, 0.0))

    def judge(self, lines: Iterable[str], replay: str) -> None:
        """Note broken promises, with the line that shows them again."""
        self.broken += [f"{line} | {replay}" for line in lines]

    def broken_by_promise(self) -> dict[str, int]:
        """How often each promise was broken, also those that never were."""
        found = Counter(line.split(" ", 1)[0] for line in self.broken)
        return {words: found.get(number, 0) for number, words in PROMISES.items()}
