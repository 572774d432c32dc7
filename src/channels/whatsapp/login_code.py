"""The code that a phone scans, as a screen of the remote view: it is looked at, and there is nothing to drive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from src.model.remote import Gesture, Picture


class LoginCode:
    """The newest code. ``Screen`` of ``channels/base``."""

    def __init__(self, place: str) -> None:
        self.place = place
        self._code: bytes | None = None
        self._taker = 0
        self._news = asyncio.Event()

    @property
    def is_shown(self) -> bool:
        return self._code is not None

    def show(self, png: bytes) -> None:
        """From now on this one is good; the one before is not any more. Repeatable."""
        if png != self._code:
            self._code = png
            self._tell()

    def end(self) -> None:
        """No more codes."""
        self._taker = -1
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def pictures(self) -> AsyncIterator[Picture]:
        """As the port says; at once the newest one, then each one that takes its place."""
        if self._taker < 0:
            return
        self._taker += 1
        mine, told = self._taker, None
        self._tell()
        while self._taker == mine:
            if self._code is None or self._code is told:
                await self._news.wait()
                continue
            told = self._code
            yield Picture(told, *_size(told))

    async def act(self, gestures: list[Gesture]) -> None:
        """Nothing here takes a gesture."""


def _size(png: bytes) -> tuple[int, int]:
    """Width and height, as they stand in the first chunk of a PNG (its specification, IHDR)."""
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])
