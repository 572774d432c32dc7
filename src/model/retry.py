"""When something is tried again, and how often: every rule of it, as a value.

A retry that has to survive a restart is a row with a due time (docs/adr/0010); the moves ask here for the time.
What a channel does within one look at its remote, and the assistant within one question to its models, is theirs.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TypeVar

from src.errors import ComposerBusy, NightporterError, NotPressed, StaleJob, TransientError

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses in seconds: ``first``, then twice as long after each failure, up to ``longest``."""

    first: float
    longest: float
    spread: float = 0.0
    """The part of a pause that is left to chance, so that not all come back at once: 0.2 is a fifth each way."""
    longest_asked: float = inf
    """The longest pause that the other side may ask for."""

    def pause(self, failures: int, *, asked: float | None = None, rng: random.Random | None = None) -> float:
        """The pause after ``failures`` failures in a row, for any number of days. ``asked`` comes first."""
        if asked is not None:
            return min(max(asked, 1.0), self.longest_asked)
        pause = min(self.first * 2.0 ** min(max(failures, 1) - 1, 60), self.longest)
        if self.spread:
            chance = (rng or random).uniform(1 - self.spread, 1 + self.spread)
            return min(pause * chance, self.longest)
        return pause


@dataclass(frozen=True, slots=True)
class SendRetries:
    """How a reply is tried again whose Send was not pressed. The number of tries includes the first one."""

    backoff: Backoff = Backoff(5.0, 300.0)
    tries: int = 5
    busy_sec: float = 60.0
    """How long until the next look, while a person has a text in the composer."""
    busy_tries: int = 10
    lost_tries: int = 10
    """A reply whose worker has died this many times is held for a person."""

    def pause(self, error: NightporterError, tries: int) -> float | None:
        """Seconds until the next try after ``error``; None if it was the last: a person has to look."""
        if isinstance(error, ComposerBusy):
            return self.busy_sec if tries < self.busy_tries else None
        if isinstance(error, NotPressed) and error.retry_after is not None:
            # The remote is away, or asks for it: such a try does not count, so it must not be made without a pause.
            return max(error.retry_after, 1.0)
        return self.backoff.pause(tries) if tries < self.tries else None


SEND = SendRetries()
SLOWER = Backoff(6.0, 300.0)
"""A service that is away, or asks for a slower pace without a number."""
MAIL = Backoff(300.0, 86_400.0)
"""A mail that the server puts off, or a server that is away: greylisting ends after some minutes."""
MAIL_TRIES = 10
"""A mail that was put off this often (after some two days) waits for a person."""
AI = Backoff(5.0, 300.0, spread=0.2, longest_asked=3600.0)
"""A request that the AI did not take."""
ALERT = Backoff(60.0, 3600.0)
"""An alert that nobody took."""
LATE_ANSWER = Backoff(5.0, 120.0)
"""A question over HTTP for which no model answers yet."""
HAND_IN_SEC = (5.0, 15.0, 45.0, 120.0, 300.0)
"""The pauses before each further try to hand an answer in at a ``callback_url``; after the last it is given up."""

SEND_WORKER = Backoff(1.0, 300.0)
WORKER = Backoff(1.0, 15.0)
"""The workers that need the database alone: the AI's queue, alerts, the watch on the clock."""


def backoff_of_sync(interval: float) -> Backoff:
    """SYNC looks every ``interval`` seconds; it never looks more often because it fails."""
    return Backoff(interval, max(900.0, interval))


# --- a row that somebody else moves in the same instant --------------------------------------------------

TRIES_IF_STALE = 3
_AGAIN_AND_AGAIN = "others move the same rows again and again"


def again_if_stale(
    work: Callable[[], Result],
    *,
    give_up: NightporterError | None = None,
    before_again: Callable[[], None] = lambda: None,
) -> Result:
    """``work``, a transaction, run again when another process moved one of its rows in the same instant.

    After three times raises ``give_up``, or TransientError. What ``before_again`` raises ends it at once.
    """
    for _ in range(TRIES_IF_STALE):
        try:
            return work()
        except StaleJob:
            before_again()
    raise give_up or TransientError(_AGAIN_AND_AGAIN)
