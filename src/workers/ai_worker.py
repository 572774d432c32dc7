"""The clock around the AI webhook: posts what is due, woken by new messages; never waits for the browser."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from loguru import logger

from src.db.wakeup import Wakeup
from src.errors import TransientError
from src.services.ai_webhook import AiWebhook
from src.workers.beats import Beats

LONGEST_WAIT_SEC = 5.0
"""Requests expire and leases end without a wake-up, so it looks this often at least."""


class AiWorker:
    """Runs until stopped."""

    def __init__(
        self, webhook: AiWebhook, beats: Beats, *, wakeup: Wakeup, clock: Callable[[], datetime]
    ) -> None:
        self._webhook = webhook
        self._beats = beats
        self._wakeup = wakeup
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        """Post what is due, wait until something is."""
        while not stop.is_set():
            try:
                handled = await self._webhook.run_once()
                pause = await self._until_due()
            except TransientError as error:
                logger.warning("The AI's queue could not be read: {}", error)
                handled, pause = 0, LONGEST_WAIT_SEC
            if handled:
                await self._beats.cycle("ai", outcome=f"{handled} posted", seconds=0.0, ok=True)
            waken = asyncio.create_task(self._wakeup.wait(pause))
            stopped = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait({waken, stopped}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                waken.cancel()
                stopped.cancel()

    async def _until_due(self) -> float:
        due = await self._webhook.next_due_at()
        if due is None:
            return LONGEST_WAIT_SEC
        return min(LONGEST_WAIT_SEC, max(0.01, (due - self._clock()).total_seconds()))
