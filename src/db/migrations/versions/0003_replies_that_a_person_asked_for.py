"""replies that a person asked for"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Of a reply that is there already nobody knows any more who wanted it: it counts as automatic.
    op.add_column("queue_outbox", sa.Column("approved_at", sa.DateTime(timezone=True)))
