"""what a person has seen to"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("conversations", sa.Column("seen_to_at", AT))
    op.add_column("conversations", sa.Column("seen_to_until", AT))
