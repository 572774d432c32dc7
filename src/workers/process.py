"""How a process of workers lives and ends: signals, halts, the exit code.

STOPPED (0) on SIGINT or SIGTERM, within seconds, or after the outcome of a press · the halt's own code (10, 11) ·
2 · 70 by the watchdog

    crew ── halt ──▶ browser closed, nothing touches the site ── ended by a person ──▶ the crew again
    API  ───────────────────────────── goes on all the while ─────────────────────────────────────▶

Without ``HALT_WAIT`` the process ends when no account is left that works.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any

from loguru import logger

from src.db.engine import Database
from src.errors import ExitCode, Halt, TransientError
from src.workers import waits
from src.workers.crew import CLOSING_SEC, Crew
from src.workers.halts import say_halt, stored_halt
from src.workers.parts import Parts

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

Beside = Callable[[asyncio.Event], Awaitable[None]]
"""What runs for long beside the crews (the API, alerts); it ends when the event it is given is set."""


class Process:
    """The crews of this process, and what runs beside them."""

    def __init__(
        self,
        db: Database,
        crews: Sequence[Crew],
        beside: Sequence[Beside] = (),
        *,
        wait_at_halts: bool = False,
        on_wait: Callable[[str, Halt], None] = lambda _account, _halt: None,
        parts: Parts | None = None,
    ) -> None:
        """``on_wait`` is told of each account whose halt is waited out."""
        self._db = db
        self._crews = crews
        self._beside = beside
        self._wait_at_halts = wait_at_halts
        self._on_wait = on_wait
        self._parts = parts or Parts()
        self._halts: dict[str, Halt] = {}
        self._nobody_works = asyncio.Event()

    async def run(self, stop: asyncio.Event | None = None) -> ExitCode:
        """Until a signal, or until no account is left that works.

        ``stop`` asks it to end in place of a signal: whoever gives it listens to the signals.
        Raises SettingsError if another copy is at work already, and whatever ended a part by mistake.
        """
        if stop is None:
            stop = asyncio.Event()
            listen_to_signals(stop)
        finish = self._parts.finish_sec
        works: list[Awaitable[Any]] = [
            waits.until_stop(beside(stop), stop, grace=finish) for beside in self._beside
        ]
        works += [self._keep_at_work(crew, stop) for crew in self._crews]
        tasks: list[asyncio.Task[Any]] = [asyncio.ensure_future(work) for work in works]
        end = asyncio.ensure_future(_set_after(self._nobody_works, stop))
        try:
            await waits.until_all_done(tasks, stop, patience=finish + CLOSING_SEC + 1)
        except BaseException:
            stop.set()
            await waits.give_up(tasks, self._parts.give_up_sec)
            raise
        finally:
            end.cancel()
        if self._nobody_works.is_set():
            return max(halt.exit_code for halt in self._halts.values())
        return ExitCode.STOPPED

    async def _keep_at_work(self, crew: Crew, stop: asyncio.Event) -> None:
        """Run the crew, and again after each halt when a person has ended that."""
        while not stop.is_set():
            halt = await self._earlier_halt(crew)
            if halt is None:
                halt = await crew.run(stop)
                if halt is None:
                    return
                say_halt(halt)
            self._halts[crew.account] = halt
            if not self._wait_at_halts and len(self._halts) == len(self._crews):
                self._nobody_works.set()
                return
            self._on_wait(crew.account, halt)
            await self._until_ended(crew, stop)
            self._halts.pop(crew.account, None)

    async def _earlier_halt(self, crew: Crew) -> Halt | None:
        try:
            return await self._stored_halt(crew)
        except TransientError:
            return None  # every turn asks again before anything is touched

    async def _stored_halt(self, crew: Crew) -> Halt | None:
        return await asyncio.to_thread(stored_halt, self._db, crew.account)

    async def _until_ended(self, crew: Crew, stop: asyncio.Event) -> None:
        """The wait is a look into the database; the site gets no request until the person acts."""
        while not stop.is_set():
            await waits.sleep(stop, self._parts.halt_look_sec)
            try:
                if await self._stored_halt(crew) is None:
                    logger.info("The halt is over; the workers go on")
                    return
            except TransientError as error:
                logger.warning("Whether the halt is over cannot be seen now: {}", error)


async def _set_after(first: asyncio.Event, then: asyncio.Event) -> None:
    await first.wait()
    then.set()


def listen_to_signals(stop: asyncio.Event) -> None:
    """SIGINT and SIGTERM set ``stop`` from now on, however many come, and do nothing more once the loop is closed.

    Not by the loop's own handlers: those end with the loop, and what came then would kill a process that is just
    ending. Call it from the main thread, once in a process.
    """
    loop = asyncio.get_running_loop()

    def end(name: str) -> None:
        first = not stop.is_set()
        stop.set()
        if first:
            logger.info("Stopping ({}): finishing what is in hand", name)

    def asked(number: int, _: FrameType | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: the process is ending
            loop.call_soon_threadsafe(end, signal.Signals(number).name)

    for number in STOP_SIGNALS:
        signal.signal(number, asked)
