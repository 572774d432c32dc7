"""Which database errors pass by themselves. The text of an error is never looked at, only its code."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeGuard

from sqlalchemy import exc

from src.errors import TransientError

if TYPE_CHECKING:
    import psycopg

# The low byte of an extended result code is its primary one.
_SQLITE_PASSING = {
    sqlite3.SQLITE_BUSY: "the database is locked",
    sqlite3.SQLITE_LOCKED: "the database is locked",
    sqlite3.SQLITE_FULL: "the disk is full; make room on it",
    sqlite3.SQLITE_IOERR: "the disk does not answer as it should; is it full?",
    sqlite3.SQLITE_CANTOPEN: "the database file cannot be opened",
    sqlite3.SQLITE_NOMEM: "out of memory",
    sqlite3.SQLITE_PROTOCOL: "the database is locked",
}
# SQLSTATE classes and codes: https://www.postgresql.org/docs/15/errcodes-appendix.html
_POSTGRES_PASSING = {
    "08": "the connection to the database was lost; is the server running?",
    "25P03": "the transaction was idle for too long",
    "40": "the transaction collided with another one",
    "53": "the database server is out of room",
    "55P03": "the database is locked",
    "57": "the database server is stopping or starting",
    "58": "the database server's disk does not answer as it should",
}


@contextmanager
def translated() -> Iterator[None]:
    """Turn a database's passing trouble into TransientError; any other error goes through as it is."""
    try:
        yield
    except exc.TimeoutError as error:  # no free connection in the pool
        raise TransientError("every database connection is in use") from error
    except exc.DBAPIError as error:
        what = passing(error)
        _forget_values(error)
        if what is None:
            raise
        raise TransientError(what) from error


def passing(error: exc.DBAPIError) -> str | None:
    """What the trouble is if it may pass by itself, else None."""
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return _SQLITE_PASSING.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF)
    if _is_of_postgres(cause):
        state = cause.sqlstate
        if state is not None:
            return _POSTGRES_PASSING.get(state[:2]) or _POSTGRES_PASSING.get(state)
        if error.connection_invalidated or isinstance(cause, sys.modules["psycopg"].OperationalError):
            return _POSTGRES_PASSING["08"]
    return None


def _is_of_postgres(cause: BaseException | None) -> TypeGuard[psycopg.Error]:
    """Whether PostgreSQL's driver raised it. psycopg can't have raised it if it was never imported."""
    driver = sys.modules.get("psycopg")
    return driver is not None and isinstance(cause, driver.Error)


def _forget_values(error: exc.DBAPIError) -> None:
    """Take the row's values (guests' texts) out of PostgreSQL's message, which quotes them under DETAIL."""
    cause = error.orig
    if _is_of_postgres(cause) and cause.sqlstate is not None:
        cause.args = (cause.diag.message_primary,)
        error.args = (f"({type(cause).__name__}) {cause.diag.message_primary}",)
