"""Which process serves which account, where several processes share a PostgreSQL database.

One connection for all accounts of a process, with an advisory lock for each that it serves. The server frees them
when the process ends, however it ends; a waiting process then takes them. (That nobody else drives the inbox at a
press is a lock of its own, ``account_lock.py``: this one says who is to work at all.)

The accounts are spread evenly. The locks themselves say how they are spread: every process holds a shared lock (so
that processes can be counted), and one that has less than its share marks an account of a process that has more by
a second lock. That process gives the account up when it is idle.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from src.db import connections
from src.db.account_lock import ANSWER_SEC
from src.db.engine import Database
from src.errors import TransientError

if TYPE_CHECKING:
    import psycopg

PATIENCE = 3
"""For how many looks a free account is left to a process that should take it, and a busy one is asked for."""

_SESSION = (
    "SELECT set_config('statement_timeout', '5s', false),"
    # A machine that has gone must be noticed by the server, too: by itself it asks after two hours.
    " set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '3', false),"
    " set_config('tcp_keepalives_count', '3', false)"
)
_COUNT_ME = "SELECT pg_advisory_lock_shared(%s)"
_TAKE = "SELECT pg_try_advisory_lock(%s)"
_GIVE = "SELECT pg_advisory_unlock(%s)"
# A key of 64 bits stands there in two halves, with objsubid 1.
_LOCKS = (
    "SELECT (classid::bigint << 32) | objid::bigint, pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND objsubid = 1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@dataclass(frozen=True, slots=True)
class Spread:
    """How the accounts are spread at one moment. A process is known by its connection's server process."""

    me: int
    processes: int
    server_of: dict[str, int]
    """Account → the process that serves it."""
    wanted_by: dict[str, int]
    """Account → the process that asks for it."""

    def number_of(self, process: int) -> int:
        """How many accounts it will have when it has given what is asked of it."""
        served = Counter(self.server_of.values())[process]
        return served - sum(self.server_of.get(name) == process for name in self.wanted_by)


