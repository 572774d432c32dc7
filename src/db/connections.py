"""Connections: what is set on each of them, in either dialect, and how a transaction begins."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import NullPool

from src.db import database_urls

if TYPE_CHECKING:
    import psycopg

LOCK_WAIT_SEC = 5.0
_BUSY_TIMEOUT = "PRAGMA busy_timeout=5000"
_SQLITE_PRAGMAS = (
    _BUSY_TIMEOUT,
    "PRAGMA journal_mode=WAL",
    "PRAGMA foreign_keys=ON",
    # A commit must survive a power cut: the note that Send is about to be pressed rests on it.
    "PRAGMA synchronous=FULL",
    "PRAGMA journal_size_limit=67108864",
    # What is taken out is overwritten: else it could still be read in the file.
    "PRAGMA secure_delete=ON",
)
_POSTGRES_ARGS = {
    "application_name": "nightporter",
    "connect_timeout": 5,
    # A dead network shows after a minute, not after the system's two hours.
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
_POSTGRES_SESSION = (
    "SELECT set_config('TimeZone', 'UTC', false), set_config('lock_timeout', '5s', false),"
    " set_config('idle_in_transaction_session_timeout', '60s', false)"
)


def reading(engine: Engine) -> Engine:
    """The same engine and pool, but its transactions cannot write: SQLite's BEGIN is then a plain one."""
    return engine.execution_options(reads_only=True, postgresql_readonly=True)


def make_engine(url: URL) -> Engine:
    """An engine whose every connection is set up as we need it; nothing is connected yet."""
    if url.get_backend_name() == "postgresql":
        engine = create_engine(
            url,
            hide_parameters=True,  # they hold guests' texts, and errors are logged
            pool_size=5,
            max_overflow=10,
            pool_timeout=LOCK_WAIT_SEC,
            pool_pre_ping=True,  # a restart of the server goes by unnoticed
            connect_args={name: value for name, value in _POSTGRES_ARGS.items() if name not in url.query},
        )
        event.listen(engine, "connect", _set_up_postgres)
        return engine
    path = database_urls.sqlite_path(url)
    engine = create_engine(
        url.set(database=str(path)),
        hide_parameters=True,
        pool_size=5,
        max_overflow=35,  # threads wait for a connection nowhere; a writer waits for its turn
        pool_timeout=LOCK_WAIT_SEC,
        connect_args={"check_same_thread": False, "timeout": LOCK_WAIT_SEC},
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def make_migration_engine(url: URL) -> Engine:
    """An engine for one use. On SQLite foreign keys are off, since a table is changed by rebuilding it."""
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    if url.get_backend_name() == "postgresql":
        return engine
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "connect", _rest_foreign_keys)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_postgres(driver: DBAPIConnection, _record: object) -> None:
    cursor = driver.cursor()
    cursor.execute(_POSTGRES_SESSION)
    cursor.close()
    driver.commit()


def _set_up_sqlite(driver: Any, _record: object) -> None:
    driver.isolation_level = None  # the driver begins no transaction by itself: _begin_sqlite does
    cursor = driver.cursor()
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _rest_foreign_keys(driver: Any, _record: object) -> None:
    driver.execute("PRAGMA foreign_keys=OFF")


def _begin_sqlite(conn: Connection) -> None:
    # A deferred transaction that reads and then writes fails at once when another one has written in between
    # (SQLite does not even wait). So a writer takes the lock at its beginning, and a reader may not write.
    driver: Any = conn.connection.driver_connection
    if conn.get_execution_options().get("reads_only"):
        driver.execute("PRAGMA query_only=1")
        driver.execute("BEGIN")
        return
    driver.execute("PRAGMA query_only=0")
    if not _take_write_lock(driver):
        conn.exec_driver_sql("BEGIN IMMEDIATE")  # a last try, whose error is SQLAlchemy's


def _take_write_lock(driver: sqlite3.Connection) -> bool:
    """Try to begin writing, every few milliseconds for as long as LOCK_WAIT_SEC.

    SQLite's own waiting looks only every 100 ms after a while: beside two busy processes a third one starves. It
    tells nobody when its lock is free, so there is nothing to wait for but time.
    """
    give_up_at = time.monotonic() + LOCK_WAIT_SEC
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while time.monotonic() < give_up_at:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    return False
                time.sleep(random.uniform(0.001, 0.004))  # noqa: S311 - so that two do not keep step
            else:
                return True
    finally:
        driver.execute(_BUSY_TIMEOUT)
    return False


def connect_raw(url: URL, more: Mapping[str, str] | None = None) -> psycopg.Connection[Any]:
    """A PostgreSQL connection outside the pool and without transactions. psycopg.Error if that is impossible.

    ``more``: further parameters of libpq, unless the URL has them.
    """
    import psycopg  # noqa: PLC0415 - who uses SQLite need not load it: `status` would start a tenth of a second later

    dialect = url.get_dialect()()
    arguments, options = dialect.create_connect_args(url)
    wanted = {**_POSTGRES_ARGS, **(more or {})}
    extra = {name: value for name, value in wanted.items() if name not in url.query}
    conn: psycopg.Connection[Any] = psycopg.connect(*arguments, **{**options, **extra}, autocommit=True)
    return conn
