"""visitors of a site's pages: from where each wrote last"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "visitors",
        sa.Column("conversation_id", sa.String(), sa.ForeignKey("conversations.id"), primary_key=True),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("typing_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_visitors_address", "visitors", ["account", "address"])
    op.create_index("ix_visitors_seen", "visitors", ["seen_at"])


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: keep a copy of it from before the upgrade")
