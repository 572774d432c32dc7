"""Notices when the machine's clock is set back, and takes what waits with it.

Times in the queues are those of the clock on the wall. Set back by an hour, it would make a guest wait for an hour
longer; set forward, it only makes waits end early. (A machine that sleeps looks like the latter.) For a host whose
computer starts with a wrong time and is set right later (ADR 0047).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from loguru import logger

from src.db import clock_moves
from src.db.clock_moves import Queue
from src.db.engine import Database
from src.errors import TransientError
from src.model.retry import WORKER
from src.workers.loop import Loop

LOOK_EVERY_SEC = 2.0
NOTICED = timedelta(seconds=30)
"""A smaller step is left alone: clocks are corrected all the time."""


class ClockWatch:
    """For the queues that this process works on, so that no row is moved twice."""

    def __init__(
        self,
        db: Database,
        account: str,
        queues: Collection[Queue],
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._account = account
        self._queues = queues
        self._clock = clock
        self._monotonic = monotonic
        self._began = self._difference()
        self._to_move = timedelta()

    async def run(self, stop: asyncio.Event) -> None:
        """Look again and again until stopped."""
        await Loop(self._step, backoff=WORKER).run(stop)

    async def _step(self, _stop: asyncio.Event) -> float:
        await asyncio.to_thread(self.look)
        return LOOK_EVERY_SEC

    def look(self) -> None:
        """Blocking. What the database does not take now is moved by the next look."""
        step = self._difference() - self._began
        if abs(step) > NOTICED:
            self._began += step
            self._to_move = max(timedelta(), self._to_move - step)
            way = "back" if step < timedelta() else "forward, or this machine slept"
            logger.warning(
                "The clock was set {} ({:.0f} s); if that was not right, set it right (NTP does)",
                way,
                abs(step.total_seconds()),
            )
        if not self._to_move:
            return
        try:
            with self._db.write() as conn:
                moved = sum(
                    clock_moves.set_back(conn, self._account, queue, self._to_move, self._clock())
                    for queue in self._queues
                )
        except TransientError as error:
            logger.debug("What waits was not moved with the clock yet: {}", error)
            return
        self._to_move = timedelta()
        logger.info("What waits was moved with the clock: {}", moved)

    def _difference(self) -> datetime:
        return self._clock() - timedelta(seconds=self._monotonic())
