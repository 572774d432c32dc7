"""A fair lock for the workers of one process: one at a time; between two steps a waiting worker goes first."""

from __future__ import annotations

import asyncio


class Turn:
    """For workers that are known by a name. A worker must not take it twice."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._waiting = 0
        self._away: set[str] = set()
        """Who is in the middle of a turn and lets others go first."""

    @property
    def is_taken(self) -> bool:
        return self._lock.locked()

    @property
    def waiting(self) -> int:
        """How many wait for it."""
        return self._waiting

    async def take(self) -> None:
        """Wait until it is free. Who takes it gives it back by ``give``."""
        self._waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1

    def give(self) -> None:
        """Give it back."""
        self._lock.release()

    async def yield_turn(self, who: str) -> bool:
        """In the middle of a turn: let a waiting worker go first. Whether anybody did; then it is ours again.

        Cancelled meanwhile, ``who`` is without the turn (``left_in_the_middle``).
        """
        if not self._waiting:
            return False
        self._away.add(who)
        self._lock.release()
        await asyncio.sleep(0)
        await self.take()  # we count as waiting, so the holder hands the turn back at its next step
        self._away.discard(who)
        return True

    def is_away(self, who: str) -> bool:
        """Whether this worker has let others go first and does not have the turn yet again."""
        return who in self._away

    def left_in_the_middle(self, who: str) -> bool:
        """At the end of a turn: whether this worker was cancelled while another one had it. Forgets it."""
        was_away = who in self._away
        self._away.discard(who)
        return was_away
