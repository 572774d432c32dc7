"""The clock around the AI webhook, one for all accounts: posts what is due, woken by new messages."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime

from loguru import logger

from src.db.wakeup import Wakeup
from src.errors import TransientError
from src.model.retry import AI_WORKER
from src.services.ai_webhook import AiWebhook
from src.workers import waits
from src.workers.heartbeats import Heartbeats

LONGEST_WAIT_SEC = 15.0
"""A wake-up may get lost, so it looks this often at least. When something is due or expires is looked up."""
NOTHING_DONE_SEC = 1.0
"""The pause when what was due could not be done."""


class AiWorker:
    """Runs until stopped."""

    def __init__(
        self,
        webhook: AiWebhook,
        beats: Mapping[str, Heartbeats],
        *,
        wakeup: Wakeup,
        clock: Callable[[], datetime],
    ) -> None:
        """``beats`` by the account's name."""
        self._webhook = webhook
        self._beats = beats
        self._wakeup = wakeup
        self._clock = clock
        self._failures = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Post what is due, wait until something is."""
        while not stop.is_set():
            handled, pause = Counter[str](), LONGEST_WAIT_SEC
            try:
                pause = await self._seconds_until_event()
                if pause <= 0:
                    handled = await self._webhook.run_once()
                    least = 0.0 if handled else NOTHING_DONE_SEC
                    pause = max(least, await self._seconds_until_event())
                self._failures = 0
            except TransientError as error:
                self._failures += 1
                # What was due still is: without a pause it would be tried thousands of times a minute.
                pause = AI_WORKER.pause(self._failures)
                logger.warning("The AI's queue is out of reach ({} in a row): {}", self._failures, error)
            for account, posted in handled.items():
                await self._beats[account].cycle("ai", outcome=f"{posted} posted", seconds=0.0, ok=True)
            await waits.sleep_until_woken(stop, self._wakeup, pause)
            if self._failures:  # nor may each new message be another try
                await waits.sleep(stop, min(pause, NOTHING_DONE_SEC))

    async def _seconds_until_event(self) -> float:
        at = await self._webhook.next_event_at()
        if at is None:
            return LONGEST_WAIT_SEC
        return min(LONGEST_WAIT_SEC, (at - self._clock()).total_seconds())
