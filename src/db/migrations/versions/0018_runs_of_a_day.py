"""assistant_runs by time alone: the day's tokens are those of all accounts"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_assistant_runs_created", "assistant_runs", ["created_at"])


def downgrade() -> None:
    raise NotImplementedError("a database is not taken back: keep a copy of it from before the upgrade")
