"""Wake-ups through PostgreSQL: NOTIFY on one channel, the payload says for whom: ``outbox 4f1c…``."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, text

from src.db import connections

if TYPE_CHECKING:
    import psycopg

CHANNEL = "nightporter"


def notify(conn: Connection, topic: str, process: str) -> None:
    """Wake the listeners of the topic in other processes, when the transaction is committed."""
    conn.execute(
        text("SELECT pg_notify(:channel, :note)"), {"channel": CHANNEL, "note": f"{topic} {process}"}
    )


class Listener:
    """A connection that only listens. The address was proven (``connection_proof``)."""

    def __init__(self, conn: psycopg.Connection[Any], topics: Collection[str], process: str) -> None:
        self._conn = conn
        self._topics = frozenset(topics)
        self._process = process

    @classmethod
    def open(cls, url: URL, topics: Collection[str], process: str) -> Listener:
        """Connect and listen. Blocks for as long as the server takes. psycopg.Error if that is impossible."""
        conn = connections.connect_raw(url)
        try:
            conn.execute(f"LISTEN {CHANNEL}")
        except BaseException:
            conn.close()
            raise
        return cls(conn, topics, process)

    def fileno(self) -> int:
        return self._conn.fileno()

    def drain(self) -> bool:
        """Take every note that has arrived; True if one was for us. Does not block. psycopg.Error if it is lost."""
        wire = self._conn.pgconn
        wire.consume_input()
        some = False
        while (note := wire.notifies()) is not None:
            topic, _, process = note.extra.decode().partition(" ")
            some = some or (topic in self._topics and process != self._process)
        return some

    def close(self) -> None:
        self._conn.close()
