"""how the built-in assistant came to a decision; what an AI says of its answer; holding texts"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("queue_inbox", sa.Column("hard_class", sa.String()))
    op.add_column("queue_outbox", sa.Column("kind", sa.String(), nullable=False, server_default="answer"))
    op.add_column("queue_outbox", sa.Column("agent", sa.String()))
    op.add_column("queue_outbox", sa.Column("topic", sa.String()))
    op.add_column("queue_outbox", sa.Column("confidence", sa.Float()))
    op.add_column("queue_outbox", sa.Column("sources", sa.Text()))
    _runs()


def _runs() -> None:
    op.create_table(
        "assistant_runs",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("request_id", sa.String()),
        sa.Column("conversation_id", sa.String()),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("action", sa.String()),
        sa.Column("class", sa.String()),
        sa.Column("reason", sa.String()),
        sa.Column("hold", sa.String()),
        sa.Column("agent", sa.String()),
        sa.Column("topic", sa.String()),
        sa.Column("language", sa.String()),
        sa.Column("confidence", sa.Float()),
        sa.Column("prompt_version", sa.String()),
        sa.Column("steps", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("sources", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("completion_tokens", sa.Integer(), nullable=False),
        sa.Column("cost", sa.Float()),
        sa.Column("payload", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
    )
    live, kept = sa.text("kind = 'live'"), sa.text("payload IS NOT NULL")
    op.create_index(
        "uq_assistant_runs_live",
        "assistant_runs",
        ["request_id"],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )
    op.create_index("ix_assistant_runs_account", "assistant_runs", ["account", "created_at"])
    op.create_index("ix_assistant_runs_conversation", "assistant_runs", ["conversation_id", "created_at"])
    op.create_index(
        "ix_assistant_runs_kept",
        "assistant_runs",
        ["account", "created_at"],
        sqlite_where=kept,
        postgresql_where=kept,
    )
