"""The workers of one account in this process: SYNC, SEND, and what keeps them honest."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from uuid import uuid4

from loguru import logger

from src.account import DEFAULT_ACCOUNT, Account
from src.db.clock_moves import Queue
from src.db.engine import Database
from src.db.serving import Serving
from src.db.wakeup import Wakeup
from src.errors import Halt, SettingsError, TransientError
from src.services.disclosing import lacks_confirmation
from src.services.intake import Rules, StartRules
from src.workers import waits
from src.workers.breaker import Breaker
from src.workers.clock_watch import ClockWatch
from src.workers.halts import stored_halt
from src.workers.heartbeats import Heartbeats
from src.workers.locks import FileLock
from src.workers.parts import Machine, Parts
from src.workers.send_worker import SendWorker
from src.workers.sync_worker import SyncWorker
from src.workers.turns import Turns
from src.workers.typing import Typing

CLOSING_SEC = 12.0
"""How long closing the browser may take after a halt or a mistake."""


@dataclass(frozen=True, slots=True)
class Work:
    """Which workers are wanted."""

    sync: bool = False
    send: bool = False

    def of(self, account: Account) -> Work:
        """What of it there is to do for an account: nothing is sent where the mode is off."""
        if account.is_called_for:
            return Work()
        return Work(self.sync, self.send and account.settings.reply_mode != "off")

    @property
    def names(self) -> list[str]:
        """The workers, as they are called in the database."""
        return [name for name, wanted in (("sync", self.sync), ("send", self.send)) if wanted]


class Crew:
    """Works for one account until it is stopped or meets a halt; may be run again after that."""

    def __init__(
        self,
        account: Account,
        db: Database,
        work: Work,
        machine: Machine,
        *,
        mark: Callable[[str, str], None] = lambda _what, _account: None,
        breaker: Breaker | None = None,
        serving: Serving | None = None,
        first_try_after: float = 0.0,
        parts: Parts | None = None,
    ) -> None:
        """``mark`` is told what begins, and for which account. Without a ``breaker`` starts are not counted.

        With ``serving`` the crew stands by while another process serves the account; without it, another copy that
        is at work is an error. ``first_try_after``: seconds until it first asks for the account.
        """
        self._serving = serving
        self._first_try_after = first_try_after
        self.account = account
        self._db = db
        self._work = work
        self._machine = machine
        self._mark = mark
        self._breaker = breaker
        self._parts = parts or Parts()
        self._began = False
        self._stopped_at: float | None = None
        self._wakeups: list[Wakeup] = []
        self._turns: Turns | None = None
        """While it works."""

    @property
    def name(self) -> str:
        """The account's."""
        return self.account.name

    async def run(self, stop: asyncio.Event) -> Halt | None:
        """Until ``stop`` (None), or the halt that was met: it is stored then, and the inbox released.

        Raises SettingsError if another copy is at work already, and whatever ends a worker by mistake.
        """
        locks = [FileLock(self.account.session_dir / f"{name}.lock") for name in self._work.names]
        mine = asyncio.Event()  # a halt ends this crew alone
        passing = asyncio.ensure_future(self._pass_on(stop, mine))
        watching: asyncio.Future[None] | None = None
        halt: Halt | None = None
        try:
            if self._serving is not None:
                halt = await self._stand_by(self._serving, stop)
                if halt is not None or stop.is_set():
                    return halt
                watching = asyncio.ensure_future(self._watch_serving(self._serving, mine))
            await self._be_the_only_one(locks)
            halt = await asyncio.to_thread(self._begin)
            if halt is None:
                halt = await self._work_until(mine)
            return halt
        finally:
            passing.cancel()
            for lock in locks:
                lock.release()
            if watching is not None:
                watching.cancel()
            if self._serving is not None:
                await asyncio.to_thread(self._serving.release, self.name, halted=halt is not None)

    async def _stand_by(self, serving: Serving, stop: asyncio.Event) -> Halt | None:
        """Until the account is ours to serve (None), or stopped (None), or halted by the process that serves it."""
        said = False
        if not self._began:
            await waits.sleep(stop, self._first_try_after)
        while not stop.is_set():
            try:
                if await asyncio.to_thread(serving.try_take, self.name):
                    return None
                halt = await asyncio.to_thread(stored_halt, self._db, self.name)
                if halt is not None:
                    return halt
                if not said:
                    logger.info("Account {} is served by another process; standing by", self.name)
                    said = True
            except TransientError as error:
                logger.debug("Standing by for {}: {}", self.name, error)
            await waits.sleep(stop, self._parts.stand_by_sec)
        return None

    async def _watch_serving(self, serving: Serving, end: asyncio.Event) -> None:
        """A crew that lost its account, or is to give it up, ends in order, and waits again."""
        while await asyncio.to_thread(serving.still_held, self.name):
            if self._turns is not None and await self._is_to_give(serving, self._turns):
                await self._turns.wait_for_idle()
                logger.info("Account {} is given to another process, which serves fewer", self.name)
                end.set()
                return
            await waits.sleep(end, self._parts.stand_by_sec)
            if end.is_set():
                return
        logger.warning("Whether account {} is ours to serve is not known any more; standing by", self.name)
        end.set()

    async def _is_to_give(self, serving: Serving, turns: Turns) -> bool:
        """Whether another process asks for it while nobody is at work here. One that is at work is asked again."""
        try:
            return not turns.is_taken and await asyncio.to_thread(serving.should_give, self.name)
        except TransientError:
            return False  # the next look says that the account is lost

    async def _be_the_only_one(self, locks: list[FileLock]) -> None:
        for lock in locks:
            if not await lock.acquire(timeout=self._parts.other_copy_sec):
                name = lock.path.stem.upper()
                raise SettingsError(
                    [f"{self._folder_key}: another {name} worker uses it; stop that one first"]
                )

    @property
    def _folder_key(self) -> str:
        if self.account.name == DEFAULT_ACCOUNT:
            return "PLAYWRIGHT_SESSION_DIR"
        return f"account {self.account.name}: session_dir"

    def _begin(self) -> Halt | None:
        """Count the start of this process, once; the halt if there were too many. Blocking."""
        if self._breaker is None or self._began:
            return None
        self._began = True
        self._breaker.starting()
        return stored_halt(self._db, self.name)

    def note_end(self, *, failed: bool) -> None:
        """How this process ends for this account: in order, or by an error of its own. Blocking, never raises."""
        if self._breaker is not None and self._began:
            if failed:
                self._breaker.failed()
            else:
                self._breaker.ended_in_order()

    async def _work_until(self, stop: asyncio.Event) -> Halt | None:
        turns = self._turns = self._parts.make_turns(self.account, self._machine, self._db, mark=self._say)
        proof = "sync" if self._work.sync else "send"
        beats = Heartbeats(self._db, self.name, self._parts.clock, proof=proof)
        try:
            return await self._until_the_end(turns, self._start(turns, beats, stop), stop)
        finally:
            self._say("")
            self._turns = None
            await _close(turns, self._time_to_close())
            while self._wakeups:
                self._wakeups.pop().close()
            for name in self._work.names:
                beats.stopped(name)

    def _say(self, what: str) -> None:
        self._mark(what, self.name)

    def _start(self, turns: Turns, beats: Heartbeats, stop: asyncio.Event) -> list[asyncio.Task[None]]:
        db, parts, settings = self._db, self._parts, self.account.settings
        rules = replace(Rules.of(settings, self._machine.secrets), start=StartRules.of(self.account))
        self._say_what_lacks_confirmation()
        running: list[Awaitable[None]] = []
        if self._work.sync:
            beats.started("sync")
            inbox = self._wakeup()
            sync = parts.make_sync(db, account=self.name, rules=rules, wakeup=inbox, clock=parts.clock)
            reading = SyncWorker(sync, turns, beats, interval=settings.scrape_interval_sec).run(stop)
            running.append(waits.until_stop(reading, stop, parts.grace_sec, leave=parts.leave_sec))
        if self._work.send:
            beats.started("send")
            outbox = self._wakeup("outbox")
            send = parts.make_send(
                db,
                account=self.name,
                owner=make_owner(),
                rules=rules,
                wakeup=outbox,
                clock=parts.clock,
                mark=turns.progress,
                check_alone=turns.check_alone,
            )
            interval = settings.send_worker_interval_sec
            worker = SendWorker(send, turns, beats, wakeup=outbox, interval=interval, clock=parts.clock)
            running.append(
                waits.until_stop(
                    worker.run(stop),
                    stop,
                    parts.grace_sec,
                    at_stake=lambda: send.at_stake,
                    leave=parts.leave_sec,
                )
            )
            if parts.find_channel(self.account.channel).CAPABILITIES.shows_typing:
                typing = Typing(
                    db, self.name, lambda: turns.channel, wakeup=self._wakeup("outbox"), clock=parts.clock
                )
                running.append(waits.until_stop(typing.run(stop), stop))
        mine: dict[Queue, bool] = {"inbox": self._work.sync, "outbox": self._work.send}
        queues = [queue for queue, wanted in mine.items() if wanted]
        running.append(ClockWatch(db, self.name, queues, clock=parts.clock).run(stop))
        running.append(waits.until_stop(turns.yield_when_idle(), stop))
        running.append(waits.until_stop(turns.watch_account_lock(), stop))
        return [asyncio.ensure_future(one) for one in running]

    def _say_what_lacks_confirmation(self) -> None:
        with self._db.read() as conn:
            lacks = lacks_confirmation(conn, self.account)
        if lacks:
            logger.warning(
                "Account {}: nobody has confirmed that your app shows that an AI answers, so it answers plainly:"
                " no human pace, one message for an answer, no first messages. If it shows, run:"
                " python src/main.py pgnotify check --account {} --confirm-disclosure",
                self.name,
                self.name,
            )

    def _wakeup(self, *topics: Queue) -> Wakeup:
        self._wakeups.append(Wakeup(self._db, topics))
        return self._wakeups[-1]

    async def _until_the_end(
        self, turns: Turns, tasks: list[asyncio.Task[None]], stop: asyncio.Event
    ) -> Halt | None:
        try:
            await waits.until_all_done(tasks, stop, patience=self._parts.finish_sec)
        except BaseException as error:
            stop.set()
            if isinstance(error, Halt):
                turns.forbid(error)
            await waits.give_up(tasks, self._parts.give_up_sec)
            halt = turns.halt
            if halt is None:
                raise
            turns.forbid(halt)  # once more: the database may have been locked when the halt was met
            return halt
        return None

    async def _pass_on(self, stop: asyncio.Event, mine: asyncio.Event) -> None:
        await stop.wait()
        self._stopped_at = time.monotonic()
        mine.set()

    def _time_to_close(self) -> float:
        """What is left of the time to end. After a message was looked for it starts again."""
        if self._stopped_at is None:
            return CLOSING_SEC
        left = self._stopped_at + self._parts.end_sec - time.monotonic()
        return left if left > 0 else self._parts.end_sec


def make_owner() -> str:
    """A new name for a claimer of rows."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"


async def _close(turns: Turns, within: float) -> None:
    try:
        async with asyncio.timeout(within):
            await turns.close()
    except TimeoutError:
        logger.warning("The browser did not close in time; its driver ends with this process")
