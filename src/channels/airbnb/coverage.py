"""How far down the list has been seen without a gap, since the page was loaded. Pure.

The page fetches the list in stretches: again from the top when something changed, further down when scrolled.
A stretch from the top that shares nothing with what was seen before may hide changes below it. Then the known
starts again, and what the page fetches further down continues the old list, not the new top: it counts no more.
"""

from __future__ import annotations

from datetime import datetime

from src.channels.airbnb.wire import ListPage


class Coverage:
    """Feed it every stretch in the order of arrival; ask it whether the list is covered back to a time."""

    def __init__(self) -> None:
        self._fingerprints: dict[str, str | None] = {}
        self._newest: datetime | None = None
        self._oldest: datetime | None = None
        self._stretch_newest: datetime | None = None
        self._ended = False
        self.broken = False
        """There is a gap that only a reload can fill."""

    def add(self, page: ListPage) -> None:
        """Take in one stretch.

        An empty one is the end only of an empty list, or behind others: an empty answer may be filled by a second.
        """
        if not page.stretch:
            if page.has_previous or not self._fingerprints:
                self._ended = self._ended or not page.has_next
            return
        times = [c.last_activity_at for c in page.stretch]
        prints = {c.external_id: c.newest.fingerprint if c.newest else None for c in page.stretch}
        from_top = self._newest is None or (max(times) >= self._newest and not page.has_previous)
        if from_top and not self._shares(prints):
            self._fingerprints, self._ended = {}, False
            self._oldest = self._stretch_newest = None
            self.broken = self._newest is not None
        if self.broken and not from_top:
            return
        self._fingerprints.update(prints)
        self._ended = self._ended or not page.has_next
        self._newest = max(times) if self._newest is None else max(self._newest, *times)
        self._oldest = min(times) if self._oldest is None else min(self._oldest, *times)
        self._stretch_newest = (
            max(times) if self._stretch_newest is None else min(self._stretch_newest, max(times))
        )

    def reaches(self, since: datetime, *, thorough: bool) -> bool:
        """Whether nothing younger than ``since`` can be below what was seen.

        ``thorough``: only if a whole stretch is older, for a list that may not be strictly in order.
        """
        if self._ended:
            return True
        edge = self._stretch_newest if thorough else self._oldest
        return edge is not None and edge < since

    def _shares(self, prints: dict[str, str | None]) -> bool:
        """Whether a stretch holds a conversation that has not changed since it was seen before."""
        return any(
            key in self._fingerprints and self._fingerprints[key] == value for key, value in prints.items()
        )
