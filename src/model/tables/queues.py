"""The tables of the two queues: requests to the AI, and replies to guests."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Column, Index, String, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from src.model.columns import UtcDateTime, enum_of, partial_index
from src.model.statuses import FINAL_INBOX, FINAL_OUTBOX, InboxStatus, OutboxStatus
from src.model.values import (
    ANSWER,
    ASSISTANT,
    DEFAULT_ACCOUNT,
    MESSAGE,
    OPEN_INBOX_SQL,
    new_id,
    one_of,
    utc_now,
)


class InboxRequest(SQLModel, table=True):
    """One request to the AI: a guest's message, or burst of messages, on its way. ``id`` is the request id."""

    __tablename__ = "queue_inbox"
    __table_args__ = (
        CheckConstraint(
            f"({one_of('status', FINAL_INBOX)}) = (processed_at IS NOT NULL)", name="inbox_final"
        ),
        partial_index("uq_queue_inbox_open", "conversation_id", where=OPEN_INBOX_SQL, unique=True),
        # A first message is asked for once in a conversation's life.
        partial_index("uq_queue_inbox_start", "conversation_id", where="kind = 'start'", unique=True),
        Index("ix_queue_inbox_due", "account", "status", "due_at"),
        Index("ix_queue_inbox_status", "account", "status", "processed_at"),
        Index("ix_queue_inbox_conversation", "conversation_id", "created_at"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    account: str = DEFAULT_ACCOUNT
    conversation_id: str = Field(foreign_key="conversations.id")
    status: InboxStatus = Field(
        default=InboxStatus.PENDING,
        sa_column=Column(enum_of(InboxStatus, "inbox_status"), nullable=False, server_default="pending"),
    )
    kind: str = Field(default=MESSAGE, sa_column=Column(String, nullable=False, server_default=MESSAGE))
    """``message``: somebody wrote; ``start``: nobody did yet, and the AI is to write the first message."""
    reason: str | None = None
    hard_class: str | None = None
    """What it is about, where the AI handed it over because of that (refund, safety, …)."""
    newest_external_id: str
    """The newest guest message in it: the one that the reply answers. Empty for a ``start``."""
    due_at: datetime = Field(sa_type=UtcDateTime)
    """Not posted before: end of the burst, of the host's pause, or of the back-off."""
    burst_until: datetime = Field(sa_type=UtcDateTime)
    """A message later than this does not move ``due_at`` any more (GROUPING_MAX_SEC)."""
    reply_by: datetime = Field(sa_type=UtcDateTime)
    """After this an answer is of no use."""
    attempts: int = 0
    last_error: str | None = None
    claimed_by: str | None = None
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    accepted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    processed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class OutboxJob(SQLModel, table=True):
    """One reply on its way to the guest. At most one arm, hence at most one press of Send, in a job's life."""

    __tablename__ = "queue_outbox"
    __table_args__ = (
        CheckConstraint(
            f"({one_of('status', FINAL_OUTBOX)}) = (processed_at IS NOT NULL)", name="outbox_final"
        ),
        CheckConstraint("arm_count IN (0, 1)", name="outbox_armed_at_most_once"),
        CheckConstraint("(arm_count = 1) = (armed_at IS NOT NULL)", name="outbox_arm"),
        # Once Send may have been pressed, no status from which it could be pressed (again) is reachable.
        CheckConstraint(
            "arm_count = 0 OR status IN ('processing', 'sent', 'unconfirmed')", name="outbox_armed_stays_put"
        ),
        CheckConstraint("arm_count = 1 OR status <> 'unconfirmed'", name="outbox_unconfirmed_was_armed"),
        UniqueConstraint("account", "idempotency_key", name="uq_queue_outbox_idempotency"),
        partial_index(
            "uq_queue_outbox_one_at_a_time", "conversation_id", where="status = 'processing'", unique=True
        ),
        partial_index("ix_queue_outbox_pending", "account", "created_at", "id", where="status = 'pending'"),
        partial_index("ix_queue_outbox_due", "account", "due_at", where="status = 'pending'"),
        partial_index(
            "ix_queue_outbox_line", "conversation_id", "created_at", "id", where="status = 'pending'"
        ),
        Index("ix_queue_outbox_status", "account", "status", "processed_at"),
        Index("ix_queue_outbox_account", "account", "created_at"),
        Index("ix_queue_outbox_conversation", "conversation_id", "created_at"),
        Index("ix_queue_outbox_request", "request_id"),
        partial_index("ix_queue_outbox_group", "group_id", "part", where="group_id IS NOT NULL"),
        Index("ix_queue_outbox_replaces", "replaces_id"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    account: str = DEFAULT_ACCOUNT
    conversation_id: str = Field(foreign_key="conversations.id")
    request_id: str | None = Field(default=None, foreign_key="queue_inbox.id")
    status: OutboxStatus = Field(
        default=OutboxStatus.PENDING,
        sa_column=Column(enum_of(OutboxStatus, "outbox_status"), nullable=False, server_default="pending"),
    )
    reason: str | None = None
    text: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(default=ANSWER, sa_column=Column(String, nullable=False, server_default=ANSWER))
    """``answer``; or ``holding``: says only that the message has arrived, while a person is asked."""
    written_by: str = Field(
        default=ASSISTANT, sa_column=Column(String, nullable=False, server_default=ASSISTANT)
    )
    """``assistant``; or ``person``: somebody of our side wrote it here instead of the AI."""
    group_id: str | None = None
    """The same for all parts of an answer that goes out as several messages; null where it is one message."""
    part: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    """Which of the ``parts`` it is, counted from 1. Each goes out when the one before is there."""
    parts: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    typing_from_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """From then until ``due_at`` the person is shown that somebody types, where the remote can show it."""
    agent: str | None = None
    """Which voice of the AI wrote it, as the AI says."""
    topic: str | None = None
    confidence: float | None = None
    """0 to 1, as the AI says."""
    sources: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    """JSON: a list of ``{title, id}``, what the AI's answer rests on."""
    drafted_text: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    """What the AI wrote, where a person has changed it before the approval; else null."""
    idempotency_key: str
    replaces_id: str | None = Field(default=None, foreign_key="queue_outbox.id")
    """The job that a person asked to send again."""
    due_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    attempts: int = 0
    last_error: str | None = None
    claimed_by: str | None = None
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    arm_count: int = 0
    armed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    after_external_id: str | None = None
    """The newest message when Send was armed: our message is looked for only after it."""
    receipt_external_id: str | None = None
    """The message that our reply became on the site."""
    receipt_text: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    """The text as the site shows it, when it differs from ``text``."""
    delivery: str | None = None
    """What became of it at the remote, where the remote says it (``Delivery`` in ``model/sending.py``)."""
    delivery_error: str | None = None
    """Why it could not be delivered, by the remote's own code."""
    purged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """The text was taken out (``purge``, ``forget``) and is empty since."""
    approved_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """A person wants it sent (approved, retried, sent again): the caps on automatic replies do not hold for it."""
    judged: str | None = None
    """What a person made of the AI's draft: unchanged, edited, rewritten or rejected (``model/autonomy.py``)."""
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    processed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
