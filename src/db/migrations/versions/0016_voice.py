"""voice messages: where they are, and when they were written down"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("media", sa.String()))
    op.add_column("messages", sa.Column("transcribed_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: keep a copy of it from before the upgrade")
