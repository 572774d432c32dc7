"""The clock around the AI webhook, one for all accounts: posts what is due, woken by new messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

from loguru import logger

from src.db.wakeup import Wakeup
from src.model.retry import WORKER
from src.services.ai_webhook import AiWebhook
from src.workers.heartbeats import Heartbeats
from src.workers.loop import Failure, Loop

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
        self._clock = clock
        self._loop = Loop(self._post, backoff=WORKER, failed=self._failed, wakeup=wakeup)

    async def run(self, stop: asyncio.Event) -> None:
        """Post what is due, wait until something is."""
        await self._loop.run(stop)

    async def _post(self, _stop: asyncio.Event) -> float:
        pause = await self._seconds_until_event()
        if pause > 0:
            return pause
        handled = await self._webhook.run_once()
        for account, posted in handled.items():
            await self._beats[account].cycle("ai", outcome=f"{posted} posted", seconds=0.0, ok=True)
        least = 0.0 if handled else NOTHING_DONE_SEC
        return max(least, await self._seconds_until_event())

    async def _failed(self, failure: Failure) -> None:
        # What was due still is: without a pause it would be tried thousands of times a minute.
        logger.warning("The AI's queue is out of reach ({} in a row): {}", failure.in_a_row, failure.error)

    async def _seconds_until_event(self) -> float:
        at = await self._webhook.next_event_at()
        if at is None:
            return LONGEST_WAIT_SEC
        return min(LONGEST_WAIT_SEC, (at - self._clock()).total_seconds())