class Serving:
    """The accounts that this process serves. Every method blocks for a moment and may be called from any thread."""

    def __init__(self, db: Database, names: Iterable[str] = ()) -> None:
        """``names``: the accounts that this process would serve."""
        self._db = db
        self._conn: psycopg.Connection[Any] | None = None
        self._names = set(names)
        self._held: set[str] = set()
        self._wanted: Counter[str] = Counter()
        """What is asked for, and in how many looks it was not given yet."""
        self._giving: set[str] = set()
        self._seen_free: Counter[str] = Counter()
        self._one_at_a_time = threading.Lock()

    def try_take(self, account: str) -> bool:
        """True if the account is ours to serve now, False while another process serves it. TransientError.

        False also while it is left to a process that has less than its share. To be called again and again.
        """
        with self._one_at_a_time:
            self._names.add(account)
            if account in self._held:
                return True
            spread = self._look()
            if account in spread.server_of:
                self._seen_free.pop(account, None)
                self._ask_for(account, spread)
                return False
            if self._leave_to_another(account, spread) or not self._ask(_TAKE, _key("serving", account)):
                return False
            self._held.add(account)
            self._seen_free.pop(account, None)
            self._want_no_more(account)
            return True

    def should_give(self, account: str) -> bool:
        """Whether a process that has less than its share asks for an account of ours, and we have more than ours.

        True means that it is being given: ``release`` it as soon as nothing of it is in hand. TransientError.
        """
        with self._one_at_a_time:
            if account in self._giving:
                return True
            if account not in self._held:
                return False
            spread = self._look()
            asked = spread.wanted_by.get(account, spread.me) != spread.me
            if not asked or len(self._held - self._giving) <= self._share(spread):
                return False
            self._giving.add(account)
            return True

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

    def release(self, account: str, *, halted: bool = False) -> None:
        """Let another process serve it. ``halted``: nobody serves it now. Never raises; harmless if not ours."""
        with self._one_at_a_time:
            if halted:
                self._names.discard(account)
            self._giving.discard(account)
            with suppress(TransientError):
                self._want_no_more(account)
                if account in self._held:
                    self._held.discard(account)
                    self._ask(_GIVE, _key("serving", account))

    def close(self) -> None:
        """Let go of all. Never raises; may be called twice."""
        with self._one_at_a_time:
            self._drop()

    # -- an even spread -----------------------------------------------------------------------------------

    def _share(self, spread: Spread) -> int:
        """What every process has at least. Who has less may ask, who has more gives: so it comes to an end."""
        return len(self._names) // max(1, spread.processes)

    def _ask_for(self, account: str, spread: Spread) -> None:
        share, of = self._share(spread), spread.server_of[account]
        lacking = share - len(self._held) - len(self._wanted)
        if account in self._wanted:
            self._wanted[account] += 1
            served = Counter(spread.server_of.values())[of]
            if lacking < 0 or served <= share or self._wanted[account] > PATIENCE:
                self._want_no_more(account)  # the next look asks for another one, which may be idle
            return
        may_ask = lacking > 0 and account not in spread.wanted_by and spread.number_of(of) > share
        if may_ask and self._ask(_TAKE, _key("wanted", account)):
            self._wanted[account] = 1

    def _want_no_more(self, account: str) -> None:
        if account in self._wanted:
            del self._wanted[account]
            self._ask(_GIVE, _key("wanted", account))

    def _leave_to_another(self, account: str, spread: Spread) -> bool:
        """A free account that another one asks for, or that would be more than our share. Not for ever."""
        most = -(-len(self._names) // max(1, spread.processes))
        is_anothers = spread.wanted_by.get(account, spread.me) != spread.me
        if not is_anothers and len(self._held) < most:
            return False
        self._seen_free[account] += 1
        return self._seen_free[account] <= PATIENCE

    def _look(self) -> Spread:
        locks = self._rows(_LOCKS)
        return spread_of(locks, self._names, self._me)

    @property
    def _me(self) -> int:
        return self._conn.info.backend_pid if self._conn is not None else 0

    # -- the connection -----------------------------------------------------------------------------------

    def _ask(self, statement: str, *values: int) -> bool:
        rows = self._rows(statement, *values)
        return bool(rows and rows[0][0])

    def _rows(self, statement: str, *values: int) -> list[tuple[Any, ...]]:
        import psycopg  # noqa: PLC0415 - who uses SQLite need not load it

        try:
            if self._conn is None:
                limit = {"tcp_user_timeout": str(round(ANSWER_SEC * 1000))}
                self._conn = connections.connect_raw(self._db.url, limit)
                self._conn.execute(_SESSION)
                self._conn.execute(_COUNT_ME, (_key("serving process", ""),))
            return self._conn.execute(statement, values or None).fetchall()
        except psycopg.Error as error:
            self._drop()
            raise TransientError(f"who serves an account cannot be asked ({type(error).__name__})") from None

    def _drop(self) -> None:
        conn, self._conn = self._conn, None
        self._held.clear()
        self._wanted.clear()
        self._giving.clear()
        if conn is not None:
            with suppress(Exception):
                conn.close()


def spread_of(locks: Collection[tuple[Any, ...]], names: Collection[str], me: int) -> Spread:
    """What locks (key, process) of these accounts say. Pure."""
    serving = {_key("serving", name): name for name in names}
    wanted = {_key("wanted", name): name for name in names}
    processes = {pid for key, pid in locks if key == _key("serving process", "")}
    return Spread(
        me,
        len(processes | {me}),
        {serving[key]: pid for key, pid in locks if key in serving},
        {wanted[key]: pid for key, pid in locks if key in wanted},
    )


def _key(what: str, account: str) -> int:
    digest = hashlib.sha256(f"nightporter {what} {account}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
