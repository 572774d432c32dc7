"""How a worker waits: for some time, or to be woken. A stop ends every wait at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any

from loguru import logger

from src.db.wakeup import Wakeup


async def sleep(stop: asyncio.Event, seconds: float) -> None:
    """Sleep for ``seconds``, or until ``stop`` is set."""
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


async def until_stop(
    work: Awaitable[None],
    stop: asyncio.Event,
    grace: float = 0.0,
    *,
    at_stake: Callable[[], bool] = lambda: False,
    leave: float | None = None,
) -> None:
    """Run until the work ends, at most ``grace`` seconds after the stop; then it is cancelled.

    While ``at_stake()`` it goes on, however long. What does not end within ``leave`` seconds of being cancelled is
    left to itself (None: waited for).
    """
    task = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done() and at_stake():
            logger.info("Send was pressed just now: its outcome is looked for before the end")
        await asyncio.wait({task}, timeout=grace)
        while at_stake() and not task.done():
            await asyncio.wait({task}, timeout=max(grace, 0.1))
    finally:
        stopped.cancel()
        task.cancel()
        await asyncio.wait({task}, timeout=leave)
    if task.done() and not task.cancelled():
        task.result()


async def until_all_done(tasks: Collection[asyncio.Task[Any]], stop: asyncio.Event, patience: float) -> None:
    """Wait until all have ended, at most ``patience`` seconds after the stop; then they are cancelled.

    Raises what one of them raised, at once.
    """
    stopping: asyncio.Task[Any] = asyncio.create_task(stop.wait())
    pending = set(tasks)
    try:
        while pending and not stop.is_set():
            done, _ = await asyncio.wait({*pending, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                pending.discard(task)
                task.result()
        if pending:
            done, late = await asyncio.wait(pending, timeout=patience)
            for task in late:
                logger.warning("Something did not end in time and is given up")
                task.cancel()
            for task in done:
                task.result()
    finally:
        stopping.cancel()


async def give_up(tasks: Collection[asyncio.Task[Any]], patience: float) -> None:
    """All are told to stop already; what cannot is cancelled (its rows are found and settled later)."""
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=patience)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
