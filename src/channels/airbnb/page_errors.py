"""What every call of the channel does about an error, whichever step of it met one."""

from __future__ import annotations

from typing import Protocol

from loguru import logger
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeout

from src.channels.evidence import NOT_UNDERSTOOD
from src.errors import ChannelGone, Halt, NotUnderstood, TransientError

_GONE = ("has been closed", "Page crashed", "Connection closed", "Target crashed", "Target closed")


class Stoppable(Protocol):
    """What the answer to an error needs of the channel that met it."""

    async def stopped_by(self) -> Halt | None:
        """What stopped this visit, looked for once more: an error may be the first sign of it."""
        ...

    def stop_at(self, halt: Halt) -> None:
        """From now on every call raises this."""
        ...

    async def go_offline(self) -> None:
        """No further request leaves the page."""
        ...

    async def evidence(self, label: str) -> str | None:
        """Keep what the page shows; its path, or None."""
        ...


class PageErrors:
    """Turns Playwright's errors into ours, cuts the page off at a halt, keeps a picture of what was there."""

    def __init__(self, channel: Stoppable) -> None:
        self._channel = channel

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        halt = error if isinstance(error, Halt) else None
        if isinstance(error, PlaywrightError):
            problem = await self._channel.stopped_by()
            if problem is None:
                raise _ours(error) from None
            halt = problem
        if halt is not None:
            self._channel.stop_at(halt)
            await self._channel.go_offline()
            if halt.evidence is None:
                halt.evidence = await self._channel.evidence(halt.kind)
            if halt is not error:
                raise halt from None
        elif isinstance(error, NotUnderstood):
            where = await self._channel.evidence(NOT_UNDERSTOOD)
            logger.debug("Evidence of what was not understood: {}", where)


def _ours(error: PlaywrightError) -> TransientError:
    """Our error for one of Playwright's; without its text, which may quote what was typed."""
    if any(words in str(error) for words in _GONE):
        return ChannelGone()
    if isinstance(error, PlaywrightTimeout):
        return TransientError("A step on the page took too long.")
    return TransientError("A step on the page failed.")
