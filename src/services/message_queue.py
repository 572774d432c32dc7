"""A look at the queue of replies, for people and scripts.

From the root of the repository::

    from src.services.message_queue import MessageQueue
    print(len(MessageQueue.dequeue_send(limit=10)))

Everything is imported when it is needed, so that the import costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from src.model.rows import Job


class MessageQueue:
    """The outbox as one can look at it from outside. The workers claim through ``src/db/outbox_queue.py``."""

    @staticmethod
    def dequeue_send(limit: int = 10) -> list[Job]:
        """The next due pending jobs, oldest first, at most ``limit``. Claims nothing, changes nothing.

        Empty if the SQLite file does not exist yet. SettingsError if DATABASE_URL is wrong or out of reach.
        """
        from datetime import UTC, datetime  # noqa: PLC0415

        from src.db import database_urls, outbox_views  # noqa: PLC0415
        from src.db.engine import Database  # noqa: PLC0415
        from src.settings import load_settings  # noqa: PLC0415

        settings = load_settings()
        url = settings.database_url.get_secret_value()
        path = database_urls.sqlite_path(database_urls.parse(url))
        if path is not None and not path.exists():
            return []  # looking must not make a database
        db = Database.open(url)
        try:
            with db.read() as conn:
                now, names = datetime.now(UTC), [account.name for account in settings.accounts]
                found = [job for name in names for job in outbox_views.peek_due(conn, name, limit, now)]
                return sorted(found, key=lambda job: (job.created_at, job.id))[:limit]
        finally:
            db.close()
