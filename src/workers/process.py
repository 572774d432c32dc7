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
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any

from loguru import logger

from src.account import Account
from src.db.engine import Database
from src.db.serving import Serving
from src.errors import ExitCode, Halt, SettingsError, TransientError
from src.workers import waits
from src.workers.crew import CLOSING_SEC, Crew
from src.workers.halts import say_halt, stored_halt
from src.workers.parts import Parts
from src.workers.watchdog import Watchdog

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

Beside = Callable[[asyncio.Event], Awaitable[None]]
"""What runs for long beside the crews (the API, alerts); it ends when the event it is given is set."""


class Process:
    """The crews of this process, and what runs beside them."""

    def __init__(
        self,
        db: Database,
        crews: Sequence[Crew],
        *,
        wait_at_halts: bool = False,
        on_wait: Callable[[Account, Halt], None] = lambda _account, _halt: None,
        watchdog: Watchdog | None = None,
        serving: Serving | None = None,
        parts: Parts | None = None,
    ) -> None:
        """``on_wait`` is called for each account whose halt is waited out."""
        self._serving = serving
        self._watchdog = watchdog
        self._db = db
        self._crews = crews
        self._wait_at_halts = wait_at_halts
        self._on_wait = on_wait
        self._parts = parts or Parts()
        self._halts: dict[str, Halt] = {}
        self._nobody_works = asyncio.Event()

    @property
    def shares(self) -> bool:
        """Whether other processes may serve some of the accounts, and this one in their place when they end."""
        return self._serving is not None

    def is_at_work(self, account: str) -> bool:
        """Whether this process works for the account: it has a crew, and that waits at no halt."""
        return account not in self._halts and any(crew.name == account for crew in self._crews)

    async def run(self, beside: Sequence[Beside] = (), stop: asyncio.Event | None = None) -> ExitCode:
        """Until a signal, or until no account is left that works; then the highest code of their halts.

        ``stop`` asks it to end in place of a signal: the caller then listens to the signals.
        Raises SettingsError if another copy is at work already, and whatever ended a part by mistake.
        """
        if stop is None:
            stop = asyncio.Event()
            listen_to_signals(stop)
        finish = self._parts.finish_sec
        works: list[Awaitable[Any]] = [waits.until_stop(one(stop), stop, grace=finish) for one in beside]
        works += [self._keep_at_work(crew, stop) for crew in self._crews]
        tasks: list[asyncio.Task[Any]] = [asyncio.ensure_future(work) for work in works]
        crews = dict(zip(tasks[len(beside) :], self._crews, strict=True))
        end = asyncio.ensure_future(_set_after(self._nobody_works, stop))
        if self._watchdog is not None:
            self._watchdog.start()
        try:
            await waits.until_all_done(tasks, stop, patience=finish + CLOSING_SEC + 1)
        except BaseException as error:
            stop.set()
            await waits.give_up(tasks, self._parts.give_up_sec)
            await asyncio.to_thread(_note_failure, crews, error)
            raise
        finally:
            end.cancel()
            if self._watchdog is not None:
                self._watchdog.stop()
            if self._serving is not None:
                self._serving.close()
        await asyncio.to_thread(_note_end, self._crews)
        if self._nobody_works.is_set():
            return max(halt.exit_code for halt in self._halts.values())
        return ExitCode.STOPPED

    async def _keep_at_work(self, crew: Crew, stop: asyncio.Event) -> None:
        """Run the crew, and again after each halt when a person has ended that."""
        while not stop.is_set():
            halt = await self._earlier_halt(crew)
            if halt is None:
                halt = await crew.run(stop)
                if halt is None:  # stopped, or another process is to serve the account
                    continue
                say_halt(halt, crew.name if len(self._crews) > 1 else None)
            self._halts[crew.name] = halt
            self._look_whether_anybody_works()
            if self._nobody_works.is_set():
                return
            self._on_wait(crew.account, halt)
            await self._until_ended(crew, stop)
            if not stop.is_set():
                del self._halts[crew.name]

    def _look_whether_anybody_works(self) -> None:
        counted = [crew for crew in self._crews if crew.account.counts] or self._crews
        if not self._wait_at_halts and all(crew.name in self._halts for crew in counted):
            self._nobody_works.set()

    async def _earlier_halt(self, crew: Crew) -> Halt | None:
        try:
            return await self._stored_halt(crew)
        except TransientError:
            return None  # every turn asks again before anything is touched

    async def _stored_halt(self, crew: Crew) -> Halt | None:
        return await asyncio.to_thread(stored_halt, self._db, crew.name)

    async def _until_ended(self, crew: Crew, stop: asyncio.Event) -> None:
        """The wait is a look into the database; the site gets no request until the person acts."""
        while not stop.is_set():
            await waits.sleep(stop, self._parts.halt_look_sec)
            try:
                if await self._stored_halt(crew) is None:
                    logger.info("The halt is over; the workers go on ({})", crew.name)
                    return
            except TransientError as error:
                logger.warning("Whether the halt is over cannot be seen now: {}", error)


def _note_end(crews: Iterable[Crew]) -> None:
    for crew in crews:
        crew.note_end(failed=False)


def _note_failure(crews: Mapping[asyncio.Task[Any], Crew], error: BaseException) -> None:
    """Whose start failed: that of the account in which the error was, or of all if it was in none of them."""
    guilty = [crew for task, crew in crews.items() if task.done() and _error_of(task) is error]
    for crew in crews.values():
        failed = not isinstance(error, SettingsError) and (crew in guilty or not guilty)
        crew.note_end(failed=failed)


def _error_of(task: asyncio.Task[Any]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


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
