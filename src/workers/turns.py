"""Whose turn it is at the inbox: one open channel for each account, one action at a time, in one process at a time.

Turn       which worker of this process: SYNC or SEND
Lease      the open channel, and that no other process has one (Exclusion)
HaltLatch  whether the site may be touched at all
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from loguru import logger

from src.channels.base import Channel
from src.db.account_lock import CHECK_SEC
from src.errors import ChannelGone, Halt, SettingsError
from src.workers.exclusion import LOOK_EVERY_SEC
from src.workers.halts import HaltLatch
from src.workers.lease import Lease
from src.workers.turn import Turn


class Turns:
    """The account's one channel, lent to one worker at a time."""

    def __init__(
        self,
        lease: Lease,
        latch: HaltLatch | None = None,
        *,
        mark: Callable[[str], None] = lambda _: None,
        look_every: float = LOOK_EVERY_SEC,
        check_every: float = CHECK_SEC,
    ) -> None:
        """``mark`` is told what begins, for the watchdog, and ``""`` when nothing is under way."""
        self._lease = lease
        self._latch = latch or HaltLatch()
        self._mark = mark
        self._look_every = look_every
        self._check_every = check_every
        self._turn = Turn()

    @property
    def is_open(self) -> bool:
        return self._lease.channel is not None

    @property
    def is_taken(self) -> bool:
        """Whether a worker has its turn now."""
        return self._turn.is_taken

    @property
    def channel(self) -> Channel | None:
        """The open channel, for waiting on its news without a turn; None while it is closed."""
        return self._lease.channel

    @property
    def halt(self) -> Halt | None:
        """The halt that was met here or by another process."""
        return self._latch.halt

    @asynccontextmanager
    async def turn(self, who: str) -> AsyncIterator[Channel]:
        """The open channel, for this block only. Opens it if needed; closes it after a halt or a crash.

        After a halt every further turn raises that halt again.
        """
        await self._turn.take()
        try:
            self._mark(f"{who}: turn")
            await self._latch.check()
            yield await self._lease.opened(self._latch.check)
            if self._latch.halt is None:
                await self._lease.close_if_worn()
        except Halt as halt:
            self.forbid(halt)  # the next caller no longer touches the site
            await self._lease.close()
            raise
        except (ChannelGone, SettingsError, asyncio.CancelledError):
            if not self._turn.is_away(who):
                await self._lease.close()
            raise
        finally:
            # Cancelled while another worker had its turn: nothing here is ours to end.
            if not self._turn.left_in_the_middle(who):
                try:
                    await self._lease.close_if_wanted()
                finally:
                    self._mark("")
                    self._turn.give()

    async def yield_turn(self, who: str) -> None:
        """In the middle of a turn: let a waiting worker of this process go first, then go on."""
        self._mark(f"{who}: between two steps")
        if await self._turn.yield_turn(who):
            if self._latch.halt is not None:
                raise self._latch.halt
            self._mark(f"{who}: turn again")
            if self._lease.channel is None:
                raise ChannelGone

    def progress(self, what: str) -> None:
        """In a turn: this step begins now. For the watchdog, which tells slow from stuck by it."""
        self._mark(what)

    def forbid(self, halt: Halt) -> None:
        """A halt was met: no turn is given any more. Repeatable; each call tries again to write it down."""
        self._latch.fall(halt)

    async def yield_when_idle(self) -> None:
        """Runs beside the workers: gives the channel to another process that waits for it."""
        while True:
            await asyncio.sleep(self._look_every)
            if self._turn.is_taken or not self._lease.is_wanted:
                continue
            await self._turn.take()
            try:
                if await self._lease.close_if_wanted():
                    logger.debug("Another process asks for the browser; ours is closed")
            finally:
                self._turn.give()

    async def watch_account_lock(self) -> None:
        """Runs beside the workers: closes the channel, whatever it is doing, when the account's lock is lost."""
        while True:
            await asyncio.sleep(self._check_every)
            if not self.is_open or self._lease.is_lost:
                continue
            try:
                await self.check_alone()
            except ChannelGone:
                await self._close_between_turns()

    async def check_alone(self) -> None:
        """ChannelGone, and the channel is closed, if another machine may drive it now. For before every press."""
        await self._lease.check_alone()

    async def wait_for_idle(self) -> None:
        """Until no worker is at work: between two turns, or between two jobs of one."""
        await self._turn.take()
        self._turn.give()

    async def close(self) -> None:
        """Keep the login, close the channel and give up the locks. Waits for the action in hand."""
        await self._turn.take()
        try:
            if (
                self._latch.halt is None
            ):  # at a halt the page may be logged out: what was kept before is better
                await self._lease.keep_login()
            await self._lease.close()
        finally:
            self._turn.give()

    async def _close_between_turns(self) -> None:
        await self._turn.take()
        try:
            await self._lease.close()
        finally:
            self._turn.give()
