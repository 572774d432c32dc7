"""who speaks in a conversation, and in which order it was stored, as columns for people who read by SQL"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conversations", sa.Column("user_id", sa.String()))
    op.add_column(
        "queue_outbox", sa.Column("written_by", sa.String(), nullable=False, server_default="assistant")
    )
    for name, kind in (("role", sa.String()), ("agent", sa.String()), ("sequence", sa.Integer())):
        op.add_column("messages", sa.Column(name, kind))
    # SQLite can add only a column that is made when it is read, PostgreSQL below 18 only one that is kept.
    kept = True if op.get_bind().dialect.name == "postgresql" else None
    made = sa.Computed("sent_at", persisted=kept)
    op.add_column("messages", sa.Column("created_at", sa.DateTime(timezone=True), made))
    _fill()
    op.create_index("ix_messages_created", "messages", ["created_at"])
    op.create_index("ix_messages_sequence", "messages", ["conversation_id", "sequence"])


def _fill() -> None:
    op.execute(
        "UPDATE messages SET role = CASE WHEN origin IN ('guest', 'cotraveller') THEN 'user'"
        " WHEN origin = 'assistant' THEN 'assistant' WHEN origin IN ('host', 'team') THEN 'host'"
        " ELSE 'system' END"
    )
    op.execute(
        "UPDATE messages SET agent = (SELECT agent FROM queue_outbox WHERE id = messages.outbox_id)"
        " WHERE outbox_id IS NOT NULL"
    )
    op.execute(
        "UPDATE messages SET agent = (SELECT agent FROM queue_outbox WHERE request_id = messages.request_id"
        " AND agent IS NOT NULL ORDER BY kind, created_at LIMIT 1) WHERE role = 'user' AND request_id IS NOT NULL"
    )
    op.execute(
        "UPDATE messages SET sequence = numbered.place FROM (SELECT id, ROW_NUMBER() OVER"
        " (PARTITION BY conversation_id ORDER BY arrival, sent_at, external_id) AS place FROM messages)"
        " AS numbered WHERE numbered.id = messages.id"
    )
