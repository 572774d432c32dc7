"""One browser process for several accounts: each has a context of its own, made from its saved login.

A context keeps everything in memory, so what an account leaves behind is its saved login and nothing else. When
the browser crashes it is gone for all of them; each opens its inbox again by itself, one after the other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import psutil
from loguru import logger
from playwright.async_api import Browser as Process
from playwright.async_api import BrowserContext, Playwright
from playwright.async_api import Error as PlaywrightError

from src.errors import ChannelGone

APART_SEC = 2.0
"""After a crash two accounts open their inbox at least this far apart."""
OLDEST_SEC = 24 * 3600.0
"""Contexts that are made later are made in a new process; the old one ends with its last context."""
_CALM_SEC = 60.0
"""How long after a crash it counts as one."""
_CALL_SEC = 60.0

Launch = Callable[[], Awaitable[tuple[Playwright, Process]]]


class CommonBrowser:
    """For one event loop. Every account that leaves may come again."""

    def __init__(self, launch: Launch, *, apart_sec: float = APART_SEC) -> None:
        """``launch`` starts Playwright and a browser; what it raises goes to who asked for a context."""
        self._launch = launch
        self._apart_sec = apart_sec
        self._one_at_a_time = asyncio.Lock()
        self._running: _Running | None = None
        self._crashed_at = self._opened_at = -_CALM_SEC

    async def join(self, **options: Any) -> Membership:
        """A new context, with Playwright's options. ChannelGone if the browser does not answer; repeatable."""
        async with self._one_at_a_time:
            await self._wait_apart()
            running = await self._current()
            try:
                async with asyncio.timeout(_CALL_SEC):
                    context = await running.process.new_context(**options)
            except (PlaywrightError, TimeoutError) as error:
                self._running = None  # the next one gets another process
                await running.end_if_empty()
                raise ChannelGone(f"The browser gave no window ({type(error).__name__}).") from None
            running.members += 1
            return Membership(running, context)

    async def _current(self) -> _Running:
        running = self._running
        if running is None or not running.is_usable:
            before = {child.pid for child in psutil.Process().children(recursive=True)}
            self._running = running = _Running(*await self._launch(), before)
        return running

    async def _wait_apart(self) -> None:
        if self._running is not None and self._running.is_crashed:
            logger.warning("The browser that several accounts share has gone; each opens its inbox again")
            self._running, self._crashed_at = None, time.monotonic()
        now = time.monotonic()
        if now - self._crashed_at < _CALM_SEC:
            await asyncio.sleep(max(0.0, self._opened_at + self._apart_sec - now))
        self._opened_at = time.monotonic()


class _Running:
    """A process, and how many contexts it has."""

    def __init__(self, playwright: Playwright, process: Process, not_ours: set[int]) -> None:
        self.playwright = playwright
        self.process = process
        self.members = 0
        self._not_ours = not_ours
        self._has_ended = False
        self._started_at = time.monotonic()

    @property
    def is_crashed(self) -> bool:
        return not self._has_ended and not self.process.is_connected()

    @property
    def is_usable(self) -> bool:
        is_old = time.monotonic() - self._started_at > OLDEST_SEC
        return self.process.is_connected() and not self._has_ended and not is_old

    def children(self) -> list[psutil.Process]:
        family = psutil.Process().children(recursive=True)
        return [child for child in family if child.pid not in self._not_ours]

    async def end_if_empty(self) -> None:
        if self.members > 0:
            return
        self._has_ended = True
        for call in (self.process.close, self.playwright.stop):
            with suppress(PlaywrightError, OSError, TimeoutError):
                async with asyncio.timeout(10.0):
                    await call()


class Membership:
    """One account's context."""

    def __init__(self, running: _Running, context: BrowserContext) -> None:
        self._running = running
        self._has_left = False
        self.context = context

    def share_mb(self, memory_of: Callable[[psutil.Process], int]) -> float:
        """This account's part of the browser's memory. Blocking, some milliseconds for each process."""
        whole = sum(memory_of(child) for child in self._running.children()) / 2**20
        return whole / max(1, self._running.members)

    async def leave(self) -> None:
        """Close the context; the last one of its process ends that. Never raises; may be called twice."""
        if self._has_left:
            return
        self._has_left = True
        with suppress(PlaywrightError, OSError, TimeoutError):
            async with asyncio.timeout(10.0):
                await self.context.close()
        self._running.members -= 1
        await self._running.end_if_empty()
