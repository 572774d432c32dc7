"""What Alembic runs: for ``src/db/migrate.py`` on its connection, or by hand with DATABASE_URL (alembic.ini)."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection

from src.db import connections, database_urls
from src.model.tables import METADATA


def run(conn: Connection) -> None:
    context.configure(
        connection=conn,
        target_metadata=METADATA,
        compare_type=True,
        compare_server_default=True,
        render_as_batch=True,  # SQLite cannot change a column; Alembic rebuilds the table
    )
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    url = database_urls.parse(os.environ.get("DATABASE_URL", "sqlite:///./data/inbox.db"))
    with connections.make_migration_engine(url).begin() as own:
        run(own)
