"""The tables: keys, links, indexes, checks and defaults. Their columns are the fields of the rows (``model/rows``).

They are in SQLModel's metadata, for programs that map classes onto them. Migrations are compared with these.
The statements need the columns alone (``src/db/statements.py``): SQLModel takes as long to load as a short
command may last.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    DefaultClause,
    Index,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy import ForeignKeyConstraint as Link
from sqlmodel import SQLModel

from src.model import rows
from src.model.columns import Generated, UtcDateTime, columns_of, partial_index
from src.model.statuses import FINAL_INBOX, FINAL_OUTBOX
from src.model.values import ANSWER, ASSISTANT, MESSAGE, OPEN_INBOX_SQL, one_of

METADATA = SQLModel.metadata


def _declare(
    name: str,
    row: type,
    *rules: Any,
    key: Collection[str] = ("id",),
    long: Collection[str] = (),
    defaults: Mapping[str, str] | None = None,
) -> None:
    """A table with a column for each field of ``row``, which is null where the field may be None.

    ``long``: texts without a bound. ``defaults``: what the database fills in.
    """
    columns = columns_of(row)
    for column in columns:
        if column.key in long:
            column.type = Text()
        if defaults and column.key in defaults:
            column.server_default = DefaultClause(defaults[column.key])
    Table(name, METADATA, *columns, PrimaryKeyConstraint(*key), *rules)


Table("meta", METADATA, Column("key", String, primary_key=True), Column("value", String, nullable=False))
_declare("accounts", rows.AccountState, key=["account"], defaults={"link_state": "ok"})
_declare("workers", rows.WorkerBeat, key=["account", "worker"])
_declare("reply_modes", rows.Rule, key=["account", "scope", "scope_id"])
_declare(
    "incidents",
    rows.StoredIncident,
    partial_index("uq_incidents_open", "account", "kind", "subject", where="closed_at IS NULL", unique=True),
    partial_index("ix_incidents_to_tell", "account", "tell_at", where="tell_at IS NOT NULL"),
)
_declare(
    "conversations",
    rows.StoredConversation,
    UniqueConstraint("account", "external_id", name="uq_conversations_external"),
    Index("ix_conversations_activity", "account", "last_activity_at", "id"),
    Index("ix_conversations_listing", "account", "listing_id"),
    long=["stay"],
    defaults={"stay": "{}"},
)
_declare(
    "messages",
    rows.StoredMessage,
    # The same as sent_at, for queries of people who expect this name.
    Column("created_at", UtcDateTime, Generated("sent_at")),
    Link(["conversation_id"], ["conversations.id"]),
    Link(["request_id"], ["queue_inbox.id"]),
    Link(["outbox_id"], ["queue_outbox.id"]),
    UniqueConstraint("account", "external_id", name="uq_messages_external"),
    Index("ix_messages_conversation", "conversation_id", "sent_at"),
    Index("ix_messages_request", "request_id"),
    Index("ix_messages_outbox", "outbox_id"),
    Index("ix_messages_account", "account", "sent_at"),
    Index("ix_messages_created", "created_at"),
    Index("ix_messages_sequence", "conversation_id", "sequence"),
    long=["text"],
    defaults={"arrival": "0"},
)
_declare(
    "visitors",
    rows.StoredVisitor,
    Link(["conversation_id"], ["conversations.id"]),
    Index("ix_visitors_address", "account", "address"),
    Index("ix_visitors_seen", "seen_at"),
    key=["conversation_id"],
)
_declare(
    "queue_inbox",
    rows.Request,
    Link(["conversation_id"], ["conversations.id"]),
    CheckConstraint(f"({one_of('status', FINAL_INBOX)}) = (processed_at IS NOT NULL)", name="inbox_final"),
    partial_index("uq_queue_inbox_open", "conversation_id", where=OPEN_INBOX_SQL, unique=True),
    # A first message is asked for once in a conversation's life.
    partial_index("uq_queue_inbox_start", "conversation_id", where="kind = 'start'", unique=True),
    Index("ix_queue_inbox_due", "account", "status", "due_at"),
    Index("ix_queue_inbox_status", "account", "status", "processed_at"),
    Index("ix_queue_inbox_conversation", "conversation_id", "created_at"),
    defaults={"status": "pending", "kind": MESSAGE},
)
_declare(
    "queue_outbox",
    rows.Job,
    Link(["conversation_id"], ["conversations.id"]),
    Link(["request_id"], ["queue_inbox.id"]),
    Link(["replaces_id"], ["queue_outbox.id"]),
    CheckConstraint(f"({one_of('status', FINAL_OUTBOX)}) = (processed_at IS NOT NULL)", name="outbox_final"),
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
    partial_index("ix_queue_outbox_line", "conversation_id", "created_at", "id", where="status = 'pending'"),
    Index("ix_queue_outbox_status", "account", "status", "processed_at"),
    Index("ix_queue_outbox_account", "account", "created_at"),
    Index("ix_queue_outbox_conversation", "conversation_id", "created_at"),
    Index("ix_queue_outbox_request", "request_id"),
    partial_index("ix_queue_outbox_group", "group_id", "part", where="group_id IS NOT NULL"),
    Index("ix_queue_outbox_replaces", "replaces_id"),
    long=["text", "html", "sources", "drafted_text", "receipt_text"],
    defaults={"status": "pending", "kind": ANSWER, "written_by": ASSISTANT, "part": "1", "parts": "1"},
)
_declare(
    "assistant_runs",
    rows.AssistantRun,
    partial_index("uq_assistant_runs_live", "request_id", where="kind = 'live'", unique=True),
    Index("ix_assistant_runs_account", "account", "created_at"),
    Index("ix_assistant_runs_created", "created_at"),
    Index("ix_assistant_runs_conversation", "conversation_id", "created_at"),
    partial_index("ix_assistant_runs_kept", "account", "created_at", where="payload IS NOT NULL"),
    long=["steps", "sources", "payload"],
    defaults={"steps": "[]", "sources": "[]"},
)
_declare("documents", rows.StoredDocument, UniqueConstraint("path", name="uq_documents_path"))
_declare(
    "document_chunks",
    rows.StoredChunk,
    Link(["document_id"], ["documents.id"]),
    Index("ix_document_chunks_document", "document_id", "position"),
    Index("ix_document_chunks_hash", "content_hash"),
    long=["content"],
)
_declare(
    "missing_facts",
    rows.MissingFact,
    UniqueConstraint("question_key", name="uq_missing_facts_question"),
    Index("ix_missing_facts_state", "state", "last_asked_at"),
    long=["question"],
)
_declare(
    "missing_fact_requests",
    rows.MissingFactRequest,
    Link(["missing_fact_id"], ["missing_facts.id"]),
    Index("ix_missing_fact_requests_request_id", "request_id"),
    key=["missing_fact_id", "request_id"],
)
_declare(
    "translations",
    rows.StoredTranslation,
    Index("ix_translations_subject", "subject"),
    Index("ix_translations_said", "said_at"),
    key=["key"],
    long=["text"],
)
_declare(
    "assistant_autonomy",
    rows.TopicRecord,
    key=["account", "listing_id", "topic", "stage"],
    defaults={"level": "draft"},
)
