"""The clock around SEND: woken by a new job, else it looks every SEND_WORKER_INTERVAL_SEC."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from loguru import logger

from src.db.wakeup import Wakeup
from src.model.retry import SEND_WORKER
from src.services.send import Send
from src.workers.heartbeats import Heartbeats
from src.workers.loop import Failure, Loop
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
        self._interval = interval
        self._clock = clock
        self._loop = Loop(self._look, backoff=SEND_WORKER, failed=self._failed, wakeup=wakeup)

    async def run(self, stop: asyncio.Event) -> None:
        """Look, send what is due, wait to be woken."""
        await self._loop.run(stop)

    async def run_once(self, stop: asyncio.Event) -> None:
        """One look; takes the turn (and a browser) only if there is something to do."""
        await self._loop.run_once(stop)

    async def _look(self, stop: asyncio.Event) -> float:
        began = time.monotonic()
        handled = 0
        due = await asyncio.to_thread(self._send.next_work_at)
        if due is not None and due <= self._clock():
            async with self._turns.turn("SEND") as channel:
                handled = await self._send.run_once(
                    channel, lambda: self._turns.yield_turn("SEND"), lambda: not stop.is_set()
                )
            # What is due next has changed: looked up at once, or soon if others keep it from being done.
            due = self._clock() + timedelta(seconds=0 if handled else 1)
        outcome = f"{handled} handled" if handled else "idle"
        await self._beats.cycle("send", outcome=outcome, seconds=time.monotonic() - began, ok=True)
        if due is None:
            return self._interval
        return min(self._interval, max(0.05, (due - self._clock()).total_seconds()))

    async def _failed(self, failure: Failure) -> None:
        logger.warning("SEND could not work ({} in a row): {}", failure.in_a_row, failure.error)
        await self._beats.cycle("send", outcome=str(failure.error), seconds=failure.seconds, ok=False)
