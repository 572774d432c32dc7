"""Which way of coming back to the page makes it fetch its list: tried one after the other, kept by its results."""

from __future__ import annotations

from loguru import logger

COMEBACKS = ("visibilitychange", "focus", "online")
"""What a person causes by coming back to the tab, or to the network; pages fetch their news then.

One at a time, because a page that listens to several would fetch several times.
"""
_MOST = 3
"""A way that has long worked may fail so often in a row (a slow site) and is kept."""


class Comebacks:
    """The ways that one page was asked in, and what came of it.

    A page may also fetch its list by itself at any time, so one answer proves nothing. Each answer to a way is
    set against each time without: a way that works seldom fails, and one that a fetch fell in with by chance
    fails more often than not, and is given up.
    """

    def __init__(self) -> None:
        self._index = 0
        self._balance = 0
        """Answers less failures of the way that is tried; never above ``_MOST``."""

    @property
    def way(self) -> str | None:
        """The way to ask in; None if this page reacts to none of them."""
        return COMEBACKS[self._index] if self._index < len(COMEBACKS) else None

    @property
    def works(self) -> bool:
        """Whether the way has been answered more often than not."""
        return self._balance > 0

    def learn(self, *, answered: bool) -> None:
        """Take in one trial: whether the page began to fetch its list at once."""
        self._balance = min(self._balance + 1, _MOST) if answered else self._balance - 1
        if self._balance < 0 and self.way is not None:
            logger.debug("The page does not fetch its news on {}", self.way)
            self._index, self._balance = self._index + 1, 0
