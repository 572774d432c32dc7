"""Quiet hours: the part of each night in which only what cannot wait is told. No I/O.

    22-7      from 22:00 until 7:00 of the next day, by the host's clock
    22:30-7:15, 13-14

A change of the clock moves nothing: the hours are those that the host's clock shows. A time that the clock shows
twice begins with the first and ends with the second; one that it skips is counted by the clock before the change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_FORM = re.compile(r"(\d{1,2})(?::([0-5]\d))?\s*[-–]\s*(\d{1,2})(?::([0-5]\d))?", re.ASCII)
_WRITE = "write two times of the day like 22-7 or 22:30-7:15"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one time of the day until another; past midnight if the second is the earlier one."""

    begin: time
    end: time

    @classmethod
    def read(cls, text: str) -> QuietHours:
        """What ``QUIET_HOURS`` says. ValueError with what to write in its place."""
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"is not a pair of times; {_WRITE}")
        begin, end = _time(found[1], found[2]), _time(found[3], found[4])
        if begin == end:
            raise ValueError(f"begins and ends at the same time; {_WRITE}, or leave it empty")
        return cls(begin, end)

    def end_after(self, now: datetime, zone: tzinfo) -> datetime | None:
        """When the quiet that holds at ``now`` ends, in UTC; None if it does not hold. ``now`` has a zone."""
        until = None
        today = now.astimezone(zone).date()
        for begin, end in self._around(today, zone):
            if begin <= (until or now) < end:
                until = end
        return until

    def _around(self, day: date, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
        """The quiet hours that begin on this day or on one next to it, in order. (Zones have skipped a day.)"""
        for offset in range(-2, 3):
            first = day + offset * _DAY
            last = first if self.begin < self.end else first + _DAY
            yield _moment(first, self.begin, zone, fold=0), _moment(last, self.end, zone, fold=1)


def _time(hour: str, minute: str | None) -> time:
    if hour == "24" and int(minute or 0) == 0:
        return time(0)
    try:
        return time(int(hour), int(minute or 0))
    except ValueError:
        raise ValueError(f"has an hour that no day has; {_WRITE}") from None


def _moment(day: date, at: time, zone: tzinfo, *, fold: int) -> datetime:
    """When the clock shows this: the first time (``fold`` 0) or the last. A skipped time by the clock before."""
    wall = datetime.combine(day, at, zone)
    first, last = (wall.replace(fold=n).astimezone(UTC) for n in (0, 1))
    return max(first, last) if fold else first
