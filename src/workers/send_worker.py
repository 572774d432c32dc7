"""The clock around SEND: woken by a new job, else it looks every SEND_WORKER_INTERVAL_SEC."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from loguru import logger

from src.db.wakeup import Wakeup
from src.errors import TransientError
from src.model.retry import SEND_WORKER
from src.services.send import Send
from src.workers import waits
from src.workers.heartbeats import Heartbeats
from src.workers.turns import Turns


class SendWorker:
    """Runs SEND until stopped; finishes the reply in hand first. Raises Halt."""

    def __init__(
        self,
        send: Send,
        turns: Turns,
        beats: Heartbeats,
        *,
        wakeup: Wakeup,
        interval: float,
        clock: Callable[[], datetime],
    ) -> None:
        self._send = send
        self._turns = turns
        self._beats = beats
        self._wakeup = wakeup
        self._interval = interval
        self._clock = clock
        self._failures = 0
        self._due: datetime | None = None
        """When there is something to do, as seen by the last look."""

    async def run(self, stop: asyncio.Event) -> None:
        """Look, send what is due, wait to be woken."""
        while not stop.is_set():
            await self.run_once(stop)
            await self._wait(stop)

    async def run_once(self, stop: asyncio.Event) -> None:
        """One look; takes the turn (and a browser) only if there is something to do."""
        began = time.monotonic()
        handled = 0
        try:
            self._due = await asyncio.to_thread(self._send.next_work_at)
            if self._due is not None and self._due <= self._clock():
                async with self._turns.turn("SEND") as channel:
                    handled = await self._send.run_once(
                        channel, lambda: self._turns.yield_turn("SEND"), lambda: not stop.is_set()
                    )
                # What is due next has changed: looked up at once, or soon if others keep it from being done.
                self._due = self._clock() + timedelta(seconds=0 if handled else 1)
        except TransientError as error:
            self._failures += 1
            logger.warning("SEND could not work ({} in a row): {}", self._failures, error)
            await self._beats.cycle("send", outcome=str(error), seconds=time.monotonic() - began, ok=False)
            return
        self._failures = 0
        outcome = f"{handled} handled" if handled else "idle"
        await self._beats.cycle("send", outcome=outcome, seconds=time.monotonic() - began, ok=True)

    async def _wait(self, stop: asyncio.Event) -> None:
        if self._failures:
            pause = SEND_WORKER.pause(self._failures)
        elif self._due is None:
            pause = self._interval
        else:
            pause = min(self._interval, max(0.05, (self._due - self._clock()).total_seconds()))
        await waits.sleep_until_woken(stop, self._wakeup, pause)
        if self._failures:  # a wake-up must not turn a back-off into a storm
            await waits.sleep(stop, min(pause, 1.0))
