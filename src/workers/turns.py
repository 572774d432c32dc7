"""Whose turn it is at the inbox: one browser for each account, one action at a time, in one process at a time.

In a process SYNC and SEND take turns under an ``asyncio.Lock``. Between processes (``sync`` and ``send`` apart, a
look by hand, the reconnect script) the holder of ``browser.lock`` has the browser; who wants it next holds
``next.lock`` meanwhile, and the holder, seeing that, closes its browser as soon as it is idle. Where the database
is PostgreSQL the same holds between machines, by ``AccountLock``; who loses that closes its browser at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from loguru import logger

from src.channels.base import Attended, Channel
from src.db.account_lock import ANSWER_SEC, CHECK_SEC, AccountLock
from src.errors import ChannelGone, Halt, NightporterError, SettingsError, TransientError
from src.workers.locks import FileLock

LOOK_FOR_OTHERS_SEC = 0.5
KEEP_LOGIN_SEC = 3.0


class Turns:
    """The account's one channel, opened when first needed, lent to one worker at a time."""

    def __init__(
        self,
        make_channel: Callable[[], Channel],
        *,
        lock_folders: list[Path],
        mark: Callable[[str], None] = lambda _: None,
        account_lock: AccountLock | None = None,
        halted: Callable[[], Halt | None] = lambda: None,
        on_halt: Callable[[Halt], None] = lambda _: None,
    ) -> None:
        """``halted`` says whether another process has met a halt, ``on_halt`` writes one down.

        Both may block, and raise TransientError for the database.
        """
        self._make = make_channel
        self._browser_locks = [FileLock(folder / "browser.lock") for folder in lock_folders]
        self._next = FileLock(lock_folders[-1] / "next.lock")
        self._account_lock = account_lock
        self._wanted_elsewhere = False
        self._lock_check = asyncio.Lock()
        self._halted = halted
        self._on_halt = on_halt
        self._opened_before = False
        self._mark = mark
        self._turn = asyncio.Lock()
        self._channel: Channel | None = None
        self._waiting = 0
        self._away: set[str] = set()
        """Who is in the middle of a turn and lets others go first."""
        self._halt: Halt | None = None
        self._halt_is_kept = False
        """It is written down, where every process and the next start see it."""

    @property
    def is_open(self) -> bool:
        return self._channel is not None

    @property
    def channel(self) -> Channel | None:
        """The open channel, for waiting on its news without a turn; None while it is closed."""
        return self._channel

    @asynccontextmanager
    async def turn(self, who: str) -> AsyncIterator[Channel]:
        """The open channel, for this block only. Opens the browser if needed; closes it after a halt or a crash.

        After a halt every further turn raises that halt again.
        """
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        try:
            self._mark(f"{who}: turn")
            await self._look_for_halt()
            channel = await self._opened()
            yield channel
            await self._close_if_worn(channel)
        except Halt as halt:
            self.forbid(halt)  # whoever comes next, however soon, touches the site no more
            await self._close()
            raise
        except (ChannelGone, SettingsError, asyncio.CancelledError):
            if who not in self._away:
                await self._close()
            raise
        finally:
            if who in self._away:  # cancelled while another worker had its turn: nothing here is ours to end
                self._away.discard(who)
            else:
                if self._channel is not None and self._is_wanted():
                    await self._close()
                self._mark("")
                self._turn.release()

    async def _close_if_worn(self, channel: Channel) -> None:
        """After a turn that went well: what has grown old or heavy is closed; the next turn opens it anew."""
        why = await channel.worn() if isinstance(channel, Attended) else None
        if why is not None and self._channel is channel:
            logger.info("Closing the browser, to be opened anew: {}", why)
            await self._keep_login()
            await self._close()

    async def _keep_login(self) -> None:
        """Before an orderly end: Chromium drops some cookies when it closes. Never raises, never takes long."""
        if not isinstance(self._channel, Attended) or self._halt is not None:
            return  # at a halt the page may be logged out: what was kept before is better
        try:
            async with asyncio.timeout(KEEP_LOGIN_SEC):
                await self._channel.save_login()
        except (NightporterError, OSError, TimeoutError) as error:
            logger.debug("The login was not kept at the end: {}", type(error).__name__)

    async def let_others(self, who: str) -> None:
        """In the middle of a turn: let a waiting worker of this process go first, then go on."""
        self._mark(f"{who}: between two steps")
        if self._waiting:
            self._away.add(who)
            self._turn.release()
            await asyncio.sleep(0)
            self._waiting += (
                1  # as for a turn: who has it now lets this one go on between two of its own steps
            )
            try:
                await self._turn.acquire()
            finally:
                self._waiting -= 1
            self._away.discard(who)
            if self._halt is not None:
                raise self._halt
            self._mark(f"{who}: turn again")
            if self._channel is None:
                raise ChannelGone

    @property
    def halt(self) -> Halt | None:
        """The halt that was met here or by another process."""
        return self._halt

    async def _look_for_halt(self) -> None:
        if self._halt is None:
            self._halt = await asyncio.to_thread(self._halted)
            self._halt_is_kept = self._halt is not None
        if self._halt is not None:
            raise self._halt

    def progress(self, what: str) -> None:
        """In a turn: this step begins now. For the watchdog, which tells slow from stuck by it."""
        self._mark(what)

    def forbid(self, halt: Halt) -> None:
        """A halt was met: no turn is given any more. What could not be written down is tried again by each call."""
        if self._halt is None:
            self._halt = halt
        if self._halt_is_kept:
            return
        try:  # before anything else: what ends this process now must not undo the halt
            self._on_halt(self._halt)
            self._halt_is_kept = True
        except NightporterError as error:
            logger.error("The halt could not be written down: {}", error)

    async def yield_when_idle(self) -> None:
        """Runs beside the workers: gives the browser to another process that waits for it."""
        while True:
            await asyncio.sleep(LOOK_FOR_OTHERS_SEC)
            if self._channel is None or self._turn.locked() or not self._is_wanted():
                continue
            async with self._turn:
                if self._channel is not None:
                    logger.debug("Another process asks for the browser; closing ours")
                    await self._close()

    async def watch_account_lock(self) -> None:
        """Runs beside the workers: closes the browser, whatever it is doing, when the account's lock is lost."""
        lock = self._account_lock
        while lock is not None:
            await asyncio.sleep(CHECK_SEC)
            if self._channel is None or not lock.held:
                continue
            try:
                await self.check_alone()
            except ChannelGone:
                async with self._turn:
                    await self._close()

    async def check_alone(self) -> None:
        """ChannelGone, and the browser is closed, if another machine may drive it now. For before every press."""
        lock = self._account_lock
        if lock is None:
            return
        try:
            async with self._lock_check, asyncio.timeout(ANSWER_SEC):
                self._wanted_elsewhere = await asyncio.to_thread(lock.wanted)
        except (TransientError, TimeoutError):
            logger.warning("The account's lock in the database was lost; closing the browser")
            lock.held = False
            if self._channel is not None:  # whoever is at work with it notices at its next step
                with suppress(ChannelGone):
                    await self._channel.close()
            raise ChannelGone("The account's lock in the database was lost.") from None

    def _is_wanted(self) -> bool:
        return self._next.is_taken() or self._wanted_elsewhere

    async def close(self) -> None:
        """Keep the login, close the browser and give up the locks. Waits for the action in hand."""
        async with self._turn:
            await self._keep_login()
            await self._close()

    async def _opened(self) -> Channel:
        if self._channel is not None and self._account_lock is not None and not self._account_lock.held:
            await self._close()
        if self._channel is not None:
            return self._channel
        await self.lock_out_others()
        await self._look_for_halt()  # the other process may have met one while we waited
        channel = self._make()
        self._mark("opening the browser")
        try:
            await channel.open()
        except SettingsError as error:
            self._channel = channel
            await self._close()
            if self._opened_before:  # it did start before: a passing trouble of the machine
                raise ChannelGone(str(error)) from None
            raise
        except BaseException:
            self._channel = channel
            await self._close()
            raise
        self._channel, self._opened_before = channel, True
        return channel

    async def unlock(self) -> None:
        """Give the locks of ``lock_out_others`` back."""
        if self._account_lock is not None:
            await asyncio.to_thread(self._account_lock.release)
        self._wanted_elsewhere = False
        for lock in self._browser_locks:
            lock.release()

    async def lock_out_others(self) -> None:
        """Wait until no other process has the account's browser. Repeatable."""
        while not await self._next.acquire(timeout=5.0):
            self._mark("waiting in line for the browser")
        try:
            for lock in self._browser_locks:
                while not await lock.acquire(timeout=5.0):
                    self._mark("waiting for the browser of another process")
            while self._account_lock is not None and not await asyncio.to_thread(
                self._account_lock.try_acquire
            ):
                self._mark("waiting for the browser of another machine")
                await asyncio.sleep(LOOK_FOR_OTHERS_SEC)
        except BaseException:
            await self.unlock()
            raise
        finally:
            self._next.release()

    async def _close(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            with suppress(ChannelGone):
                await channel.close()
        await self.unlock()
