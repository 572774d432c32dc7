"""Reading the list: what the page tells by itself first, else a gentle refresh, a new load as the last resort."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from src.channels.airbnb import ids, probes
from src.channels.airbnb.pages import ListOfConversations
from src.channels.airbnb.visit import Visit
from src.errors import NotUnderstood, PageChanged
from src.model.inbox import InboxGlance, SeenConversation


class ListReader:
    """Turns the stretches of the list that the page fetched into one glance, with the rows as second witness."""

    FRESH_SEC = 10.0
    """A list that the page told by itself so recently is not asked for again."""
    NEXT_STRETCH_SEC = 4.0
    FILL_SEC = 4.0
    """How long an empty first response may take to be filled by a second (field guide, 2.6)."""
    ROWS_SEC = 12.0
    STRETCHES_AT_MOST = 400
    """An end to scrolling, whatever the page says about a next stretch."""
    LOADS_AT_MOST = 3
    """How often one glance may reload the page, however many gaps its list has."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._by_button = False
        """The list went on by its button the last time, not by scrolling."""

    async def glance(self, since: datetime, *, thorough: bool) -> InboxGlance:
        """See the port."""
        visit = self._visit
        self._take()
        if time.monotonic() - visit.list_told_at <= self.FRESH_SEC:
            await visit.check_walls()
        elif not await visit.refresh_gently():
            await visit.go_to_inbox()
        self._take()
        await self._believe_empty()
        complete = await self._load_back_to(since, thorough=thorough)
        await self._witness()
        visit.fresh.clear()
        newest_first = sorted(visit.known.values(), key=lambda c: c.last_activity_at, reverse=True)
        viewer = visit.tap.viewer_id
        if viewer is None:
            raise PageChanged("the viewer's id", "the list")
        return InboxGlance(viewer, tuple(newest_first), complete)

    async def wait_for_news(self, timeout: float) -> bool:
        """See the port. A list that tells nothing new (the page's own polling) is taken in on the way."""
        deadline = time.monotonic() + timeout
        tap = self._visit.tap
        while True:
            tap.raise_problem()
            if self._take():
                return True
            left = deadline - time.monotonic()
            seq = tap.seq
            if left <= 0 or not await tap.wait_for_more(seq, left):
                return self._take()

    def _take(self) -> bool:
        """Take in what was told since the last time; True if a conversation has another newest message."""
        visit = self._visit
        news = False
        for page in visit.tap.lists_since(visit.taken_seq):
            news = any(_is_news(visit.known.get(c.external_id), c) for c in page.conversations) or news
            visit.coverage.add(page)
            visit.known.update({c.external_id: c for c in page.conversations})
            visit.list_told_at = time.monotonic()
            visit.fresh |= {
                n for n in (ids.thread_number(c.external_id) for c in page.conversations) if n is not None
            }
        visit.taken_seq = visit.tap.seq
        return news

    async def _believe_empty(self) -> None:
        """An empty list is believed only if no second response fills it (2.6, 3.6)."""
        visit = self._visit
        if visit.known:
            return
        await visit.tap.wait(lambda: self._take() or bool(visit.known), self.FILL_SEC)

    async def _load_back_to(self, since: datetime, *, thorough: bool) -> bool:
        visit, loads = self._visit, 0
        for _ in range(self.STRETCHES_AT_MOST):
            if visit.coverage.reaches(since, thorough=thorough):
                return True
            if not visit.coverage.broken and await self._load_next():
                continue
            if loads == self.LOADS_AT_MOST:
                raise NotUnderstood("The list has gaps again and again.")
            loads += 1
            await visit.go_to_inbox()  # a gap, or the page thinks that it has shown all: again from the top
            self._take()
            if not visit.coverage.reaches(since, thorough=thorough) and not await self._load_next():
                visit.raise_trouble("The list")
                raise NotUnderstood("The list names further conversations, but does not load them.")
        return False

    async def _load_next(self) -> bool:
        shown, tap = ListOfConversations(self._visit.page), self._visit.tap
        ways: list[Callable[[], Awaitable[bool | None]]]
        ways = [shown.scroll_on, shown.scroll_on, shown.press_load_more]
        for way in reversed(ways) if self._by_button else ways:
            start = tap.seq
            if await way() is False:
                continue
            if await tap.wait_for_list(start, self.NEXT_STRETCH_SEC):
                self._by_button = way == shown.press_load_more
                self._take()
                return True
        return False

    async def _witness(self) -> None:
        """Every row must be in the data, every conversation of the data must have its row (3.1)."""
        visit = self._visit
        rows: set[int] = set()
        deadline = time.monotonic() + self.ROWS_SEC
        while time.monotonic() < deadline:
            rows = await self._rows()
            self._take()
            if rows <= self._told() and visit.fresh <= rows:
                return
            seq = visit.tap.seq
            if rows and rows <= self._told() and await self._rows_by_scrolling(rows):
                return
            await visit.tap.wait_for_more(seq, 0.05)
        self._take()
        if rows - self._told():
            raise PageChanged("no row that the data do not know", "the list")
        raise PageChanged("a row for each conversation in the data", "the list")

    async def _rows(self) -> set[int]:
        """The numbers of the rows that the page shows now; raises the wall that is shown."""
        shown = (await self._visit.look(probes.ROWS))["rows"]["numbers"]
        return {int(number) for number in shown if number.isdigit()}

    def _told(self) -> set[int]:
        return {n for n in (ids.thread_number(key) for key in self._visit.known) if n is not None}

    async def _rows_by_scrolling(self, rows: set[int]) -> bool:
        """A virtualised list shows a part of its rows at a time (3.1): scroll through it and collect them."""
        shown = ListOfConversations(self._visit.page)
        if await shown.fits():
            return False
        await shown.scroll_to_top()
        for _ in range(self.STRETCHES_AT_MOST):
            rows |= await self._rows()
            if self._visit.fresh <= rows or await shown.at_end():
                break
            await shown.scroll_through()
        await shown.scroll_to_top()
        return self._visit.fresh <= rows


def _is_news(known: SeenConversation | None, told: SeenConversation) -> bool:
    newest, old = told.newest, known.newest if known else None
    return newest is not None and (old is None or old.fingerprint != newest.fingerprint)
