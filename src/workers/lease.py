"""The account's one open channel: opened when it is needed, closed when it is worn, lost or wanted elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from loguru import logger

from src.channels.base import Attended, Channel
from src.errors import ChannelGone, NightporterError, SettingsError
from src.workers.exclusion import Exclusion

KEEP_LOGIN_SEC = 3.0


class Lease:
    """Call it only while you hold the account's turn."""

    def __init__(
        self,
        make_channel: Callable[[], Channel],
        exclusion: Exclusion,
        *,
        mark: Callable[[str], None] = lambda _: None,
        keep_login_sec: float = KEEP_LOGIN_SEC,
    ) -> None:
        self._make = make_channel
        self._exclusion = exclusion
        self._mark = mark
        self._keep_login_sec = keep_login_sec
        self._opened_before = False
        self._channel: Channel | None = None

    @property
    def channel(self) -> Channel | None:
        """The open channel, None while it is closed."""
        return self._channel

    @property
    def is_wanted(self) -> bool:
        """Whether it is open, and another process waits for it."""
        return self._channel is not None and self._exclusion.is_wanted

    @property
    def is_lost(self) -> bool:
        """Whether the account's lock in the database went while it was open."""
        return self._channel is not None and self._exclusion.is_lost

    async def opened(self, may_touch: Callable[[], Awaitable[None]]) -> Channel:
        """The open channel, opened if need be, when no other process has one; ``may_touch`` raises a halt."""
        if self.is_lost:
            await self.close()
        if self._channel is not None:
            return self._channel
        await self._exclusion.take()
        await may_touch()  # the other process may have met a halt while we waited
        channel = self._make()
        self._mark("opening the browser")
        try:
            await channel.open()
        except SettingsError as error:
            self._channel = channel
            await self.close()
            if self._opened_before:  # it did start before: a passing trouble of the machine
                raise ChannelGone(str(error)) from None
            raise
        except BaseException:
            self._channel = channel
            await self.close()
            raise
        self._channel, self._opened_before = channel, True
        return channel

    async def close_if_worn(self) -> None:
        """After a good turn: a browser that grew old or heavy is closed; the next turn opens a new one."""
        channel = self._channel
        why = await channel.worn() if isinstance(channel, Attended) else None
        if why is not None and self._channel is channel:
            logger.info("Restarting the browser: {}", why)
            await self.keep_login()
            await self.close()

    async def close_if_wanted(self) -> bool:
        """Give the channel to another process that waits for it. Whether it was closed."""
        if not self.is_wanted:
            return False
        await self.close()
        return True

    async def keep_login(self) -> None:
        """Before an orderly end: Chromium drops some cookies when it closes. Never raises, never takes long."""
        if not isinstance(self._channel, Attended):
            return
        try:
            async with asyncio.timeout(self._keep_login_sec):
                await self._channel.save_login()
        except (NightporterError, OSError, TimeoutError) as error:
            logger.debug("The login was not kept at the end: {}", type(error).__name__)

    async def close(self) -> None:
        """Close the channel and let other processes have the account. May be called twice."""
        channel, self._channel = self._channel, None
        if channel is not None:
            with suppress(ChannelGone):
                await channel.close()
        await self._exclusion.give()

    async def check_alone(self) -> None:
        """ChannelGone, and the channel is closed, if another machine may drive it now."""
        if await self._exclusion.check():
            return
        logger.warning("The account's lock in the database was lost; closing the browser")
        if self._channel is not None:  # the worker that uses it notices at its next step
            with suppress(ChannelGone):
                await self._channel.close()
        raise ChannelGone("The account's lock in the database was lost.")
