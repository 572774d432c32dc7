"""what the dashboard shows: rows seen by a look, the AI's text of an edited draft, conversations in their order"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("rows_seen", sa.Integer()))
    op.add_column("queue_outbox", sa.Column("drafted_text", sa.Text()))
    op.create_index("ix_conversations_activity", "conversations", ["account", "last_activity_at", "id"])
    op.create_index("ix_conversations_listing", "conversations", ["account", "listing_id"])
