"""what the remote says of a reply, in which look a message was first seen, a confirmed disclosure"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("queue_outbox", sa.Column("delivery", sa.String()))
    op.add_column("queue_outbox", sa.Column("delivery_error", sa.String()))
    op.add_column("messages", sa.Column("arrival", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("accounts", sa.Column("disclosed_at", sa.DateTime(timezone=True)))
