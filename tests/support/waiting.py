"""Waiting for something that can be seen but does not announce itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

LONGEST_SEC = 20


async def until(condition: Callable[[], object]) -> None:
    """Wait until ``condition()`` is true. TimeoutError if that takes too long."""
    async with asyncio.timeout(LONGEST_SEC):
        while not condition():  # noqa: ASYNC110 - it does not announce itself
            await asyncio.sleep(0.001)


def came(condition: Callable[[], object], within_sec: float, *, every_sec: float = 0.02) -> bool:
    """Look again and again at what other processes do: they have no event for us. Whether it came in time."""
    give_up_at = time.monotonic() + within_sec
    while not condition():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(every_sec)
    return True
