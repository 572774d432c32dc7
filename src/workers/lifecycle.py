"""How a process of workers lives and ends: start, signals, halts, the exit code.

STOPPED (0) on SIGINT or SIGTERM, after the action in hand · the halt's own code (10, 11) · 2 · 70 by the watchdog
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import uuid4

from loguru import logger

from src.channels import registry
from src.channels.base import Channel, Place
from src.db import accounts
from src.db.account_lock import AccountLock
from src.db.clock_moves import Queue
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.errors import ExitCode, Halt, SettingsError
from src.model.rows import AccountState
from src.model.values import ReplyMode, utc_now
from src.services.ai_webhook import AiWebhook
from src.services.caps import caps_of
from src.services.intake import Rules
from src.services.send import Send
from src.services.sync import Sync
from src.settings import Settings
from src.workers.ai_worker import AiWorker
from src.workers.beats import Beats
from src.workers.breaker import KIND
from src.workers.clock_watch import ClockWatch
from src.workers.housekeeping import start_housekeeping
from src.workers.locks import FileLock, place_of
from src.workers.send_worker import SendWorker
from src.workers.sync_worker import SyncWorker
from src.workers.turns import Turns
from src.workers.watchdog import Watchdog

FINISH_SEC = 45.0
"""After a stop signal the action in hand may take so long (pm2.json allows 60 s)."""
AI_GRACE_SEC = 3.0
"""A slow AI is not waited for at the end: the request is posted again, under the same id, after the next start."""
OTHER_COPY_SEC = 10.0
"""A copy that is just ending may take so long to let go of its lock."""

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

Beside = Callable[[asyncio.Event], Awaitable[None]]


@dataclass(slots=True)
class Crew:
    """What runs in this process."""

    sync: bool = False
    send: bool = False
    beside: list[Beside] = field(default_factory=list)
    """Further long-running things (the API); each ends when the event it is given is set."""


def evidence_dir(settings: Settings) -> Path:
    """Where screenshots are kept of what was not understood."""
    return settings.log_dir / "evidence"


def rules_of(settings: Settings) -> Rules:
    """The settings that decide about messages."""
    return Rules(
        max_age=timedelta(hours=settings.max_message_age_hours),
        grouping_delay=timedelta(seconds=settings.grouping_delay_sec),
        grouping_max=timedelta(seconds=settings.grouping_max_sec),
        human_pause=timedelta(minutes=settings.human_pause_min),
        default_mode=ReplyMode(settings.reply_mode),
        caps=caps_of(settings),
    )


def make_channel(settings: Settings, *, headless: bool | None = None) -> Channel:
    """The account's channel on its saved login; opens nothing yet. ``headless`` overrides the setting."""
    folder = registry.find()
    place = Place(
        account=settings.account,
        session_dir=settings.playwright_session_dir,
        executable=str(settings.browser_executable_path) if settings.browser_executable_path else None,
        evidence_dir=evidence_dir(settings),
        memory_limit_mb=settings.browser_memory_mb,
        headless=headless,
    )
    return folder.build(settings.of(folder.SETTINGS), place)


def lock_folders(settings: Settings, db: Database) -> list[Path]:
    """Where the browser is locked: by its profile, and by the account in the database (whatever its profile)."""
    folders = [settings.playwright_session_dir]
    if db.path is not None:
        folders.append(db.path.with_name(f"{db.path.name}.{settings.account}.lock"))
    return folders


def account_lock(settings: Settings, db: Database) -> AccountLock | None:
    """The lock between machines; None with SQLite, which is on one machine."""
    if db.path is not None:
        return None
    return AccountLock(db, settings.account, place_of(settings.playwright_session_dir))


def make_turns(settings: Settings, db: Database, mark: Callable[[str], None] = lambda _: None) -> Turns:
    """The account's turns at the inbox; none is given while a halt is stored, by whichever process."""
    return Turns(
        lambda: make_channel(settings),
        lock_folders=lock_folders(settings, db),
        account_lock=account_lock(settings, db),
        mark=mark,
        halted=lambda: _stored_halt(db, settings.account),
        on_halt=lambda halt: _write_halt(settings, db, halt),
    )


