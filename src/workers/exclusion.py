"""One process at a time for an account: file locks on a machine, the account's lock in the database between them.

The holder of every ``browser.lock`` (the profile's, and the account's beside a SQLite file) has the account; who
wants it next holds ``next.lock`` meanwhile, and the holder, seeing that, gives it up as soon as it is idle. Where
the database is PostgreSQL the same holds between machines, by ``AccountLock``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from src.db.account_lock import ANSWER_SEC, AccountLock
from src.errors import TransientError
from src.workers.locks import FileLock

LOOK_EVERY_SEC = 0.5
_SAY_SO_EVERY_SEC = 5.0
"""A wait is no standstill: the watchdog is told so often."""


class Exclusion:
    """The right to drive one account's channel, for one process at a time."""

    def __init__(
        self,
        lock_folders: Sequence[Path],
        account_lock: AccountLock | None = None,
        *,
        mark: Callable[[str], None] = lambda _: None,
        look_every: float = LOOK_EVERY_SEC,
    ) -> None:
        self._locks = [FileLock(folder / "browser.lock") for folder in lock_folders]
        self._next = FileLock(lock_folders[-1] / "next.lock")
        self._account_lock = account_lock
        self._mark = mark
        self._look_every = look_every
        self._wanted_elsewhere = False
        self._one_look = asyncio.Lock()

    async def take(self) -> None:
        """Wait until no other process has the account. Repeatable."""
        while not await self._next.acquire(timeout=_SAY_SO_EVERY_SEC):
            self._mark("waiting in line for the browser")
        try:
            for lock in self._locks:
                while not await lock.acquire(timeout=_SAY_SO_EVERY_SEC):
                    self._mark("waiting for the browser of another process")
            while self._account_lock is not None and not await asyncio.to_thread(
                self._account_lock.try_acquire
            ):
                self._mark("waiting for the browser of another machine")
                await asyncio.sleep(self._look_every)
        except BaseException:
            await self.give()
            raise
        finally:
            self._next.release()

    async def give(self) -> None:
        """Give back what ``take`` took. Harmless without."""
        if self._account_lock is not None:
            await asyncio.to_thread(self._account_lock.release)
        self._wanted_elsewhere = False
        for lock in self._locks:
            lock.release()

    @property
    def is_lost(self) -> bool:
        """Whether the account's lock in the database went while we thought that we had it."""
        return self._account_lock is not None and not self._account_lock.held

    @property
    def is_wanted(self) -> bool:
        """Whether another process waits for the account."""
        return self._next.is_taken() or self._wanted_elsewhere

    async def check(self) -> bool:
        """Ask the database whether the account is still ours alone. False: the lock is lost."""
        lock = self._account_lock
        if lock is None:
            return True
        try:
            async with self._one_look, asyncio.timeout(ANSWER_SEC):
                self._wanted_elsewhere = await asyncio.to_thread(lock.wanted)
        except (TransientError, TimeoutError):
            lock.held = False
            return False
        return True
