"""Pictures on their way from a screen to one viewer: the newest only, as many as the viewer takes."""

from __future__ import annotations

import asyncio

from loguru import logger

from src.channels.base import Screen
from src.errors import NightporterError
from src.model.remote import Picture


class Pictures:
    """One picture in hand and one taken at most. The screen may change, and be None for a while."""

    def __init__(self) -> None:
        self._screen: Screen | None = None
        self._waiting: asyncio.Queue[Picture] = asyncio.Queue(maxsize=1)
        self._pump: asyncio.Task[None] | None = None

    def follow(self, screen: Screen | None) -> None:
        """Take the pictures of this screen from now on; None: of none. Repeatable."""
        if screen is self._screen:
            return
        if self._pump is not None:
            self._pump.cancel()
        self._screen = screen
        self._pump = None if screen is None else asyncio.create_task(self._take(screen))

    async def next_or(self, news: asyncio.Event, timeout: float) -> Picture | None:
        """The next picture; None when there is other news before it, or nothing for ``timeout`` seconds."""
        if not self._waiting.empty():
            return self._waiting.get_nowait()
        picture = asyncio.create_task(self._waiting.get())
        other = asyncio.create_task(news.wait())
        try:
            await asyncio.wait({picture, other}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            return picture.result() if picture.done() else None
        finally:
            picture.cancel()
            other.cancel()

    async def stop(self) -> None:
        """Take no more. Never raises."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)

    async def _take(self, screen: Screen) -> None:
        try:
            async for picture in screen.pictures():
                await self._waiting.put(picture)
        except NightporterError as error:
            logger.debug("No more pictures: {}", type(error).__name__)
