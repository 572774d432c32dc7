"""SYNC: one look at the inbox, and everything that is new taken in.

Only conversations whose newest message changed are touched, and only those are opened in which there may be
something to answer: opening marks a conversation as read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from loguru import logger

from src.channels.base import CatchesUp, Watches
from src.db import accounts, conversations, outbox_views, silence
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.errors import ChannelGone, PermanentError, TransientError
from src.model.gate import conversation_refusal
from src.model.inbox import HOST_SIDE, InboxGlance, MessageKind, SeenConversation, reaches_known
from src.model.retry import again_if_stale
from src.services.intake import Intake, Rules, check_viewer, take_in_now, take_view, tell

_OVERLAP = timedelta(minutes=10)
"""The list is read again this far behind the last complete look; the site's clock need not be ours."""

FAILURES_OF_ONE = 5
"""After this many failed readings a conversation counts as one that cannot be opened."""


@dataclass(slots=True)
class SyncReport:
    """What one cycle did."""

    conversations: int = 0
    changed: int = 0
    opened: int = 0
    new_messages: int = 0
    queued: int = 0
    failures: list[TransientError] = field(default_factory=list)

    def words(self) -> str:
        """One short line for the log."""
        return f"{self.changed} changed, {self.opened} opened, {self.new_messages} new, {self.queued} queued"


async def no_yield() -> None:
    """The default between two steps: no other worker wants the page."""


