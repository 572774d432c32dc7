"""Ends the process when the browser is stuck in a call that never returns; a supervisor starts it anew.

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
    """A thread that wants a sign of progress while something is under way. ``mark("")`` means: nothing is."""

    def __init__(
        self, patience: float = PATIENCE_SEC, *, give_up: Callable[[], None] = _leave, every: float = 1.0
    ) -> None:
        self._patience = patience
        self._give_up = give_up
        self._every = every
        self._what = ""
        self._since = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def mark(self, what: str) -> None:
        """Progress: this is what begins now. Cheap, callable from any thread."""
        self._what, self._since = what, time.monotonic()

    def _watch(self) -> None:
        while not self._stop.wait(self._every):
            what, since = self._what, self._since
            if what and time.monotonic() - since > self._patience:
                logger.critical(
                    "No progress for {:.0f} s ({}); giving up on the browser", self._patience, what
                )
                self._give_up()
                return
