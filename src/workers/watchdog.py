"""Ends the process when the browser is stuck in a call that never returns; a supervisor restarts it.

Some calls have no time limit and hang on a stuck renderer; the loop that waits for them cannot notice. What is in
hand is safe: an unarmed job goes back, an armed one is settled by reading.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from loguru import logger

from src.errors import ExitCode

PATIENCE_SEC = 150.0
"""Longer than the longest legitimate step without a mark: a deep list on a slow site."""


def _leave() -> None:
    os._exit(ExitCode.WATCHDOG)


class Watchdog:
    """A thread that wants a sign of progress while something is under way, of each account by itself."""

    def __init__(
        self, patience: float = PATIENCE_SEC, *, give_up: Callable[[], None] = _leave, every: float = 1.0
    ) -> None:
        self._patience = patience
        self._give_up = give_up
        self._every = every
        self._under_way: dict[str, tuple[str, float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def mark(self, what: str, account: str = "") -> None:
        """Progress: this is what begins now; ``""`` means that nothing is under way. Cheap, from any thread."""
        self._under_way[account] = what, time.monotonic()

    def _watch(self) -> None:
        while not self._stop.wait(self._every):
            for account, (what, since) in list(self._under_way.items()):
                if what and time.monotonic() - since > self._patience:
                    who = f"{account}: {what}" if account else what
                    logger.critical(
                        "No progress for {:.0f} s ({}); giving up on the browser", self._patience, who
                    )
                    self._give_up()
                    return
