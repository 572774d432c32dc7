"""``HALT_WAIT=true``: a process that stays through a halt and goes on by itself once a person has ended it.

    crew ── halt ──▶ browser closed, nothing touches the site ── cleared in the database ──▶ a new crew
    API  ───────────────────────────── goes on all the while ──────────────────────────────────────▶

The wait is a look into the database; the site gets no request until the person acts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from loguru import logger

from src.db import accounts
from src.db.engine import Database
from src.errors import ExitCode, TransientError
from src.model.rows import AccountState
from src.settings import Settings
from src.workers import lifecycle, waits
from src.workers.lifecycle import Crew

LOOK_EVERY_SEC = 2.0
_HALTED = (ExitCode.HALTED_PERSON_NEEDED, ExitCode.HALTED_PAGE_CHANGED)


async def run_through_halts(
    settings: Settings, db: Database, crew: Crew, on_wait: Callable[[AccountState], None] = lambda _: None
) -> ExitCode:
    """``lifecycle.run`` again after each halt, when that has been cleared; ends on a signal only.

    What runs beside the workers runs on through the halts. ``on_wait`` is told of each halt that is waited out.
    """
    stop = asyncio.Event()
    lifecycle.listen_to_signals(stop)
    beside = [asyncio.ensure_future(one(stop)) for one in crew.beside]
    work = asyncio.ensure_future(_rounds(settings, db, replace(crew, beside=[]), stop, on_wait))
    try:
        done, _ = await asyncio.wait({work, *beside}, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        stop.set()
        await asyncio.gather(work, *beside, return_exceptions=True)
    return work.result()


async def _rounds(
    settings: Settings,
    db: Database,
    crew: Crew,
    stop: asyncio.Event,
    on_wait: Callable[[AccountState], None],
) -> ExitCode:
    while not stop.is_set():
        state = await asyncio.to_thread(lifecycle.halted, db, settings.account)
        if state is not None:
            on_wait(state)
            await _until_cleared(settings, db, stop)
            continue
        code = await _one_round(settings, db, crew, stop)
        if code not in _HALTED:
            return code
    return ExitCode.STOPPED


async def _one_round(settings: Settings, db: Database, crew: Crew, stop: asyncio.Event) -> ExitCode:
    """A crew with a stop of its own, because a halt sets that; the process's stop ends it, too."""
    mine = asyncio.Event()

    async def pass_on() -> None:
        await stop.wait()
        mine.set()

    passing = asyncio.create_task(pass_on())
    try:
        return await lifecycle.run(settings, db, crew, mine)
    finally:
        passing.cancel()


async def _until_cleared(settings: Settings, db: Database, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await waits.sleep(stop, LOOK_EVERY_SEC)
        try:
            if not await asyncio.to_thread(_still_halted, db, settings.account):
                logger.info("The halt is over; the workers go on")
                return
        except TransientError as error:
            logger.warning("Whether the halt is over cannot be seen now: {}", error)


def _still_halted(db: Database, account: str) -> bool:
    with db.read() as conn:
        return accounts.get(conn, account).halted
