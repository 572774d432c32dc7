"""The clock around SYNC: a cycle at once when the page shows news, else every SCRAPE_INTERVAL_SEC."""

from __future__ import annotations

import asyncio
import time

from loguru import logger

from src.channels.base import Attended, CatchesUp, Channel, Watches
from src.errors import ChannelGone, Halt, NotUnderstood, PageChanged, TransientError
from src.model.retry import backoff_of_sync
from src.services.sync import Sync, SyncReport
from src.workers import waits
from src.workers.heartbeats import Heartbeats
from src.workers.loop import Failure, Loop
from src.workers.turns import Turns

KEEP_LOGIN_EVERY_SEC = 600.0
NOT_UNDERSTOOD_AT_MOST = 5
"""After this many cycles in a row whose answers are not understood, the page has changed."""


class SyncWorker:
    """Runs SYNC until stopped. Raises Halt; every other trouble is waited out."""

    def __init__(self, sync: Sync, turns: Turns, beats: Heartbeats, *, interval: float) -> None:
        self._sync = sync
        self._turns = turns
        self._beats = beats
        self._interval = interval
        self._not_understood = 0
        self._login_kept_at = -KEEP_LOGIN_EVERY_SEC
        self._loop = Loop(
            self._cycle, backoff=backoff_of_sync(interval), failed=self._failed, wait=self._wait_for_news
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Cycle after cycle, each begun at the latest an interval after the last one began."""
        await self._loop.run(stop)

    async def run_once(self, stop: asyncio.Event) -> None:
        """One cycle, with its outcome noted in the database."""
        await self._loop.run_once(stop)

    async def _cycle(self, stop: asyncio.Event) -> float:
        began = time.monotonic()
        async with self._turns.turn("SYNC") as channel:
            report = await self._look(channel, stop)
            await self._keep_login(channel)
        if self._loop.failures:
            logger.info("SYNC reads the inbox again")
        self._not_understood = 0
        await self._beats.cycle(
            "sync",
            outcome=report.words(),
            seconds=time.monotonic() - began,
            ok=True,
            rows_seen=report.conversations if isinstance(channel, Watches) else None,
        )
        if report.changed:
            logger.debug("SYNC: {}", report.words())
        return max(0.0, self._interval - (time.monotonic() - began))

    async def _look(self, channel: Channel, stop: asyncio.Event) -> SyncReport:
        """One look at the list; where there is none, whether what tells us of messages is there still."""
        if isinstance(channel, Watches):
            return await self._sync.run_once(
                channel, lambda: self._turns.yield_turn("SYNC"), lambda: not stop.is_set()
            )
        await channel.open()
        return await self._sync.catch_up(channel) if isinstance(channel, CatchesUp) else SyncReport()

    async def _keep_login(self, channel: Channel) -> None:
        """A login that was just proven good is worth keeping; a failure to keep it is not worth a cycle."""
        due = time.monotonic() - self._login_kept_at >= KEEP_LOGIN_EVERY_SEC
        if not isinstance(channel, Attended) or not due:
            return
        try:
            await channel.save_login()
            self._login_kept_at = time.monotonic()
        except (TransientError, OSError) as error:
            logger.warning("The login could not be saved: {}", type(error).__name__)

    async def _failed(self, failure: Failure) -> None:
        error, in_a_row = failure.error, failure.in_a_row
        self._not_understood = self._not_understood + 1 if isinstance(error, NotUnderstood) else 0
        if self._not_understood >= NOT_UNDERSTOOD_AT_MOST:
            raise PageChanged(
                "an answer that is understood", f"{self._not_understood} looks in a row ({error})"
            ) from None
        level = "DEBUG" if isinstance(error, ChannelGone) and in_a_row == 1 else "WARNING"
        logger.log(level, "SYNC could not read the inbox ({} in a row): {}", in_a_row, error)
        await self._beats.cycle("sync", outcome=str(error), seconds=failure.seconds, ok=False)

    async def _wait_for_news(self, stop: asyncio.Event, timeout: float) -> None:
        channel, until = self._turns.channel, time.monotonic() + timeout
        if not isinstance(channel, Watches):
            await waits.sleep(stop, timeout)
            return
        news = asyncio.create_task(channel.wait_for_news(timeout))
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({news, stopped}, timeout=timeout + 1, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            if not news.done():
                news.cancel()
        if news.done() and not news.cancelled():
            try:
                news.result()
            except Halt as halt:
                self._turns.forbid(halt)
                raise
            except TransientError:  # another process took the browser, or it crashed: wait out the interval
                await waits.sleep(stop, max(0.0, until - time.monotonic()))
