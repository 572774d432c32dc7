"""Ends a crash loop: too many starts without one good cycle are a halt, which a person ends.

A supervisor's own limit does not last: PM2 counts only shortly after the first start, and a reboot forgets. Each
start may load the inbox once more, so a loop is seen by the site, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

from loguru import logger

from src.db import accounts, starts
from src.db.engine import Connection, Database
from src.errors import ExitCode, TransientError
from src.model.values import utc_now

WINDOW = timedelta(minutes=10)
KIND = "crash_loop"
VANISHED_FOR_ONE = 4
"""This many starts that ended without a word count as one that failed.

For a machine short of memory, whose system kills each start: that loop ends, too. A person who kills the program a
few times, or a power cut, halts nothing (ADR 0047).
"""


class Breaker:
    """For one process of workers. A start that ends in order (a signal, a halt) does not count."""

    def __init__(self, db: Database, account: str, most: int) -> None:
        """``most``: how many starts within WINDOW may fail (CRASH_LOOP_STARTS)."""
        self._db = db
        self._account = account
        self._most = most
        self._start_id = f"{os.getpid()}-{uuid4().hex[:8]}"

    def starting(self) -> None:
        """Note this start; halts the account if there were too many. Blocking."""
        with self._db.write() as conn:
            earlier = starts.note(conn, self._account, self._start_id, utc_now(), WINDOW)
            if earlier.failed + earlier.vanished / VANISHED_FOR_ONE < self._most:
                return
            minutes = WINDOW.total_seconds() / 60
            detail = (
                f"{earlier.failed + earlier.vanished} starts within {minutes:g} minutes, none of which came to a "
                f"good cycle: {earlier.failed} failed, {earlier.vanished} were killed"
            )
            accounts.halt(conn, self._account, KIND, detail, ExitCode.HALTED_PERSON_NEEDED, None, utc_now())
            starts.clear(conn, self._account)

    def ended_in_order(self) -> None:
        """Blocking, never raises."""
        self._note_end(starts.forget)

    def failed(self) -> None:
        """The program ends by an error of its own. Blocking, never raises."""
        self._note_end(starts.fail)

    def _note_end(self, note: Callable[[Connection, str, str], None]) -> None:
        try:
            with self._db.write() as conn:
                note(conn, self._account, self._start_id)
        except TransientError as error:
            logger.debug("How this start ended was not noted: {}", error)
