"""the channel of an account"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("channel", sa.String()))
    # Until now there was one channel.
    op.execute("UPDATE accounts SET channel = 'airbnb'")
