"""When the messages of an answer go out, so that it reads as if somebody had read and typed. Pure.

The times are judgements: a person reads some four words a second and types some twelve letters a second at most,
and nobody waits longer than a few seconds for a short message. Used only where people know that an AI answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

_VARIES_BY = 0.2
"""A fifth more or less, so that it does not tick like a clock."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one message stands among the parts of its answer, and when it is due."""

    part: int = 1
    parts: int = 1
    group_id: str | None = None
    due_at: datetime | None = None
    """None: at once."""
    typing_from_at: datetime | None = None
    """From then on somebody is shown to type; None: nobody is."""


WHOLE = Slot()
"""An answer in one message, due at once."""


def reading_sec(text: str) -> float:
    """Seconds for which somebody reads it: 2 to 8."""
    return min(2.0 + len(text.split()) / 4, 8.0)


def typing_sec(text: str) -> float:
    """Seconds for which somebody types it: 1 to 12."""
    return min(1.0 + len(text) / 12, 12.0)


def fraction(key: str) -> float:
    """A number from 0 to 1 that looks random and is always the same for the same key, in every process."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64


def varied(seconds: float, key: str) -> float:
    """Up to a fifth more or less, always the same for the same key."""
    return seconds * (1 - _VARIES_BY + 2 * _VARIES_BY * fraction(key))


def plan(
    texts: Sequence[str],
    key: str,
    *,
    group_id: str | None,
    now: datetime,
    gap_sec: float = 0.0,
    heard: tuple[str, datetime] | None = None,
) -> list[Slot]:
    """A slot for each of the texts, in their order.

    ``heard``: what the person wrote, and when we heard it: then each text is due when somebody would have read
    that and typed it. Without it all are due at once, ``gap_sec`` apart. ``key`` is the answer's own.
    """
    due = now if heard is None else max(now, heard[1] + _seconds(reading_sec(heard[0]), f"{key}:read"))
    slots = []
    for number, text in enumerate(texts, 1):
        typing = timedelta(0) if heard is None else _seconds(typing_sec(text), f"{key}:{number}")
        if number == 1:
            begins = max(now, due - typing)
        else:
            begins, due = due, due + max(typing, timedelta(seconds=gap_sec))
        shown = begins if due > begins else None
        slots.append(Slot(number, len(texts), group_id if len(texts) > 1 else None, due, shown))
    return slots


def _seconds(seconds: float, key: str) -> timedelta:
    return timedelta(seconds=varied(seconds, key))
