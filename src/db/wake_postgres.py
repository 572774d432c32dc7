"""Wake-ups through PostgreSQL: NOTIFY on one channel, the payload says for whom: ``outbox 4f1c…``."""

from __future__ import annotations

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

    def __init__(self, conn: psycopg.Connection[Any], process: str) -> None:
        self._conn = conn
        self._process = process

    @classmethod
    def open(cls, url: URL, process: str) -> Listener:
        """Connect and listen. Blocks for as long as the server takes. psycopg.Error if that is impossible."""
        conn = connections.connect_raw(url)
        try:
            conn.execute(f"LISTEN {CHANNEL}")
        except BaseException:
            conn.close()
            raise
        return cls(conn, process)

    def fileno(self) -> int:
        return self._conn.fileno()

    def drain(self) -> set[str]:
        """Take all notes of other processes: the topics. Does not block. psycopg.Error if it is lost."""
        wire = self._conn.pgconn
        wire.consume_input()
        topics = set[str]()
        while (note := wire.notifies()) is not None:
            topic, _, process = note.extra.decode().partition(" ")
            if process != self._process:
                topics.add(topic)
        return topics

    def close(self) -> None:
        self._conn.close()