class Sync:
    """The SYNC step of one account. ``run_once`` may be repeated at any time: it takes in only what is new."""

    def __init__(
        self,
        db: Database,
        *,
        account: str,
        rules: Rules,
        wakeup: Wakeup,
        clock: Callable[[], datetime],
    ) -> None:
        self._db = db
        self._account = account
        self._rules = rules
        self._wakeup = wakeup
        self._clock = clock
        self._thorough = True
        self._failed: dict[str, int] = {}

    async def run_once(
        self,
        channel: Watches,
        yield_turn: Callable[[], Awaitable[None]] = no_yield,
        keep_going: Callable[[], bool] = lambda: True,
    ) -> SyncReport:
        """One cycle. Raises what the port raises; a single conversation that fails is left for the next cycle.

        ``yield_turn`` is awaited between two conversations, so that a reply need not wait for a long cycle; when
        ``keep_going()`` is false the cycle ends early, and what it did not reach is read by the next one.
        """
        since = await asyncio.to_thread(self._read_back_to)
        glance = await channel.glance(since, thorough=self._thorough)
        changed, swept = await asyncio.to_thread(self._compared, glance)
        report = SyncReport(conversations=len(glance.conversations), changed=len(changed))
        for listed in sorted(changed, key=lambda c: c.last_activity_at):
            if not keep_going():
                return report
            await self._take(channel, listed, report)
            await yield_turn()
        if report.failures and not report.opened:
            raise report.failures[0]
        self._thorough = self._thorough and not glance.complete
        if glance.complete and not report.failures:
            newest = max((c.last_activity_at for c in glance.conversations), default=None)
            if newest is not None and (swept is None or newest > swept):
                await asyncio.to_thread(self._note_complete, newest)
        return report

    async def catch_up(self, channel: CatchesUp) -> SyncReport:
        """Of a channel that is told of messages: take in what nobody was told, if it can be fetched. Repeatable.

        Nothing from before the first message that was ever heard of: that is history.
        """
        since = await asyncio.to_thread(self._heard_until)
        views = await channel.missed(since - _OVERLAP) if since is not None else ()
        personal = channel.capabilities.ids_are_personal
        report = SyncReport(changed=len(views))
        for view in views:
            intake = await asyncio.to_thread(self._take_told, view)
            report.new_messages += intake.new_guest_messages
            report.queued += intake.queued is not None
            tell(intake, self._wakeup, personal_ids=personal)
        return report

    def _heard_until(self) -> datetime | None:
        with self._db.read() as conn:
            newest = silence.newest_message(conn, self._account)
        return newest and max(newest, self._clock() - self._rules.max_age)

    def _take_told(self, view: SeenConversation) -> Intake:
        def take() -> Intake:
            with self._db.write() as conn:
                return take_view(conn, self._account, view, rules=self._rules, clock=self._clock)

        return again_if_stale(take)

    def _read_back_to(self) -> datetime:
        oldest = self._clock() - self._rules.max_age
        with self._db.read() as conn:
            swept = accounts.get(conn, self._account).swept_through
            unproven = outbox_views.unproven_since(conn, self._account, oldest)
        if swept is None or self._thorough:
            return oldest
        # A reply that the site shows late stands where it was pressed, which the list may have left behind.
        return max(oldest, min(swept, unproven or swept) - _OVERLAP)

    def _compared(self, glance: InboxGlance) -> tuple[list[SeenConversation], datetime | None]:
        """The listed conversations that changed since they were taken in, and how far the last complete look came.

        One read transaction, and no write where nothing is new: this is all that an idle cycle asks the database.
        """
        with self._db.read() as conn:
            state = accounts.get(conn, self._account)
            listed = [c.external_id for c in glance.conversations]
            taken_in = conversations.fingerprints(conn, self._account, listed)
        if state.external_id != glance.viewer_id:
            with self._db.write() as conn:
                check_viewer(conn, self._account, glance.viewer_id, self._clock())
        if state.bell != glance.bell:
            with self._db.write() as conn:
                accounts.set_bell(conn, self._account, glance.bell, self._clock())
        changed = [
            c
            for c in glance.conversations
            if (c.newest or c.started_at) and taken_in.get(c.external_id) != c.fingerprint
        ]
        return changed, state.swept_through

    async def _take(self, channel: Watches, listed: SeenConversation, report: SyncReport) -> None:
        view, unopenable = listed, False
        if not listed.opened and await asyncio.to_thread(self._must_open, listed):
            known = await asyncio.to_thread(self._known_ids, listed.external_id)
            oldest = self._clock() - self._rules.max_age
            try:
                view = await channel.read(
                    listed.external_id, enough=lambda v: reaches_known(v, known, oldest)
                )
                report.opened += 1
            except PermanentError as error:
                logger.warning("A conversation of the list cannot be opened: {}", error.reason)
                unopenable = True
            except TransientError as error:
                if isinstance(error, ChannelGone):
                    raise
                logger.warning("A conversation could not be read this time: {}", error)
                report.failures.append(error)
                self._failed[listed.external_id] = self._failed.get(listed.external_id, 0) + 1
                if self._failed[listed.external_id] < FAILURES_OF_ONE:
                    return
                unopenable = True  # only this conversation keeps failing: leave it to a person
        self._failed.pop(listed.external_id, None)
        intake = await asyncio.to_thread(self._store, listed, view, unopenable)
        report.new_messages += intake.new_guest_messages
        report.queued += intake.queued is not None
        tell(intake, self._wakeup)

    def _must_open(self, listed: SeenConversation) -> bool:
        """Whether there may be something to answer that the list does not show."""
        newest = listed.newest
        if newest is None or conversation_refusal(listed) is not None:
            return False
        if self._clock() - listed.last_activity_at > self._rules.max_age:
            return False
        answered = newest.role in HOST_SIDE and newest.kind is MessageKind.TEXT and not newest.deleted
        return not answered or self._hides_something(listed)

    def _hides_something(self, listed: SeenConversation) -> bool:
        """The host's side wrote last, but what matters may stand above it, where the list does not show it:
        a reply that is not proven yet, or a guest's message that crossed our own reply.
        """
        with self._db.read() as conn:
            conversation = conversations.by_external_id(conn, self._account, listed.external_id)
            if conversation is None or listed.newest is None:
                return False
            if outbox_views.awaiting_proof(conn, conversation.id):
                return True
            stored = conversations.message_by_external_id(conn, self._account, listed.newest.external_id)
            return stored is not None and stored.outbox_id is not None

    def _known_ids(self, external_id: str) -> set[str]:
        with self._db.read() as conn:
            conversation = conversations.by_external_id(conn, self._account, external_id)
            return conversations.known_external_ids(conn, conversation.id) if conversation else set()

    def _store(self, listed: SeenConversation, view: SeenConversation, unopenable: bool) -> Intake:
        return take_in_now(
            self._db,
            self._account,
            view,
            rules=self._rules,
            now=self._clock(),
            # As the list names it: the next look compares lists. The opened view may leave out what the list shows.
            fingerprint=listed.fingerprint,
            cannot_be_opened=unopenable,
        )

    def _note_complete(self, newest: datetime) -> None:
        with self._db.write(durable=False) as conn:  # without it a little more is read again
            accounts.set_swept_through(conn, self._account, min(newest, self._clock()), self._clock())
