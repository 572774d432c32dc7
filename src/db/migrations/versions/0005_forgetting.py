"""texts that were taken out"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("messages", sa.Column("purged_at", AT))
    op.add_column("queue_outbox", sa.Column("purged_at", AT))
