"""first tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _meta()
    _accounts()
    _workers()
    _reply_modes()
    _conversations()
    _queue_inbox()
    _queue_outbox()
    _messages()


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("external_id", sa.String()),
        sa.Column("link_state", sa.String(16), server_default="ok", nullable=False),
        sa.CheckConstraint("link_state IN ('ok', 'halted')", name="link_state"),
        sa.Column("halt_kind", sa.String()),
        sa.Column("halt_detail", sa.String()),
        sa.Column("halt_exit_code", sa.Integer()),
        sa.Column("halt_evidence", sa.String()),
        sa.Column("halted_at", AT),
        sa.Column("paused_at", AT),
        sa.Column("swept_through", AT),
        sa.Column("updated_at", AT, nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )


def _workers() -> None:
    op.create_table(
        "workers",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("process_id", sa.Integer(), nullable=False),
        sa.Column("hostname", sa.String(), nullable=False),
        sa.Column("started_at", AT, nullable=False),
        sa.Column("beat_at", AT, nullable=False),
        sa.Column("last_cycle_at", AT),
        sa.Column("last_duration_ms", sa.Integer()),
        sa.Column("last_outcome", sa.String()),
        sa.Column("cycles", sa.Integer(), nullable=False),
        sa.Column("failures_in_a_row", sa.Integer(), nullable=False),
        sa.Column("stopped_at", AT),
        sa.PrimaryKeyConstraint("account", "worker"),
    )


def _reply_modes() -> None:
    op.create_table(
        "reply_modes",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("scope_id", sa.String(), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.CheckConstraint("mode IN ('auto', 'draft', 'off')", name="reply_mode"),
        sa.Column("updated_at", AT, nullable=False),
        sa.PrimaryKeyConstraint("account", "scope", "scope_id"),
    )


def _conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String()),
        sa.Column("guest_name", sa.String()),
        sa.Column("listing_id", sa.String()),
        sa.Column("stay", sa.Text(), server_default="{}", nullable=False),
        sa.Column("skip_reason", sa.String()),
        sa.Column("newest_fingerprint", sa.String()),
        sa.Column("host_wrote_at", AT),
        sa.Column("last_activity_at", AT),
        sa.Column("seen_at", AT),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("updated_at", AT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account", "external_id", name="uq_conversations_external"),
    )


def _queue_inbox() -> None:
    op.create_table(
        "queue_inbox",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("conversation_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(16), server_default="pending", nullable=False),
        sa.CheckConstraint(
            "status IN ('pending', 'processing', 'waiting', 'answered', 'ignored', 'escalated', 'cancelled',"
            " 'expired', 'failed')",
            name="inbox_status",
        ),
        sa.Column("reason", sa.String()),
        sa.Column("newest_external_id", sa.String(), nullable=False),
        sa.Column("due_at", AT, nullable=False),
        sa.Column("burst_until", AT, nullable=False),
        sa.Column("reply_by", AT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String()),
        sa.Column("claimed_by", sa.String()),
        sa.Column("lease_until", AT),
        sa.Column("accepted_at", AT),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("processed_at", AT),
        sa.CheckConstraint(
            "(status IN ('answered', 'cancelled', 'escalated', 'expired', 'failed', 'ignored'))"
            " = (processed_at IS NOT NULL)",
            name="inbox_final",
        ),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_queue_inbox_conversation", "queue_inbox", ["conversation_id", "created_at"])
    op.create_index("ix_queue_inbox_due", "queue_inbox", ["account", "status", "due_at"])
    op.create_index("ix_queue_inbox_status", "queue_inbox", ["account", "status", "processed_at"])
    op.create_index(
        "uq_queue_inbox_open",
        "queue_inbox",
        ["conversation_id"],
        unique=True,
        sqlite_where=sa.text("status IN ('pending', 'processing', 'waiting')"),
        postgresql_where=sa.text("status IN ('pending', 'processing', 'waiting')"),
    )


def _queue_outbox() -> None:
    op.create_table(
        "queue_outbox",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("conversation_id", sa.String(), nullable=False),
        sa.Column("request_id", sa.String()),
        sa.Column("status", sa.String(16), server_default="pending", nullable=False),
        sa.CheckConstraint(
            "status IN ('draft', 'pending', 'processing', 'sent', 'unconfirmed', 'failed', 'cancelled')",
            name="outbox_status",
        ),
        sa.Column("reason", sa.String()),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=False),
        sa.Column("replaces_id", sa.String()),
        sa.Column("due_at", AT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String()),
        sa.Column("claimed_by", sa.String()),
        sa.Column("lease_until", AT),
        sa.Column("arm_count", sa.Integer(), nullable=False),
        sa.Column("armed_at", AT),
        sa.Column("after_external_id", sa.String()),
        sa.Column("receipt_external_id", sa.String()),
        sa.Column("receipt_text", sa.Text()),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("processed_at", AT),
        sa.CheckConstraint(
            "(status IN ('cancelled', 'failed', 'sent', 'unconfirmed')) = (processed_at IS NOT NULL)",
            name="outbox_final",
        ),
        sa.CheckConstraint(
            "arm_count = 0 OR status IN ('processing', 'sent', 'unconfirmed')", name="outbox_armed_stays_put"
        ),
        sa.CheckConstraint("arm_count = 1 OR status <> 'unconfirmed'", name="outbox_unconfirmed_was_armed"),
        sa.CheckConstraint("(arm_count = 1) = (armed_at IS NOT NULL)", name="outbox_arm"),
        sa.CheckConstraint("arm_count IN (0, 1)", name="outbox_armed_at_most_once"),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"]),
        sa.ForeignKeyConstraint(["replaces_id"], ["queue_outbox.id"]),
        sa.ForeignKeyConstraint(["request_id"], ["queue_inbox.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account", "idempotency_key", name="uq_queue_outbox_idempotency"),
    )
    op.create_index("ix_queue_outbox_account", "queue_outbox", ["account", "created_at"])
    op.create_index("ix_queue_outbox_conversation", "queue_outbox", ["conversation_id", "created_at"])
    op.create_index(
        "ix_queue_outbox_due",
        "queue_outbox",
        ["account", "due_at"],
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_queue_outbox_line",
        "queue_outbox",
        ["conversation_id", "created_at", "id"],
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_queue_outbox_pending",
        "queue_outbox",
        ["account", "created_at", "id"],
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index("ix_queue_outbox_request", "queue_outbox", ["request_id"])
    op.create_index("ix_queue_outbox_replaces", "queue_outbox", ["replaces_id"])
    op.create_index("ix_queue_outbox_status", "queue_outbox", ["account", "status", "processed_at"])
    op.create_index(
        "uq_queue_outbox_one_at_a_time",
        "queue_outbox",
        ["conversation_id"],
        unique=True,
        sqlite_where=sa.text("status = 'processing'"),
        postgresql_where=sa.text("status = 'processing'"),
    )


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("conversation_id", sa.String(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=False),
        sa.Column("direction", sa.String(16), nullable=False),
        sa.CheckConstraint("direction IN ('inbound', 'outbound', 'system')", name="direction"),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("sender_name", sa.String()),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("text", sa.Text()),
        sa.Column("sent_at", AT, nullable=False),
        sa.Column("edited_at", AT),
        sa.Column("deleted_at", AT),
        sa.Column("request_id", sa.String()),
        sa.Column("outbox_id", sa.String()),
        sa.Column("skip_reason", sa.String()),
        sa.Column("seen_at", AT, nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"]),
        sa.ForeignKeyConstraint(["outbox_id"], ["queue_outbox.id"]),
        sa.ForeignKeyConstraint(["request_id"], ["queue_inbox.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account", "external_id", name="uq_messages_external"),
    )
    op.create_index("ix_messages_account", "messages", ["account", "sent_at"])
    op.create_index("ix_messages_conversation", "messages", ["conversation_id", "sent_at"])
    op.create_index("ix_messages_request", "messages", ["request_id"])
    op.create_index("ix_messages_outbox", "messages", ["outbox_id"])
