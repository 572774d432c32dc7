"""The loop of every worker: a step, a wait, the next step; after trouble an ever longer wait, and never a storm.

    step ─▶ seconds until more is due ─▶ that long, or woken ──────────────────────────┐
     ▲ └─ TransientError ─▶ noted ─▶ the back-off, or woken, and then a second at least ─┤
     └─────────────────────────────────────────────────────────────────────────────────┘

A stop ends every wait at once. Every other error (a Halt, a bug) ends the loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from loguru import logger

from src.db.wakeup import Wakeup
from src.errors import TransientError
from src.model.retry import Backoff
from src.workers import waits

LEAST_SEC = 1.0
"""After trouble a wake-up does not lead to another try sooner: each new message would be one."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that did not succeed."""

    error: TransientError
    in_a_row: int
    seconds: float
    """How long it took."""


Step = Callable[[asyncio.Event], Awaitable[float]]
"""Does what is due and returns in how many seconds more is. It is given the stop, to end early."""


async def say_failure(failure: Failure) -> None:
    """For a step that says nothing itself of its trouble."""
    logger.debug("Tried again later ({} in a row): {}", failure.in_a_row, failure.error)


class Loop:
    """Runs one worker's step until stopped."""

    def __init__(
        self,
        step: Step,
        *,
        backoff: Backoff,
        failed: Callable[[Failure], Awaitable[None]] = say_failure,
        wakeup: Wakeup | None = None,
        wait: Callable[[asyncio.Event, float], Awaitable[None]] | None = None,
    ) -> None:
        """``wakeup`` ends a wait early. ``wait`` is how it is waited after a good step, if not so."""
        self._step = step
        self._backoff = backoff
        self._failed = failed
        self._wakeup = wakeup
        self._wait = wait or self._sleep
        self.failures = 0
        """In a row."""

    async def run(self, stop: asyncio.Event) -> None:
        """Step after step until stopped; the one in hand is finished."""
        while not stop.is_set():
            pause = await self.run_once(stop)
            if not self.failures:
                await self._wait(stop, pause)
                continue
            await self._sleep(stop, pause)
            if self._wakeup is not None:
                await waits.sleep(stop, min(pause, LEAST_SEC))

    async def run_once(self, stop: asyncio.Event) -> float:
        """One step. The seconds until the next one."""
        began = time.monotonic()
        try:
            pause = await self._step(stop)
        except TransientError as error:
            self.failures += 1
            await self._failed(Failure(error, self.failures, time.monotonic() - began))
            return self._backoff.pause(self.failures)
        self.failures = 0
        return pause

    async def _sleep(self, stop: asyncio.Event, seconds: float) -> None:
        if self._wakeup is None:
            await waits.sleep(stop, seconds)
        else:
            await waits.sleep_until_woken(stop, self._wakeup, seconds)
