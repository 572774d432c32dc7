"""Numbers of spans of time that are over, remembered for some minutes: looking again costs the present only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Generic, TypeVar

Span = tuple[datetime, datetime]
T = TypeVar("T")

_GOOD_FOR = timedelta(minutes=10)
"""What is over hardly changes any more: a message that is seen late, a proof or a judgement that comes late."""


class Remembered(Generic[T]):
    """What was read of each span. One for each account and kind of number."""

    def __init__(self) -> None:
        self._known: dict[Span, tuple[datetime, T]] = {}

    def of(self, spans: Sequence[Span], now: datetime, read: Callable[[Span], T]) -> list[T]:
        """Each of these spans, read or remembered. Spans that are not asked for are forgotten."""
        known = self._known
        fresh: dict[Span, tuple[datetime, T]] = {}
        for span in spans:
            last = known.get(span)
            if last is None or now < span[1] or now - last[0] > _GOOD_FOR:
                last = now, read(span)
            fresh[span] = last
        self._known = fresh  # whole, since several pages may be made at once
        return [value for _, value in fresh.values()]
