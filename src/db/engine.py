"""The database: opened once in a process, passed on, closed at the end.

``with db.write() as conn`` and ``with db.read() as conn`` are the transactions: committed on success, rolled back
on an exception. They are short and synchronous; async code calls them through ``asyncio.to_thread``.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import URL, Connection, Engine, event, select

from src.db import connections, database_urls, migrate
from src.db.db_errors import translated
from src.db.statements import META, insert_into
from src.errors import TransientError

__all__ = ["Connection", "Database", "after_commit"]


class Database:
    """One database, of either kind. Safe to use from several threads; not to be carried over a fork."""

    def __init__(self, url: URL, engine: Engine) -> None:
        self.url = url
        self.dialect = url.get_backend_name()
        """``sqlite`` or ``postgresql``."""
        self.path: Path | None = database_urls.sqlite_path(url)
        """The SQLite file, None for PostgreSQL."""
        self._engine = engine
        self._readers = connections.reading(engine)
        # Threads of one process queue here in order; at SQLite's own lock they would sleep and race instead.
        self._turn: threading.Lock | None = threading.Lock() if self.path else None
        self._inode = self.path.stat().st_ino if self.path else None
        self.database_id, self.secret = self._facts()

    @classmethod
    def open(cls, url: str) -> Database:
        """Open the database, made or brought up to date first. Safe while other processes do the same.

        SettingsError (naming DATABASE_URL) for a URL we cannot use, a server out of reach, or a schema that is
        newer than this code.
        """
        parsed = database_urls.parse(url)
        path = database_urls.sqlite_path(parsed)
        if path is not None:
            database_urls.prepare_file(path)
        engine = connections.make_engine(parsed)
        try:
            migrate.bring_up_to_date(engine, path)
            return cls(parsed, engine)
        except BaseException:
            engine.dispose()
            raise

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """A transaction that may write. TransientError if the database is locked, full or out of reach.

        Not ``durable``: a power cut may take it back, a kill does not; the next durable commit makes it so, too.
        For signs of life, and for what is simply done again: nobody waits for the disk then.

        If the connection is lost at the very end, nobody knows whether it was committed; every move is guarded
        by the state it starts from, so making it again is safe. Not to be nested.
        """
        callbacks: list[Callable[[], None]] = []
        with translated(), self._my_turn(), self._engine.connect() as conn:
            conn = conn.execution_options(after_commit=callbacks)  # noqa: PLW2901 - the same connection
            with nullcontext() if durable else self._without_the_disk(conn), conn.begin():
                if not durable and self.path is None:
                    conn.exec_driver_sql("SET LOCAL synchronous_commit TO off")
                yield conn
                self._still_open(conn)
        for callback in callbacks:
            callback()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that cannot write: what it sees belongs together. TransientError as above."""
        with translated(), self._readers.begin() as conn:
            yield conn

    def check(self) -> None:
        """TransientError if the database is out of reach, or another one has taken its place."""
        with self.read() as conn:
            found = conn.execute(select(META.c.value).where(META.c.key == "database_id")).scalar_one_or_none()
        if found != self.database_id:
            raise TransientError("the database is another one than at the start")
        if self.path is not None and (not self.path.exists() or self.path.stat().st_ino != self._inode):
            raise TransientError("the database file is gone")

    def compact(self) -> None:
        """Rewrite the SQLite file, so that nothing of what was taken out of it is left. Elsewhere: nothing.

        TransientError if others are at work in it for longer than a moment.
        """
        if self.path is None:
            return
        try:
            with translated(), self._my_turn(), self._engine.connect() as conn:
                driver: Any = conn.connection.driver_connection
                driver.execute("PRAGMA query_only=0")
                driver.execute("VACUUM")
                busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:
            raise TransientError("the database is locked") from None
        if busy:
            raise TransientError("the database is being read; its log could not be emptied")

    def close(self) -> None:
        """Let go of every connection. May be called twice."""
        # One that a thread has in hand comes back to the pool that is given up here, and nobody would close it.
        event.listen(self._engine.pool, "checkin", _close_connection)
        self._engine.dispose()

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=connections.LOCK_WAIT_SEC):
            raise TransientError("the database is locked")
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _without_the_disk(self, conn: Connection) -> Iterator[None]:
        """Outside of a transaction: SQLite's next commits are not flushed (WAL with NORMAL stays consistent)."""
        driver: Any = conn.connection.driver_connection
        if self.path is None:
            yield
            return
        driver.execute("PRAGMA synchronous=NORMAL")
        try:
            yield
        finally:
            driver.execute("PRAGMA synchronous=FULL")

    def _still_open(self, conn: Connection) -> None:
        # A full disk makes SQLite roll the transaction back by itself; code that caught that error must not go on.
        if self.path is not None and not _sqlite_in_transaction(conn):
            raise TransientError("the database gave the transaction up")

    def _facts(self) -> tuple[str, bytes]:
        """The id of this database and its secret, made at the first start, the same for ever."""
        wanted = select(META.c.key, META.c.value).where(META.c.key.in_(["database_id", "secret"]))
        with self.read() as conn:
            found = {row.key: row.value for row in conn.execute(wanted)}
        if len(found) < 2:
            made = {"database_id": str(uuid4()), "secret": secrets.token_hex(32)}
            with self.write() as conn:
                fill = insert_into(conn, META).on_conflict_do_nothing(index_elements=["key"])
                conn.execute(fill, [{"key": key, "value": value} for key, value in made.items()])
                found = {row.key: row.value for row in conn.execute(wanted)}
        return found["database_id"], bytes.fromhex(found["secret"])


def _close_connection(_driver: object, record: Any) -> None:
    record.close()


def after_commit(conn: Connection, callback: Callable[[], None]) -> None:
    """Call ``callback`` (which must not raise) once the transaction of ``db.write()`` is committed; else never."""
    conn.get_execution_options()["after_commit"].append(callback)


def _sqlite_in_transaction(conn: Connection) -> bool:
    driver: Any = conn.connection.driver_connection
    return bool(driver.in_transaction)
