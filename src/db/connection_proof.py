"""The proof that a PostgreSQL address gives each connection of ours a server process of its own.

A pooler that lends a server process for one transaction at a time takes two things away without a word: an advisory
lock is no lock (two clients on one server process both get it), and LISTEN brings nothing. Both are what we trust.

An idle pooler gives one client the same process again and again, so looking at one connection proves nothing. The
proof is made by two, in turns: while one holds a transaction, the other must still have its own process, and must
hear a note that it sends to itself. Whichever process a pooler lends next, it is soon the wrong one.
"""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import URL, make_url

from src.db import connections
from src.errors import SettingsError

if TYPE_CHECKING:
    import psycopg

PROOF_SEC = 20.0
"""The whole proof takes some tens of milliseconds; after this the server counts as out of reach."""
_NOTE_SEC = 5.0
"""PostgreSQL delivers a note to its own sender with the end of the transaction."""
_ROUNDS = 4
"""A pooler that lends one of two processes by chance passes a round once in 64 times: all of them next to never."""
_POOLERS_OWN = {
    "08P01": "protocol violation: PgBouncer says so of a transaction, with one statement at a time",
    "0A000": "feature not supported: of LISTEN",
    "26000": "no such statement: it was prepared on another process",
}
_CURE = (
    "does not keep one server connection for one client, as behind a pooler in transaction mode: locks and"
    " notifications are lost there; write the database's direct address, or set the pooler to session mode"
)


class Client(Protocol):
    """One connection, as the proof uses it."""

    def server(self) -> int:
        """The server process that answers now."""
        ...

    def begin(self) -> None: ...

    def commit(self) -> None: ...

    def hears_itself(self) -> bool:
        """Whether a note comes back to the connection that has listened before and sends it now."""
        ...


def keeps_its_server(one: Client, other: Client, rounds: int = _ROUNDS) -> bool:
    """Whether each of two clients has a server process of its own, over several transactions. Leaves none open."""
    own = {one: one.server(), other: other.server()}
    if own[one] == own[other]:
        return False
    for _ in range(rounds):
        # With nothing held, twice each: a pooler that lends its processes in turns gives another one.
        if any(client.server() != own[client] for client in (one, one, other, other)):
            return False
        for holder, free in ((one, other), (other, one)):
            holder.begin()
            good = (
                holder.server() == own[holder]
                and all(free.server() == own[free] for _ in range(2))
                and free.hears_itself()
            )
            holder.commit()
            if not good:
                return False
    return True


def prove_connection(
    address: str | URL,
    variable: str,
    *,
    connect: Callable[[URL], psycopg.Connection[Any]] = connections.connect_raw,
    limit_sec: float = PROOF_SEC,
) -> None:
    """SettingsError, one line that names ``variable`` and the cure, unless the address can do what we trust.

    ``address`` is ``postgresql://`` or ``postgresql+psycopg://``; nothing is asked of any other database. Blocks
    for two connections and some dozens of answers, at most for ``limit_sec``. Changes nothing, may be repeated.
    """
    url = make_url(address)
    if url.get_backend_name() != "postgresql":
        return
    url = url.set(drivername="postgresql+psycopg")
    import psycopg  # noqa: PLC0415 - who uses SQLite need not load it

    where = url.render_as_string(hide_password=True)
    try:
        with ExitStack() as stack:
            one, other = (stack.enter_context(closing(connect(url))) for _ in range(2))
            with _limited([one, other], limit_sec):
                good = keeps_its_server(_Connection(one), _Connection(other))
    except psycopg.Error as error:
        if error.sqlstate not in _POOLERS_OWN:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise SettingsError([f"{variable}: {where} cannot be used: {said}"]) from error
        good = False
    if not good:
        raise SettingsError([f"{variable}: {where} {_CURE}"])


class _Connection:
    """A ``Client`` on psycopg."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        conn.prepare_threshold = None  # a prepared statement is on one process, too
        self._conn = conn
        self._channel = f"nightporter_proof_{secrets.token_hex(8)}"
        conn.execute(f"LISTEN {self._channel}".encode())

    def server(self) -> int:
        row = self._conn.execute("SELECT pg_backend_pid()").fetchone()
        return int(row[0]) if row else 0

    def begin(self) -> None:
        self._conn.execute("BEGIN")

    def commit(self) -> None:
        self._conn.execute("COMMIT")

    def hears_itself(self) -> bool:
        note = secrets.token_hex(8)
        self._conn.execute("SELECT pg_notify(%s, %s)", (self._channel, note))
        heard = self._conn.notifies(timeout=_NOTE_SEC, stop_after=1)
        return any(one.payload == note for one in heard)


@contextmanager
def _limited(conns: list[psycopg.Connection[Any]], seconds: float) -> Iterator[None]:
    """Cut the connections after this time: libpq, which waits without an end, sees that they are lost.

    A pooler whose clients are all served keeps a new one waiting in silence; so does a network that has died.
    """

    def cut() -> None:
        for conn in conns:
            with suppress(Exception), socket.socket(fileno=socket.dup(conn.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
