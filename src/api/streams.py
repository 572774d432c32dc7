"""Answers that stay open: they have to end when the server does, or its end would wait for them."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Streams:
    """What every open stream waits on beside its own news. One for each application."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()

    @property
    def over(self) -> bool:
        """No stream may go on."""
        return self._ended.is_set()

    def end(self) -> None:
        """Tell every stream to end. On the loop that serves. May be called twice."""
        self._ended.set()

    async def ended(self) -> None:
        """Wait for the end."""
        await self._ended.wait()

    async def pause(self, seconds: float) -> bool:
        """Wait that long, or until the end. True if streams may go on."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        return not self.over
