"""What is stored here of an account's conversations, for a channel whose remote keeps none, or is ourselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from src.db import accounts, conversations, outbox_queue, outbox_views, silence
from src.db.engine import Connection, Database
from src.db.wakeup import Wakeup
from src.errors import StaleJob, TransientError
from src.model.inbox import SeenConversation
from src.model.rows import StoredConversation
from src.model.secrets import PLACEHOLDER
from src.model.sending import Delivery, Press, Receipt
from src.model.statuses import OutboxStatus
from src.model.values import ReplyMode
from src.services.intake import LOOKED_AT, Rules, stored_view
from src.services.own_messages import own_id, store_sent


class StoredHere:
    """``Store`` of ``channels/base``, on our own database."""

    def __init__(self, db: Database, account: str, rules: Rules, clock: Callable[[], datetime]) -> None:
        self._db = db
        self._account = account
        self._rules = rules
        self._clock = clock
        self._wakeup = Wakeup(db)

    async def view(self, external_id: str, most: int = LOOKED_AT) -> SeenConversation | None:
        """As the port says."""
        return await asyncio.to_thread(self._view, external_id, most)

    def _view(self, external_id: str, most: int) -> SeenConversation | None:
        with self._db.read() as conn:
            conversation = conversations.by_external_id(conn, self._account, external_id)
            if conversation is None:
                return None
            # First: what is stored between the two is in the view, and the press is refused once for nothing.
            version = _version(conn, conversation.id)
            return replace(stored_view(conn, conversation, self._rules, most), version=version)

    async def put_own(
        self,
        external_id: str,
        press: Press,
        text: str,  # noqa: ARG002 - it is the job's own; what is stored is what stands there
        *,
        over: str | None,
    ) -> Receipt | None:
        """As the port says. The message and its job's end are one transaction, so nothing is ever in doubt."""
        return await asyncio.to_thread(self._put_own, external_id, press, over)

    async def name(self, press: Press, external_id: str) -> None:
        """As the port says."""
        with suppress(StaleJob, TransientError):
            await asyncio.to_thread(self._name, press, external_id)

    def _name(self, press: Press, external_id: str) -> None:
        with self._db.write() as conn:
            outbox_queue.name_message(conn, press.key, None, external_id)

    async def send_instead(self, press: Press, text: str) -> None:
        """As the port says."""
        await asyncio.to_thread(self._send_instead, press, text)

    def _send_instead(self, press: Press, text: str) -> None:
        with self._db.write() as conn:
            outbox_queue.send_instead(conn, press.key, text)

    async def html(self, press: Press) -> str | None:
        """As the port says."""
        return await asyncio.to_thread(self._html, press)

    def _html(self, press: Press) -> str | None:
        with self._db.read() as conn:
            job = outbox_views.get(conn, press.key)
        return job.html if job else None

    async def is_proven(self) -> bool:
        """As the port says."""
        return await asyncio.to_thread(self._is_proven)

    def _is_proven(self) -> bool:
        with self._db.read() as conn:
            state = accounts.find(conn, self._account)
            ended = state.halt_cleared_at if state is not None else None
            return ended is None or silence.told_since(conn, self._account, ended)

    async def told_of(self, press: Press) -> Receipt | None:
        """As the port says."""
        return await asyncio.to_thread(self._told_of, press)

    def _told_of(self, press: Press) -> Receipt | None:
        with self._db.read() as conn:
            job = outbox_views.get(conn, press.key)
        if job is None or job.delivery is None:
            return None
        standing = Delivery(job.delivery)
        if job.receipt_external_id is None and standing is not Delivery.FAILED:
            return None
        return Receipt(job.receipt_external_id or "", job.processed_at, standing, job.delivery_error)

    def _put_own(self, external_id: str, press: Press, over: str | None) -> Receipt | None:
        with suppress(StaleJob), self._db.write() as conn:
            conversation = conversations.by_external_id(conn, self._account, external_id)
            if conversation is None:
                return None
            conversations.lock(conn, conversation.id)
            job = outbox_views.get(conn, press.key)
            if job is None or job.conversation_id != conversation.id:
                return None
            if job.status is OutboxStatus.SENT:
                return Receipt(job.receipt_external_id or own_id(job), job.processed_at, is_settled=True)
            if job.status is not OutboxStatus.PROCESSING or not job.armed:
                return None
            if job.approved_at is None and self._mode(conn, conversation) is ReplyMode.OFF:
                return Receipt("", standing=Delivery.FAILED, held="mode_off")  # a person has taken over
            if _version(conn, conversation.id) != over:
                return None
            if PLACEHOLDER.search(job.text):  # who visits a page has not proven who it is
                return Receipt("", standing=Delivery.FAILED, held="secret_not_due")
            now = self._clock()
            # Of one conversation each message is younger than the one before, whatever a clock does.
            newest = conversations.messages_of(conn, conversation.id, 1)
            at = max([now, *(one.sent_at + timedelta(microseconds=1) for one in newest)])
            receipt = Receipt(own_id(job), at, is_settled=True)
            store_sent(conn, job, receipt, [OutboxStatus.PROCESSING], now)
            self._wakeup.notify_in(conn, "messages")
            return receipt
        return None

    def _mode(self, conn: Connection, conversation: StoredConversation) -> ReplyMode:
        listing = conversation.listing_id
        return accounts.mode_for(conn, self._account, conversation.id, listing, self._rules.default_mode)


def _version(conn: Connection, conversation_id: str) -> str:
    return f"{conversations.last_sequence(conn, conversation_id)}"
