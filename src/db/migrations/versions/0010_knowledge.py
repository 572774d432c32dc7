"""the host's knowledge as it was last read, and the questions that it does not answer"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "documents",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("agent_owner", sa.String(), nullable=False),
        sa.Column("listing_id", sa.String()),
        sa.Column("audience", sa.String(), nullable=False),
        sa.Column("language", sa.String()),
        sa.Column("valid_from", sa.Date()),
        sa.Column("valid_until", sa.Date()),
        sa.Column("reviewed_on", sa.Date()),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("updated_at", AT, nullable=False),
        sa.UniqueConstraint("path", name="uq_documents_path"),
    )
    op.create_table(
        "document_chunks",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("document_id", sa.String(), sa.ForeignKey("documents.id"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("agent_owner", sa.String(), nullable=False),
        sa.Column("listing_id", sa.String()),
        sa.Column("audience", sa.String(), nullable=False),
        sa.Column("language", sa.String()),
        sa.Column("valid_from", sa.Date()),
        sa.Column("valid_until", sa.Date()),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("embedding", sa.LargeBinary()),
        sa.Column("embedding_model", sa.String()),
    )
    op.create_index("ix_document_chunks_document", "document_chunks", ["document_id", "position"])
    op.create_index("ix_document_chunks_hash", "document_chunks", ["content_hash"])
    _missing_facts()


def _missing_facts() -> None:
    op.create_table(
        "missing_facts",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("listing_id", sa.String()),
        sa.Column("topic", sa.String()),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("question_key", sa.String(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("first_asked_at", AT, nullable=False),
        sa.Column("last_asked_at", AT, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("answered_at", AT),
        sa.Column("path", sa.String()),
        sa.UniqueConstraint("question_key", name="uq_missing_facts_question"),
    )
    op.create_index("ix_missing_facts_state", "missing_facts", ["state", "last_asked_at"])
    op.create_table(
        "missing_fact_requests",
        sa.Column("missing_fact_id", sa.String(), sa.ForeignKey("missing_facts.id"), primary_key=True),
        sa.Column("request_id", sa.String(), primary_key=True),
    )
    op.create_index("ix_missing_fact_requests_request_id", "missing_fact_requests", ["request_id"])