def _stored_halt(db: Database, account: str) -> Halt | None:
    """As every turn asks before anything is touched: it only reads, and keeps nobody from writing."""
    with db.read() as conn:
        state = accounts.find(conn, account)
    if state is None or not state.halted:
        return None
    halt = Halt(state.halt_kind or "halted", state.halt_detail or "", evidence=state.halt_evidence)
    halt.exit_code = ExitCode(state.halt_exit_code or ExitCode.HALTED_PERSON_NEEDED)
    return halt


def halted(db: Database, account: str) -> AccountState | None:
    """The account's state if it is halted, else None. Makes the account's row if need be."""
    with db.write() as conn:
        state = accounts.ensure(conn, account, utc_now())
    return state if state.halted else None


async def run(settings: Settings, db: Database, crew: Crew, stop: asyncio.Event | None = None) -> ExitCode:
    """Run the crew until a signal or a halt. Raises SettingsError if another copy is at work already.

    ``stop`` asks it to end in place of a signal: whoever gives it listens to the signals.
    """
    if stop is None:
        stop = asyncio.Event()
        listen_to_signals(stop)
    locks = [FileLock(settings.playwright_session_dir / f"{name}.lock") for name in _names(crew)]
    watchdog = Watchdog()
    turns = make_turns(settings, db, watchdog.mark)
    beats = Beats(db, settings.account, utc_now, proof="sync" if crew.sync else "send")
    wakeups: list[Wakeup] = []
    scheduler = None
    try:
        await _be_the_only_one(locks)
        watchdog.start()
        if crew.sync:
            keep = timedelta(days=settings.retention_days)
            scheduler = start_housekeeping(evidence_dir(settings), db, settings.account, keep=keep)
        tasks = _start(settings, db, crew, turns, beats, wakeups, stop)
        return await _until_the_end(turns, tasks, stop)
    finally:
        if scheduler is not None:
            scheduler.shutdown(wait=False)
        watchdog.mark("")
        await _close(turns)
        watchdog.stop()
        for wakeup in wakeups:
            wakeup.close()
        for name in [*_names(crew), *(["ai"] if crew.sync else [])]:
            beats.stopped(name)
        for lock in locks:
            lock.release()


def _names(crew: Crew) -> list[str]:
    return [name for name, wanted in (("sync", crew.sync), ("send", crew.send)) if wanted]


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


async def _be_the_only_one(locks: list[FileLock]) -> None:
    for lock in locks:
        if not await lock.acquire(timeout=OTHER_COPY_SEC):
            raise SettingsError(
                [
                    f"PLAYWRIGHT_SESSION_DIR: another {lock.path.stem.upper()} worker uses it; stop that one first"
                ]
            )


def _start(
    settings: Settings,
    db: Database,
    crew: Crew,
    turns: Turns,
    beats: Beats,
    wakeups: list[Wakeup],
    stop: asyncio.Event,
) -> list[asyncio.Task[None]]:
    owner = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
    rules = rules_of(settings)
    running: list[Awaitable[None]] = [beside(stop) for beside in crew.beside]
    if crew.sync:
        beats.started("sync")
        beats.started("ai")
        inbox = Wakeup(db, ["inbox"])
        wakeups.append(inbox)
        sync = Sync(db, account=settings.account, rules=rules, wakeup=inbox, clock=utc_now)
        running.append(SyncWorker(sync, turns, beats, interval=settings.scrape_interval_sec).run(stop))
        running.append(_ask_ai(settings, db, inbox, owner, beats, stop))
    if crew.send:
        beats.started("send")
        outbox = Wakeup(db, ["outbox"])
        wakeups.append(outbox)
        send = Send(
            db,
            account=settings.account,
            owner=owner,
            rules=rules,
            wakeup=outbox,
            clock=utc_now,
            mark=turns.progress,
            check_alone=turns.check_alone,
        )
        worker = SendWorker(
            send,
            turns,
            beats,
            wakeup=outbox,
            interval=settings.send_worker_interval_sec,
            clock=utc_now,
        )
        running.append(worker.run(stop))
    tasks = [asyncio.ensure_future(one) for one in running]
    if crew.sync or crew.send:
        mine: dict[Queue, bool] = {"inbox": crew.sync, "outbox": crew.send}
        queues = [queue for queue, wanted in mine.items() if wanted]
        watch = ClockWatch(db, settings.account, queues, clock=utc_now)
        tasks.append(asyncio.ensure_future(watch.run(stop)))
        tasks.append(asyncio.ensure_future(_until_stop(turns.yield_when_idle(), stop)))
        tasks.append(asyncio.ensure_future(_until_stop(turns.watch_account_lock(), stop)))
    return tasks


