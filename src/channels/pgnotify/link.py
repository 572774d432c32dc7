"""One connection to the app's database: bounded, and never left in doubt about what its end means.

psycopg tries to cancel on the server when a waiting task is cancelled, which takes many seconds on a connection
that is dead. So nothing here cancels a statement: its socket is shut down, and the statement ends by itself.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from src.errors import ChannelGone, NightporterError, PageChanged, TransientError, WallHit

STATEMENT_SEC = 5.0
LOCK_SEC = 2.0
GIVE_UP_SEC = 8.0
"""A server that has not answered by then is taken for gone: its own limits of time ended the statement before."""
CONNECT_SEC = 8.0

ARGUMENTS: dict[str, Any] = {
    "application_name": "nightporter",
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
# Not among the arguments: poolers refuse most of them there. What is small is not worth compiling, hence jit.
_SESSION = sql.SQL(
    "SELECT set_config('statement_timeout', '{statement}s', false), set_config('lock_timeout', '{lock}s', false),"
    " set_config('idle_in_transaction_session_timeout', '10s', false), set_config('TimeZone', 'UTC', false),"
    " set_config('jit', 'off', false)"
).format(statement=sql.SQL(f"{STATEMENT_SEC:.0f}"), lock=sql.SQL(f"{LOCK_SEC:.0f}"))
# libpq gives no code when a connection cannot be made; only these words tell a refused password from a server away.
_CREDENTIALS = ("password", "authentication", "tenant or user", 'role "', "pg_hba.conf", "28p01")

T = TypeVar("T")
Row = tuple[Any, ...]


class Link:
    """The working connection. One statement or transaction at a time; made again by a new Link."""

    def __init__(self, conn: psycopg.AsyncConnection[Row]) -> None:
        self._conn = conn
        self._in_use = asyncio.Lock()

    @classmethod
    async def open(cls, conninfo: str) -> Link:
        """Connect. WallHit if the database refuses the credentials, ChannelGone if it is not there."""
        link = cls(await connect(conninfo))
        try:
            await link.rows(_SESSION)
        except BaseException:
            await link.close()
            raise
        return link

    @property
    def is_open(self) -> bool:
        return not (self._conn.closed or self._conn.broken)

    async def rows(
        self, statement: sql.Composed | sql.SQL, values: dict[str, Any] | None = None
    ) -> list[Row]:
        """The rows of one statement that only reads."""
        async with self._in_use, ours():
            return await self._bounded(self._rows(statement, values))

    async def _rows(self, statement: sql.Composed | sql.SQL, values: dict[str, Any] | None) -> list[Row]:
        return await (await self._conn.execute(statement, values)).fetchall()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction at READ COMMITTED: what is locked in it is seen as it is then, not as it was before.

        Each statement is a step of its own, and the COMMIT too: at most one of them is ever on its way, so what a
        dead connection may still bring about is at most the COMMIT, while its locks are held.
        """
        async with self._in_use, ours():
            open_one = Transaction(self)
            await self._bounded(self._rows_none(sql.SQL("BEGIN")))
            try:
                yield open_one
                open_one.committing = open_one.keep
                await self._bounded(self._rows_none(sql.SQL("COMMIT" if open_one.keep else "ROLLBACK")))
            except BaseException:
                if self.is_open and not open_one.committing:
                    with suppress(psycopg.Error):
                        await self._bounded(self._rows_none(sql.SQL("ROLLBACK")))
                raise

    async def _rows_none(self, statement: sql.SQL) -> None:
        await self._conn.execute(statement)

    async def _bounded(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(work)
        giving_up = asyncio.get_running_loop().call_later(GIVE_UP_SEC, self.hang_up)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self.hang_up()
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()
            raise
        finally:
            giving_up.cancel()

    def hang_up(self) -> None:
        """End the connection at once, even if somebody waits on it: the next step on it fails. Never raises."""
        hang_up(self._conn)

    async def close(self) -> None:
        """Never raises."""
        self.hang_up()
        async with self._in_use:
            await _close(self._conn)


class Transaction:
    """The statements of one transaction."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.keep = True
        """False: what was done is taken back at the end."""
        self.committing = False
        """From here on an error says nothing about what the database has."""

    async def rows(
        self, statement: sql.Composed | sql.SQL, values: dict[str, Any] | None = None
    ) -> list[Row]:
        return await self._link._bounded(self._link._rows(statement, values))  # noqa: SLF001 - one thing in two classes


async def connect(conninfo: str) -> psycopg.AsyncConnection[Row]:
    """An autocommit connection, set up as every one of ours. WallHit, ChannelGone."""
    given = psycopg.conninfo.conninfo_to_dict(conninfo)
    arguments = {name: value for name, value in ARGUMENTS.items() if name not in given}
    making = asyncio.ensure_future(psycopg.AsyncConnection.connect(conninfo, autocommit=True, **arguments))
    try:
        done, _ = await asyncio.wait({making}, timeout=CONNECT_SEC)
        if not done:
            making.cancel()
            making.add_done_callback(_forget)
            raise ChannelGone("The app's database does not answer.")
        return making.result()
    except psycopg.OperationalError as error:
        if _is_refusal(error):
            raise WallHit("credentials", "the app's database refuses the user or the password") from None
        raise ChannelGone("The app's database cannot be reached.") from None
    except psycopg.Error as error:
        raise ChannelGone(f"The app's database cannot be reached ({type(error).__name__}).") from None
    except asyncio.CancelledError:
        making.cancel()
        await asyncio.wait({making})
        _forget(making)
        raise


def _is_refusal(error: psycopg.OperationalError) -> bool:
    if isinstance(error, (psycopg.errors.InvalidPassword, psycopg.errors.InvalidAuthorizationSpecification)):
        return True
    words = str(error).lower()
    return "fatal" in words and any(word in words for word in _CREDENTIALS)


def _forget(task: asyncio.Future[psycopg.AsyncConnection[Row]]) -> None:
    """A connection that came too late, or its error, is of no use to anybody."""
    if not task.cancelled() and task.exception() is None:
        task.result().pgconn.finish()


def hang_up(conn: psycopg.AsyncConnection[Row]) -> None:
    """Shut the socket down, even if somebody waits on it; its number stays taken until ``close``. Never raises."""
    try:
        copy = os.dup(conn.fileno())
    except (psycopg.Error, OSError):
        return
    with socket.socket(fileno=copy) as sock, suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


async def _close(conn: psycopg.AsyncConnection[Row]) -> None:
    with suppress(psycopg.Error, OSError):
        await conn.close()


@asynccontextmanager
async def ours() -> AsyncIterator[None]:
    """Our error for one of psycopg's; without its text, which may quote what people wrote."""
    try:
        yield
    except psycopg.Error as error:
        raise our_error(error) from None


def our_error(error: psycopg.Error) -> NightporterError:
    """What the workers do about it: opened again, tried again, or a halt."""
    kinds = psycopg.errors
    if isinstance(error, (kinds.UndefinedTable, kinds.UndefinedColumn, kinds.InvalidSchemaName)):
        return PageChanged("the tables and columns of the mapping", "the app's database")
    if isinstance(error, kinds.InsufficientPrivilege):
        return PageChanged("the rights that the role was given", "the app's database")
    if isinstance(error, (kinds.InvalidPassword, kinds.InvalidAuthorizationSpecification)):
        return WallHit("credentials", "the app's database refuses the user or the password")
    passing = (
        kinds.DeadlockDetected,
        kinds.SerializationFailure,
        kinds.QueryCanceled,
        kinds.LockNotAvailable,
    )
    if isinstance(error, passing):
        return TransientError(f"The app's database did not do it this time ({type(error).__name__}).")
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return ChannelGone(f"The connection to the app's database was lost ({type(error).__name__}).")
    return TransientError(f"The app's database refused a statement ({type(error).__name__}).")
