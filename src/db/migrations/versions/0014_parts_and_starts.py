"""answers in several parts, and first messages"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("queue_inbox", sa.Column("kind", sa.String(), nullable=False, server_default="message"))
    is_start = sa.text("kind = 'start'")
    op.create_index(
        "uq_queue_inbox_start",
        "queue_inbox",
        ["conversation_id"],
        unique=True,
        sqlite_where=is_start,
        postgresql_where=is_start,
    )
    op.add_column("queue_outbox", sa.Column("group_id", sa.String()))
    op.add_column("queue_outbox", sa.Column("part", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("queue_outbox", sa.Column("parts", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("queue_outbox", sa.Column("typing_from_at", sa.DateTime(timezone=True)))
    in_a_group = sa.text("group_id IS NOT NULL")
    op.create_index(
        "ix_queue_outbox_group",
        "queue_outbox",
        ["group_id", "part"],
        sqlite_where=in_a_group,
        postgresql_where=in_a_group,
    )
