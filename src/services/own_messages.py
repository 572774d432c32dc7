"""Our own reply, once the remote has it: stored as a message, the job sent. One transaction, the caller's."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from src.db import conversations, outbox_queue
from src.db.engine import Connection
from src.model.inbox import AuthorRole, MessageKind, SeenMessage
from src.model.rows import Job
from src.model.sending import Receipt
from src.model.statuses import OutboxStatus
from src.model.values import Direction


def own_id(job: Job) -> str:
    """The id of the message that a job becomes where we make it ourselves: always the same for one job."""
    return f"reply-{job.id}"


def store_sent(
    conn: Connection,
    job: Job,
    receipt: Receipt,
    from_statuses: Collection[OutboxStatus],
    now: datetime,
    *,
    owner: str | None = None,
) -> Job:
    """Our message is stored with its id, so that nobody takes it for a person's when it is read.

    StaleJob, and the transaction is to be given up, if the job is in no such status or not this owner's.
    """
    store_own(conn, job, receipt, now)
    return outbox_queue.sent(
        conn,
        job.id,
        from_statuses,
        receipt.external_id,
        job.receipt_text,
        now,
        delivery=receipt.standing,
        owner=owner,
    )


def store_own(conn: Connection, job: Job, receipt: Receipt, now: datetime) -> None:
    """The message alone; the job is the caller's, in the same transaction."""
    message = SeenMessage(
        external_id=receipt.external_id,
        author_id=None,
        author_name=None,
        role=AuthorRole.HOST,
        kind=MessageKind.TEXT,
        detail="receipt",
        text=job.receipt_text or job.text,
        sent_at=receipt.sent_at or now,
    )
    conversations.lock(conn, job.conversation_id)
    ours = conversations.insert_message(
        conn,
        job.account,
        job.conversation_id,
        message,
        direction=Direction.OUTBOUND,
        origin="assistant",
        skip_reason=None,
        arrival=conversations.next_arrival(conn, job.conversation_id),
        now=now,
    )
    conversations.attach_receipt(conn, ours.id, job)
