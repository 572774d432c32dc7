"""The workers of one account in this process: SYNC, SEND, the AI's clock, and what keeps them honest."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from loguru import logger

from src.db.clock_moves import Queue
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.errors import Halt, SettingsError
from src.settings import Settings
from src.workers import waits
from src.workers.ai_worker import AiWorker
from src.workers.beats import Beats
from src.workers.clock_watch import ClockWatch
from src.workers.housekeeping import start_housekeeping
from src.workers.locks import FileLock
from src.workers.parts import Parts, evidence_dir, rules_of, secrets_of
from src.workers.send_worker import SendWorker
from src.workers.sync_worker import SyncWorker
from src.workers.turns import Turns

CLOSING_SEC = 12.0
"""Closing the browser may take so long after a halt or a mistake."""


@dataclass(frozen=True, slots=True)
class Work:
    """Which workers are wanted."""

    sync: bool = False
    send: bool = False

    @property
    def names(self) -> list[str]:
        return [name for name, wanted in (("sync", self.sync), ("send", self.send)) if wanted]


class Crew:
    """Works for one account until it is stopped or meets a halt; may be run again after that."""

    def __init__(self, settings: Settings, db: Database, work: Work, parts: Parts | None = None) -> None:
        self._settings = settings
        self._db = db
        self._work = work
        self._parts = parts or Parts()
        self._wakeups: list[Wakeup] = []
        self._stopped_at: float | None = None

    @property
    def account(self) -> str:
        return self._settings.account

    async def run(self, stop: asyncio.Event) -> Halt | None:
        """Until ``stop`` (None), or the halt that was met: it is stored then, and the browser closed.

        Raises SettingsError if another copy is at work already, and whatever ends a worker by mistake.
        """
        settings, parts = self._settings, self._parts
        locks = [FileLock(settings.playwright_session_dir / f"{name}.lock") for name in self._work.names]
        watchdog = parts.make_watchdog()
        turns = parts.make_turns(settings, self._db, mark=watchdog.mark)
        proof = "sync" if self._work.sync else "send"
        beats = Beats(self._db, self.account, parts.clock, proof=proof)
        mine = asyncio.Event()  # a halt ends this crew alone
        scheduler = None
        try:
            await self._be_the_only_one(locks)
            watchdog.start()
            if self._work.sync:
                keep = timedelta(days=settings.retention_days)
                scheduler = start_housekeeping(evidence_dir(settings), self._db, self.account, keep=keep)
            passing = asyncio.ensure_future(self._pass_on(stop, mine))
            try:
                return await self._until_the_end(turns, self._start(turns, beats, mine), mine)
            finally:
                passing.cancel()
        finally:
            if scheduler is not None:
                scheduler.shutdown(wait=False)
            watchdog.mark("")
            await _close(turns, self._time_to_close())
            watchdog.stop()
            while self._wakeups:
                self._wakeups.pop().close()
            for name in [*self._work.names, *(["ai"] if self._work.sync else [])]:
                beats.stopped(name)
            for lock in locks:
                lock.release()

    async def _be_the_only_one(self, locks: list[FileLock]) -> None:
        for lock in locks:
            if not await lock.acquire(timeout=self._parts.other_copy_sec):
                name = lock.path.stem.upper()
                raise SettingsError(
                    [f"PLAYWRIGHT_SESSION_DIR: another {name} worker uses it; stop that one first"]
                )

    def _start(self, turns: Turns, beats: Beats, stop: asyncio.Event) -> list[asyncio.Task[None]]:
        settings, db, parts = self._settings, self._db, self._parts
        owner = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        rules = rules_of(settings)
        running: list[Awaitable[None]] = []
        if self._work.sync:
            beats.started("sync")
            beats.started("ai")
            inbox = self._listen("inbox")
            sync = parts.make_sync(db, account=self.account, rules=rules, wakeup=inbox, clock=parts.clock)
            reading = SyncWorker(sync, turns, beats, interval=settings.scrape_interval_sec).run(stop)
            running.append(waits.until_stop(reading, stop, parts.grace_sec, leave=parts.leave_sec))
            running.append(self._ask_ai(inbox, owner, beats, stop))
        if self._work.send:
            beats.started("send")
            outbox = self._listen("outbox")
            send = parts.make_send(
                db,
                account=self.account,
                owner=owner,
                rules=rules,
                wakeup=outbox,
                clock=parts.clock,
                mark=turns.progress,
                check_alone=turns.check_alone,
            )
            interval = settings.send_worker_interval_sec
            sending = SendWorker(send, turns, beats, wakeup=outbox, interval=interval, clock=parts.clock).run(
                stop
            )
            running.append(
                waits.until_stop(
                    sending, stop, parts.grace_sec, at_stake=lambda: send.at_stake, leave=parts.leave_sec
                )
            )
        if self._work.names:
            mine: dict[Queue, bool] = {"inbox": self._work.sync, "outbox": self._work.send}
            queues = [queue for queue, wanted in mine.items() if wanted]
            running.append(ClockWatch(db, self.account, queues, clock=parts.clock).run(stop))
            running.append(waits.until_stop(turns.yield_when_idle(), stop))
            running.append(waits.until_stop(turns.watch_account_lock(), stop))
        return [asyncio.ensure_future(one) for one in running]

    def _listen(self, topic: Queue) -> Wakeup:
        self._wakeups.append(Wakeup(self._db, [topic]))
        return self._wakeups[-1]

    async def _ask_ai(self, wakeup: Wakeup, owner: str, beats: Beats, stop: asyncio.Event) -> None:
        parts = self._parts
        # In a thread: the browser is starting meanwhile, and the assistant takes its time to load.
        asker = await asyncio.to_thread(parts.make_asker, self._settings, self._db)
        webhook = parts.make_webhook(
            self._db,
            wakeup,
            self._settings,
            owner=owner,
            is_conversation_id=parts.find_channel().is_conversation_id,
            asker=asker,
            secrets=secrets_of(self._settings),
        )
        try:
            work = AiWorker(webhook, beats, wakeup=wakeup, clock=parts.clock).run(stop)
            await waits.until_stop(work, stop, grace=parts.ai_grace_sec)
        finally:
            await webhook.close()

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
        """What is left of the time to end. After a message was looked for it begins anew."""
        if self._stopped_at is None:
            return CLOSING_SEC
        left = self._stopped_at + self._parts.end_sec - time.monotonic()
        return left if left > 0 else self._parts.end_sec


async def _close(turns: Turns, within: float) -> None:
    try:
        async with asyncio.timeout(within):
            await turns.close()
    except TimeoutError:
        logger.warning("The browser did not close in time; its driver ends with this process")
