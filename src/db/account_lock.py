"""One browser for each account across machines: PostgreSQL's advisory lock, on a connection of its own.

For two machines on one PostgreSQL database; file locks know of one machine only (ADR 0047).

The lock lives as long as its connection. If that is lost, the server frees the lock while its holder may still be
at work. Two things keep the next one out meanwhile: the holder looks after its connection every few seconds
(``wanted``) and closes its browser when it is gone; and who takes over from a holder that never said goodbye waits
``GRACE_SEC`` first. (With SQLite everything is on one machine, and file locks do.)
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from src.db import connections
from src.db.engine import Database
from src.errors import TransientError

if TYPE_CHECKING:
    import psycopg

CHECK_SEC = 2.0
"""So often the holder looks after its connection."""
ANSWER_SEC = 5.0
"""How long a check may take before the connection counts as lost."""
GRACE_SEC = 25.0
"""Longer than a look, its answer and the closing of a browser take together."""

_SESSION = (
    "SELECT set_config('statement_timeout', '5s', false),"
    # The server, too, must notice that a machine has gone: by itself it asks after two hours.
    " set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false),"
    " set_config('tcp_keepalives_count', '3', false)"
)
_TAKE = "SELECT pg_try_advisory_lock(%s)"
_IS_TAKEN = (
    "SELECT CASE WHEN pg_try_advisory_lock(%(key)s) THEN NOT pg_advisory_unlock(%(key)s) ELSE true END"
)
_LAST = "SELECT value FROM meta WHERE key = %s"
_NOTE = "INSERT INTO meta (key, value) VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value"
_FORGET = "DELETE FROM meta WHERE key = %s AND value = %s"


class AccountLock:
    """Exclusive for one account of one database. Not through a pooler that changes connections in between.

    All methods block for a moment, at most ``ANSWER_SEC``, and may be called from one thread at a time.
    """

    def __init__(self, db: Database, account: str, holder: str, *, grace: float = GRACE_SEC) -> None:
        """``holder`` names the place of the file locks: two holders of one name exclude each other by those."""
        self._db = db
        self._holder = holder
        self._grace = grace
        self._key, self._next_key = _key("browser", account), _key("next", account)
        self._note = f"browser:{account}"
        self._conn: psycopg.Connection[Any] | None = None
        self._locked = False
        self._in_line = False
        self._free_at = 0.0
        self.held = False

    def try_acquire(self) -> bool:
        """True if it is ours now; else one is in line, first among those who wait. TransientError: no server."""
        if self.held:
            return True
        with self._connected() as conn:
            if not self._locked:
                # Who is in line holds the second lock, so that the holder sees that it is wanted.
                self._in_line = self._in_line or _is_true(conn, _TAKE, self._next_key)
                if not self._in_line or not _is_true(conn, _TAKE, self._key):
                    return False
                self._locked = True
                self._free_at = time.monotonic() + (0.0 if self._left_clean(conn) else self._grace)
            if time.monotonic() < self._free_at:
                return False
            conn.execute(_NOTE, (self._note, self._holder))
            conn.execute("SELECT pg_advisory_unlock(%s)", (self._next_key,))
            self._in_line = False
            self.held = True
        return True

    def wanted(self) -> bool:
        """The holder's look: whether another process waits for it. TransientError: it is lost, stop at once."""
        if not self.held:
            raise TransientError("the lock of the browser was lost")
        with self._connected() as conn:
            row = conn.execute(_IS_TAKEN, {"key": self._next_key}).fetchone()
        return bool(row and row[0])

    def release(self) -> None:
        """Give it back, or leave the line. Never raises."""
        conn, was_held = self._conn, self.held
        if conn is not None:
            with suppress(Exception):  # the next caller waits a moment then
                if was_held:
                    conn.execute(_FORGET, (self._note, self._holder))
                conn.execute("SELECT pg_advisory_unlock_all()")
        self._drop()

    def _left_clean(self, conn: psycopg.Connection[Any]) -> bool:
        row = conn.execute(_LAST, (self._note,)).fetchone()
        return row is None or row[0] == self._holder

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        """The connection; opened if there is none. What goes wrong on it costs the lock."""
        import psycopg  # noqa: PLC0415 - who uses SQLite need not load it

        try:
            if self._conn is None:
                limit = {"tcp_user_timeout": str(round(ANSWER_SEC * 1000))}
                self._conn = connections.connect_raw(self._db.url, limit)
                self._conn.execute(_SESSION)
            yield self._conn
        except psycopg.Error as error:
            self._drop()
            raise TransientError(f"the lock of the browser cannot be held ({type(error).__name__})") from None

    def _drop(self) -> None:
        conn, self._conn = self._conn, None
        self.held = self._locked = self._in_line = False
        if conn is not None:
            with suppress(Exception):
                conn.close()


def _key(name: str, account: str) -> int:
    digest = hashlib.sha256(f"nightporter {name} {account}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _is_true(conn: psycopg.Connection[Any], statement: str, key: int) -> bool:
    row = conn.execute(statement, (key,)).fetchone()
    return bool(row and row[0])
