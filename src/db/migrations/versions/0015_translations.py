"""texts in the host's language, for the host alone"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "translations",
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_translations_subject", "translations", ["subject"])
    op.create_index("ix_translations_said", "translations", ["said_at"])


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: keep a copy of it from before the upgrade")
