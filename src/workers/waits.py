"""How a worker waits: for some time, or to be woken. A stop ends every wait at once."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from src.db.wakeup import Wakeup


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
