"""what persons made of drafts, and which topics may go out by themselves"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("queue_outbox", sa.Column("judged", sa.String()))
    counts = ("unchanged", "edited", "rewritten", "rejected", "in_a_row")
    op.create_table(
        "assistant_autonomy",
        *(
            sa.Column(key, sa.String(), primary_key=True)
            for key in ("account", "listing_id", "topic", "stage")
        ),
        sa.Column("level", sa.String(), nullable=False, server_default="draft"),
        sa.Column("reason", sa.String()),
        *(sa.Column(count, sa.Integer(), nullable=False) for count in counts),
        sa.Column("in_a_row_since", sa.DateTime(timezone=True)),
        sa.Column("conversations", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
