"""How a worker waits: for some time, or to be woken. A stop ends every wait at once."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from src.db.wakeup import Wakeup


def back_off(first: float, failures: int, longest: float) -> float:
    """The pause after so many failures in a row: doubled by each, up to ``longest``, for however many days."""
    return min(first * 2.0 ** min(failures - 1, 60), longest)


async def sleep(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def sleep_until_woken(stop: asyncio.Event, wakeup: Wakeup, seconds: float) -> None:
    """The same, or until there may be something new."""
    waken = asyncio.create_task(wakeup.wait(seconds))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({waken, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waken.cancel()
        stopped.cancel()
