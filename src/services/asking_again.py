"""A request that a person was to answer is put to the AI once more, because the AI knows more by now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from loguru import logger

from src.db import conversations, inbox_queue, outbox_queue, outbox_views
from src.db.engine import Connection, Database
from src.db.wakeup import Wakeup
from src.errors import StaleJob
from src.model.retry import again_if_stale
from src.model.rows import Job, Request
from src.model.statuses import InboxStatus, OutboxStatus
from src.model.values import HOLDING

_REPLACED = "replaced"
_UNTIL_READ = timedelta(seconds=2)
"""How long another process may take to see what the host has just written into the folder."""
_ANSWERING = frozenset(
    {OutboxStatus.PENDING, OutboxStatus.PROCESSING, OutboxStatus.SENT, OutboxStatus.UNCONFIRMED}
)


def ask_again(db: Database, wakeup: Wakeup, request_ids: Sequence[str], now: datetime) -> list[Request]:
    """Ask the AI again about these requests; returns the new ones. What comes of them obeys the mode.

    Left alone are those that nobody waits for any more: a person has answered or said that no answer is needed, a
    reply is on its way, the guest has written since, or the message is too old. Drafts that waited are replaced.
    Repeatable: what was asked again is not asked a third time.
    """
    asked = []
    for request_id in request_ids:
        new = _ask_one(db, wakeup, request_id, now)
        if new is not None:
            logger.bind(request_id=new.id).info("a request is put to the AI again: it knows more by now")
            asked.append(new)
    return asked


def _ask_one(db: Database, wakeup: Wakeup, request_id: str, now: datetime) -> Request | None:
    def ask() -> Request | None:
        with db.write() as conn:
            new = _anew(conn, request_id, now)
            if new is not None:
                wakeup.notify_in(conn, "inbox")
            return new

    try:
        return again_if_stale(ask, give_up=StaleJob())
    except StaleJob:
        return None  # so much moves there that nobody waits for this answer


def _anew(conn: Connection, request_id: str, now: datetime) -> Request | None:
    old = inbox_queue.get(conn, request_id)
    if old is None or not _still_waits(conn, old, now):
        return None
    jobs = outbox_views.for_request(conn, old.id)
    if any(_answers(job) for job in jobs):
        return None
    carried = conversations.messages_of_request(conn, old.id)
    if not carried or any(message.deleted_at is not None for message in carried):
        return None
    for job in jobs:
        if job.status is OutboxStatus.DRAFT:
            outbox_queue.cancelled(conn, job.id, [OutboxStatus.DRAFT], _REPLACED, now)
    new = inbox_queue.create(
        conn,
        old.account,
        old.conversation_id,
        newest_external_id=old.newest_external_id,
        due_at=now + _UNTIL_READ,
        burst_until=now,
        reply_by=old.reply_by,
        now=now,
    )
    conversations.attach_to_request(conn, [message.id for message in carried], new.id)
    return new


def _still_waits(conn: Connection, request: Request, now: datetime) -> bool:
    if request.status is not InboxStatus.ESCALATED or request.is_too_late(now):
        return False
    newest = inbox_queue.latest_request(conn, request.conversation_id)
    if newest is None or newest.id != request.id:
        return False
    conversation = conversations.get(conn, request.conversation_id)
    since = (conversation.host_wrote_at, conversation.seen_to_at)
    return all(moment is None or moment < request.created_at for moment in since)


def _answers(job: Job) -> bool:
    """Whether this reply is an answer to the guest: a holding text is not, nor is one that still waits."""
    return job.kind != HOLDING and job.status in _ANSWERING