async def _ask_ai(
    settings: Settings, db: Database, wakeup: Wakeup, owner: str, beats: Beats, stop: asyncio.Event
) -> None:
    webhook = AiWebhook(
        db, wakeup, settings, owner=owner, is_conversation_id=registry.find().is_conversation_id
    )
    try:
        work = AiWorker(webhook, beats, wakeup=wakeup, clock=utc_now).run(stop)
        await _until_stop(work, stop, grace=AI_GRACE_SEC)
    finally:
        await webhook.close()


async def _until_stop(work: Awaitable[None], stop: asyncio.Event, grace: float = 0.0) -> None:
    """Run until the work ends, at most ``grace`` seconds after the stop; then it is cancelled."""
    task = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await asyncio.wait({task}, timeout=grace)
    finally:
        stopped.cancel()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _until_the_end(turns: Turns, tasks: list[asyncio.Task[None]], stop: asyncio.Event) -> ExitCode:
    stopping: asyncio.Task[Any] = asyncio.create_task(stop.wait())
    pending: set[asyncio.Task[Any]] = set(tasks)
    try:
        while pending and not stop.is_set():
            done, _ = await asyncio.wait({*pending, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                pending.discard(task)
                task.result()
        if pending:
            done, late = await asyncio.wait(pending, timeout=FINISH_SEC)
            for task in late:
                logger.warning("Something did not end in time and is given up")
                task.cancel()
            for task in done:
                task.result()
    except BaseException as error:
        stop.set()
        if isinstance(error, Halt):
            turns.forbid(error)
        await _give_up(tasks)
        halt = turns.halt
        if halt is None:
            raise
        turns.forbid(halt)  # once more: the database may have been locked when the halt was met
        _say_halt(halt)
        return halt.exit_code
    finally:
        stopping.cancel()
    return ExitCode.STOPPED


async def _give_up(tasks: list[asyncio.Task[None]]) -> None:
    """All are told to stop already; what cannot is cancelled (its rows are found and settled later)."""
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=5.0)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _write_halt(settings: Settings, db: Database, halt: Halt) -> None:
    """Blocking, a moment. The first halt is kept."""
    with db.write() as conn:
        accounts.halt(
            conn, settings.account, halt.kind, halt.detail, int(halt.exit_code), halt.evidence, utc_now()
        )


def _say_halt(halt: Halt) -> None:
    logger.critical("HALTED ({}): {}. {}", halt.kind, halt.detail, what_to_do(int(halt.exit_code), halt.kind))
    if halt.evidence:
        logger.info("What the page showed: {}", halt.evidence)


def what_to_do(exit_code: int, kind: str | None = None) -> str:
    """The next step for a person, after a halt with this code and of this kind."""
    if kind == KIND:
        return (
            "Look into logs/app.log for what ended it each time; then run:"
            " python3 scripts/reconnect_airbnb.py --check"
        )
    if exit_code == ExitCode.HALTED_PAGE_CHANGED:
        return (
            "See docs/runbook.md, 'The page changed'; then run: python3 scripts/reconnect_airbnb.py --check"
        )
    return "A person is needed; run: python3 scripts/reconnect_airbnb.py"


async def _close(turns: Turns) -> None:
    try:
        async with asyncio.timeout(12):
            await turns.close()
    except TimeoutError:
        logger.warning("The browser did not close in time; its driver ends with this process")
