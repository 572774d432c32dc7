"""what a person had read when writing a reply here"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("queue_outbox", sa.Column("written_after", sa.Integer()))
