"""Which process serves which account, where several processes share a PostgreSQL database.

One connection for all accounts of a process, with an advisory lock for each that it serves. The server frees them
when the process ends, however it ends; a waiting process then takes them. (That nobody else drives the inbox at a
press is a lock of its own, ``account_lock.py``: this one says who is to work at all.)
"""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from src.db import connections
from src.db.account_lock import ANSWER_SEC
from src.db.engine import Database
from src.errors import TransientError

if TYPE_CHECKING:
    import psycopg

_SESSION = (
    "SELECT set_config('statement_timeout', '5s', false),"
    # A machine that has gone must be noticed by the server, too: by itself it asks after two hours.
    " set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '3', false),"
    " set_config('tcp_keepalives_count', '3', false)"
)


class Serving:
    """The accounts that this process serves. Every method blocks for a moment and may be called from any thread."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._conn: psycopg.Connection[Any] | None = None
        self._held: set[str] = set()
        self._one_at_a_time = threading.Lock()

    def try_take(self, account: str) -> bool:
        """True if the account is ours to serve now, False while another process serves it. TransientError."""
        with self._one_at_a_time:
            if account in self._held:
                return True
            row = self._ask("SELECT pg_try_advisory_lock(%s)", _key(account))
            if row:
                self._held.add(account)
            return row

    def still_held(self, account: str) -> bool:
        """Whether it is still ours: the connection lives. False once it was lost."""
        with self._one_at_a_time:
            if account not in self._held:
                return False
            try:
                self._ask("SELECT true")
            except TransientError:
                return False
            return account in self._held

    def release(self, account: str) -> None:
        """Let another process serve it. Never raises; harmless if it is not ours."""
        with self._one_at_a_time:
            if account in self._held:
                self._held.discard(account)
                with suppress(TransientError):
                    self._ask("SELECT pg_advisory_unlock(%s)", _key(account))

    def close(self) -> None:
        """Let go of all. Never raises; may be called twice."""
        with self._one_at_a_time:
            self._drop()

    def _ask(self, statement: str, *values: int) -> bool:
        import psycopg  # noqa: PLC0415 - who uses SQLite need not load it

        try:
            if self._conn is None:
                limit = {"tcp_user_timeout": str(round(ANSWER_SEC * 1000))}
                self._conn = connections.connect_raw(self._db.url, limit)
                self._conn.execute(_SESSION)
            row = self._conn.execute(statement, values or None).fetchone()
        except psycopg.Error as error:
            self._drop()
            raise TransientError(f"who serves an account cannot be asked ({type(error).__name__})") from None
        return bool(row and row[0])

    def _drop(self) -> None:
        conn, self._conn = self._conn, None
        self._held.clear()
        if conn is not None:
            with suppress(Exception):
                conn.close()


def _key(account: str) -> int:
    digest = hashlib.sha256(f"nightporter serving {account}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
