"""Waiting for something that can be seen but does not announce itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LONGEST_SEC = 20


async def until(condition: Callable[[], object]) -> None:
    """Wait until ``condition()`` is true. TimeoutError if that takes too long."""
    async with asyncio.timeout(LONGEST_SEC):
        while not condition():  # noqa: ASYNC110 - it does not announce itself
            await asyncio.sleep(0.001)
