"""Reading one conversation: opened by a click in the list, by address as the fallback; told by the wire."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from loguru import logger

from src.channels.airbnb import ids, probes, selectors, wire
from src.channels.airbnb.pages import (
    ComposerState,
    ListOfConversations,
    OpenConversation,
    on_inbox_address,
    thread_in_address,
)
from src.channels.airbnb.panel import with_panel
from src.channels.airbnb.visit import Visit
from src.channels.airbnb.wiretap import with_messages
from src.errors import ChannelGone, NotUnderstood, PageChanged, PermanentError, TransientError
from src.model.inbox import MessageKind, SeenConversation, SeenMessage

Enough = Callable[[SeenConversation], bool]
_ASIDE_TRIES = 3
"""How many other rows are looked for. A row that is not on the screen cannot be clicked."""


class ThreadReader:
    """Knows the one open conversation and everything that was told about it since it was opened."""

    ANSWER_SEC = 6.0
    """How long the page may take to fetch a conversation after a click on its row."""
    ADDRESS_SEC = 15.0
    """The same after loading the whole page by address."""
    ALONE_SEC = 0.5
    """How long the page may take to fetch the conversation of a message that was told alone."""
    LISTED_SEC = 10.0
    """A list that the page told so recently says whether a conversation that is still open is as it was read."""
    OLDER_SEC = 5.0
    SHOWN_SEC = 12.0

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._open: SeenConversation | None = None
        self._last: SeenConversation | None = None
        """The conversation that was open before, as last told; a page may still show it."""
        self._opened_at_seq = 0
        self._owes_asking = False
        """The open conversation was not asked for again when it was read last; it must be before Send."""

    def leave(self) -> None:
        """What was told about the open conversation is not enough to act on any more."""
        if self._open is not None:
            self._last = self._open
            with contextlib.suppress(ChannelGone):
                self._last = self.now(self._open.external_id)
        self._open = None

    def forget(self) -> None:
        """The page is given up, and with it what it showed."""
        self._open = self._last = None

    def here(self, external_id: str) -> SeenConversation:
        """The open conversation as last read; TransientError if it is another one."""
        if self._open is None or self._open.external_id != external_id:
            raise TransientError("The conversation is not the open one.")
        return self._open

    def check_address(self, external_id: str) -> None:
        """Never act anywhere but in this conversation on an own host (contract, promise 3)."""
        self._visit.tap.raise_problem()
        url = self._visit.page.url
        if not self._visit.is_own_host(url):
            raise PageChanged("an address of Airbnb", "the address")
        if thread_in_address(url) != number_of(external_id):
            raise TransientError("The page is not on the conversation any more.")

    async def read(self, external_id: str, *, enough: Enough, anew: bool) -> SeenConversation:
        """See the port."""
        number = number_of(external_id)
        self.leave()
        self._owes_asking = False
        await self._visit.check_walls()
        start = self._visit.tap.seq
        view = None if anew else await self._open_by_click(number, external_id)
        if view is None:
            view = await self._open_by_address(number, external_id)
            start = self._visit.loaded_at_seq
        view = await self._load_older(external_id, start, view, enough)
        view = with_panel(view, await self._witness(view))
        self._open, self._opened_at_seq = view, start
        return view

    async def reread(self, external_id: str) -> tuple[SeenConversation, ComposerState | None]:
        """See the port: asks the page for its news, then believes whichever of wire and page is newer.

        With what the composer holds then; None if it is not there. TransientError if the page does not tell its
        news, and the reading before this one did not ask for them either.
        """
        self.here(external_id)
        if not await self._visit.try_news() and self._owes_asking:
            self._visit.list_told_at = -math.inf  # the next reading asks, however lately the list was told
            raise TransientError("The page did not tell its news right before Send.")
        self._owes_asking = False
        seen = await self._visit.look(probes.ITEMS, probes.composer(focus=False), probes.PANEL)
        panel = seen["panel"]
        self.check_address(external_id)
        if await self._catch_up(external_id, last_item(seen["items"])):
            seen = await self._visit.look(probes.composer(focus=False))
        self._open = with_panel(self.now(external_id), panel)
        return self._open, ComposerState.of(seen["composer"])

    def now(self, external_id: str) -> SeenConversation:
        """Everything told since it was opened: its own answers, a send's answer, the list's newest."""
        return self._brought_up_to_date(self.here(external_id))

    def _brought_up_to_date(self, before: SeenConversation) -> SeenConversation:
        external_id = before.external_id
        view = self._visit.tap.thread_since(external_id, self._opened_at_seq) or before
        found: dict[str, SeenMessage] = {m.external_id: m for m in before.messages}
        found.update({m.external_id: m for m in view.messages})
        newest = _listed_newest(self._visit.tap.lists_since(self._opened_at_seq), external_id)
        if newest is not None and newest.detail != "PREVIEW":
            old = found.get(newest.external_id)
            if old is None or old.fingerprint != newest.fingerprint:
                found[newest.external_id] = newest
        now = with_messages(replace(view, opened=True), found, has_older=before.has_older and view.has_older)
        return replace(now, gapless=self._is_gapless(before, now))

    def _is_gapless(self, before: SeenConversation, now: SeenConversation) -> bool:
        """Whether the newest message came with its conversation. After a press its answer may tell it alone, and
        a guest's message that came in the same second would stand above it unseen.
        """
        if now.newest is None:
            return True
        known = before.gapless and any(m.external_id == now.newest.external_id for m in before.messages)
        tap = self._visit.tap
        return known or tap.told_in_its_thread(now.external_id, now.newest.external_id, self._opened_at_seq)

    def _told(self, external_id: str, start: int) -> SeenConversation | None:
        """What was told after ``start``: None while it is not filled, or is behind what the list says (2.6)."""
        view = self._visit.tap.thread_since(external_id, start)
        if view is None or not wire.is_filled(view):
            return None
        listed = self._visit.known.get(external_id)
        newest = listed.newest if listed else None
        if newest is None or newest.deleted or newest.kind is not MessageKind.TEXT:
            return view  # an opened conversation may leave such messages out
        if view.messages and newest.sent_at > view.messages[-1].sent_at:
            return None
        return view

    async def _open_by_click(self, number: int, external_id: str) -> SeenConversation | None:
        visit, start = self._visit, self._visit.tap.seq
        if thread_in_address(visit.page.url) == number:
            view = await self._still_open(external_id)
            if view is not None or not await self._step_aside(external_id):
                return view
        if not on_inbox_address(visit.page.url) or not await ListOfConversations(visit.page).open_row(number):
            return None
        await visit.tap.wait(lambda: self._told(external_id, start) is not None, self.ANSWER_SEC)
        return self._told(external_id, start)

    async def _still_open(self, external_id: str) -> SeenConversation | None:
        """The page shows it already: if the list names the same newest message, it is current.

        Asks for the list, unless it was told just now.
        """
        visit, tap, start = self._visit, self._visit.tap, self._visit.tap.seq
        left = self._last if self._last and self._last.external_id == external_id else None
        if left is not None and self._is_listed_now(left):
            if not self._brought_up_to_date(left).gapless:
                await tap.all_answered(self.ALONE_SEC)  # the page may be fetching it by itself
            last = self._brought_up_to_date(left)
            if not (last.gapless and self._is_listed_now(left)):
                return None
            self._owes_asking = True
            return last
        if not await visit.try_news():
            return None

        def current() -> SeenConversation | None:
            told = self._told(external_id, start)
            if told is not None or left is None:
                return told
            last = self._brought_up_to_date(left)  # what follows a press may come a moment after its proof
            if last.newest is None or not last.gapless:
                return None
            newest = _listed_newest(tap.lists_since(start), external_id)
            same = newest is not None and newest.fingerprint == last.newest.fingerprint
            return last if same else None

        alone = left is not None and not left.gapless  # fetched at once, or not at all
        await tap.wait(lambda: current() is not None, self.ALONE_SEC if alone else visit.REFRESH_SEC)
        return current()

    def _is_listed_now(self, left: SeenConversation) -> bool:
        """Whether a list that was told just now names the newest message that is known of this conversation.

        Only where the page fetches its list when it is asked: else what is told right before Send could be as old.
        """
        visit = self._visit
        if not visit.comebacks.works or time.monotonic() - visit.list_told_at > self.LISTED_SEC:
            return False
        known = visit.known.get(left.external_id)
        listed = _listed_newest(visit.tap.lists_since(0), left.external_id) or (known and known.newest)
        newest = self._brought_up_to_date(left).newest
        return listed is not None and newest is not None and listed.fingerprint == newest.fingerprint

    async def _step_aside(self, external_id: str) -> bool:
        """Click another conversation, so that a click on this one makes the page fetch it; False if that cannot be.

        As a person does, and much less than a page load. Only one that is read already: opening it changes nothing.
        """
        page = ListOfConversations(self._visit.page)
        read = [c for c in self._visit.known.values() if c.external_id != external_id and not c.unread]
        for other in sorted(read, key=lambda c: c.last_activity_at, reverse=True)[:_ASIDE_TRIES]:
            number = ids.thread_number(other.external_id)
            if number is not None and await page.open_row(number):
                return True
        return False

    async def _open_by_address(self, number: int, external_id: str) -> SeenConversation:
        visit, tap = self._visit, self._visit.tap
        await visit.go(f"{selectors.INBOX_PATH}/{number}")
        start = visit.loaded_at_seq
        await tap.wait(lambda: self._told(external_id, start) is not None, self.ADDRESS_SEC)
        await visit.check_walls()
        if not on_inbox_address(visit.page.url):
            raise PageChanged("the conversation", "the address")
        if thread_in_address(visit.page.url) != number:
            raise PermanentError("The site does not open this conversation.", reason="no_such_conversation")
        view = self._told(external_id, start)
        if view is not None:
            return view
        trouble = tap.trouble_since(start, "The conversation")
        if trouble is not None:
            raise trouble
        if tap.thread_since(external_id, start) is not None:
            raise NotUnderstood("The conversation did not load: its messages did not come.")
        if tap.told_thread_since(start):
            raise PermanentError(
                "The site shows another conversation instead.", reason="no_such_conversation"
            )
        if tap.no_thread_seq > start:
            raise PermanentError("The site has no such conversation.", reason="no_such_conversation")
        if tap.partial_seq > start:
            raise PageChanged("messageData", "the conversation's data")
        raise NotUnderstood("The conversation did not load: its data did not come.")

    async def _load_older(
        self, external_id: str, start: int, view: SeenConversation, enough: Enough
    ) -> SeenConversation:
        tap = self._visit.tap
        while view.has_older and not enough(view):
            count = len(view.messages)
            await OpenConversation(self._visit.page).scroll_up()

            def grew(count: int = count) -> bool:
                told = tap.thread_since(external_id, start)
                return told is not None and len(told.messages) > count

            if not await tap.wait(grew, self.OLDER_SEC):
                logger.warning("Older messages of a conversation did not load; its history has a gap.")
                break
            view = tap.thread_since(external_id, start) or view
        return view

    async def _witness(self, view: SeenConversation) -> dict[str, Any] | None:
        """The page is the second witness: the newest text of the wire must stand there (3.2).

        What the reservation panel shows in this moment; None if it is not there (yet).
        """
        tap = self._visit.tap
        newest = next((m for m in reversed(view.messages) if m.text and not m.deleted), None)
        wanted = str(ids.message_number(newest.external_id)) if newest else None
        deadline = time.monotonic() + self.SHOWN_SEC
        there = False
        while time.monotonic() < deadline:
            shown = await self._visit.look(probes.ITEMS, probes.PANEL)
            items, panel = shown["items"], shown["panel"]
            there = bool(items["list"])
            if there and (wanted is None or wanted in items["ids"]):
                return cast("dict[str, Any] | None", panel)
            seq = tap.seq
            await tap.wait_for_more(seq, 0.05)
        raise PageChanged("the newest message" if there else "the list of messages", "the conversation")

    async def _catch_up(self, external_id: str, shown: int | None) -> bool:
        """If the page shows a newer message than was told, wait for the wire to tell it; whether it had to."""
        if shown is None or not _is_beyond(shown, self.now(external_id)):
            return False
        told = self._visit.tap.wait(
            lambda: not _is_beyond(shown, self.now(external_id)), self._visit.REFRESH_SEC
        )
        if not await told:
            raise TransientError("The page shows a newer message than its data.")
        return True


def _listed_newest(pages: list[wire.ListPage], external_id: str) -> SeenMessage | None:
    """The newest message of a conversation as the last of these stretches of the list that has it tells."""
    for page in reversed(pages):
        for conversation in page.conversations:
            if conversation.external_id == external_id:
                return conversation.newest
    return None


def last_item(items: dict[str, Any]) -> int | None:
    """The number of the last message that the page shows, as a look at its items told; None if there is none."""
    last = items["last"]
    return int(last) if last is not None and last.isdigit() else None


def number_of(external_id: str) -> int:
    """The number in a conversation's id; PermanentError if it is none."""
    number = ids.thread_number(external_id)
    if number is None:
        raise PermanentError("That is not the id of a conversation.", reason="no_such_conversation")
    return number


def _is_beyond(shown: int, view: SeenConversation) -> bool:
    """Whether a message that the page shows is newer than all that was told."""
    told = [ids.message_number(m.external_id) or 0 for m in view.messages]
    return shown not in told and shown > max(told, default=0)
