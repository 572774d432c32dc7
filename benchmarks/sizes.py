"""How much is measured. Quick is for a look, full for numbers that stand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers of repetitions; every one of them keeps the run bounded."""

    name: str
    threads: tuple[int, ...]
    """How many conversations the inbox has, one measurement for each."""
    rounds: int
    """Ours, floor, ours, floor …: so many times in turn."""
    idle_cycles: int
    """Idle cycles in a round."""
    busy_cycles: int
    """Cycles with two changed conversations in a round."""
    sends: int
    """Replies in a round."""
    naive_visits: int
    """The naive design visits at most so many conversations; what is beyond is calculated from them."""
    replies: int
    """Guest writes → verified reply, so many times."""
    idle_sec: float
    jobs: int
    """Jobs through each queue; the slow ones get a tenth."""
    deep_rows: tuple[int, ...]
    """Rows in the queue's table for the question whether a claim depends on them."""
    claims: int
    calls: int
    """Calls of the API in a round."""
    cycles: int
    """Cycles of the memory measurement."""
    starts: int


TINY = Size("tiny", (20,), 1, 3, 1, 1, 2, 2, 4.0, 50, (1_000,), 5, 200, 30, 1)
QUICK = Size("quick", (20, 200, 1_000), 3, 10, 3, 3, 4, 6, 30.0, 600, (1_000, 100_000), 40, 800, 1_000, 3)
FULL = Size(
    "full", (20, 200, 1_000), 5, 20, 6, 5, 25, 20, 90.0, 3_000, (1_000, 1_000_000), 100, 4_000, 12_000, 7
)
SIZES = {size.name: size for size in (TINY, QUICK, FULL)}
