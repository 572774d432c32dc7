"""How long a person has got for what waits: the clock of a row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from src.db.waiting import RESPONSE_CLOCK, Waiting

SOON = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Clock:
    """What is left, in seconds; below 0 it is over."""

    left_sec: float
    to_send: bool
    """It is that of a draft, which cannot be sent any more afterwards; else Airbnb's 24 hours for an answer."""

    @property
    def urgency(self) -> str:
        """For the colour: over, soon or calm."""
        if self.left_sec <= 0:
            return "over"
        return "soon" if self.left_sec < SOON.total_seconds() else "calm"


def clock_of(asked_at: datetime, reply_by: datetime | None, now: datetime) -> Clock:
    """The one that ends next: of the guest's 24 hours and, for a draft that can still be sent, ``reply_by``."""
    ends = asked_at + RESPONSE_CLOCK
    if reply_by is not None and now <= reply_by and (reply_by < ends or ends < now):
        return Clock((reply_by - now).total_seconds(), to_send=True)
    return Clock((ends - now).total_seconds(), to_send=False)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that waits for a person, with its clock."""

    waiting: Waiting
    clock: Clock


def by_urgency(found: list[Waiting], now: datetime) -> list[Item]:
    """Clocks that run, the one that ends next on top; then those that are over, newest first; last, late drafts."""

    def key(item: Item) -> tuple[bool, bool, float, bool]:
        left = item.clock.left_sec
        return item.waiting.is_too_late(now), left <= 0, abs(left), not item.waiting.first

    items = [Item(one, clock_of(one.asked_at, one.reply_by, now)) for one in found]
    return sorted(items, key=key)
