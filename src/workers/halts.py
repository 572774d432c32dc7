"""The halt of an account: written down where every process and the next start see it, and said to a person."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from loguru import logger

from src.db import accounts
from src.db.engine import Database
from src.errors import ExitCode, Halt, NightporterError
from src.model.rows import AccountState
from src.model.values import utc_now
from src.workers.breaker import KIND


def halted(db: Database, account: str) -> AccountState | None:
    """The account's state if it is halted, else None. Makes the account's row if need be. Blocking."""
    with db.write() as conn:
        state = accounts.ensure(conn, account, utc_now())
    return state if state.halted else None


def stored_halt(db: Database, account: str) -> Halt | None:
    """The halt that any process has written down. It only reads, so it keeps nobody from writing. Blocking."""
    with db.read() as conn:
        state = accounts.find(conn, account)
    return halt_of(state) if state is not None and state.halted else None


def halt_of(state: AccountState) -> Halt:
    """The halt that stands in an account's row."""
    halt = Halt(state.halt_kind or "halted", state.halt_detail or "", evidence=state.halt_evidence)
    halt.exit_code = ExitCode(state.halt_exit_code or ExitCode.HALTED_PERSON_NEEDED)
    return halt


def write_halt(db: Database, account: str, halt: Halt) -> None:
    """Write it down; a halt that is there already is kept. Blocking, a moment."""
    with db.write() as conn:
        accounts.halt(conn, account, halt.kind, halt.detail, int(halt.exit_code), halt.evidence, utc_now())


def say_halt(halt: Halt, account: str | None = None) -> None:
    """The one clear line of a halt, with what a person is to do; with the account where there are several."""
    who = f"account {account}, " if account else ""
    advice = what_to_do(int(halt.exit_code), halt.kind, account)
    logger.critical("HALTED ({}{}): {}. {}", who, halt.kind, halt.detail, advice)
    if halt.evidence:
        logger.info("What the page showed: {}", halt.evidence)


def what_to_do(exit_code: int, kind: str | None = None, account: str | None = None) -> str:
    """The next step for a person, after a halt with this code and of this kind (of this account of several)."""
    script = "python3 scripts/reconnect_airbnb.py" + (f" --account {account}" if account else "")
    if kind == KIND:
        return f"Look into logs/app.log for what ended it each time; then run: {script} --check"
    if exit_code == ExitCode.HALTED_PAGE_CHANGED:
        return f"See docs/runbook.md, 'The page changed'; then run: {script} --check"
    return f"A person is needed; run: {script}"


class HaltLatch:
    """Falls at the first halt of an account and stays: nothing touches the site any more."""

    def __init__(
        self,
        read: Callable[[], Halt | None] = lambda: None,
        write: Callable[[Halt], None] = lambda _: None,
    ) -> None:
        """``read`` says whether another process has met a halt, ``write`` writes one down.

        Both may block, and raise TransientError for the database.
        """
        self._read = read
        self._write = write
        self._halt: Halt | None = None
        self._is_kept = False
        """It is written down, where every process and the next start see it."""

    @property
    def halt(self) -> Halt | None:
        """The halt that was met here or by another process."""
        return self._halt

    async def check(self) -> None:
        """Raise the halt, if one was met here or is written down by another process."""
        if self._halt is None:
            self._halt = await asyncio.to_thread(self._read)
            self._is_kept = self._halt is not None
        if self._halt is not None:
            raise self._halt

    def fall(self, halt: Halt) -> None:
        """A halt was met; the first one counts. What could not be written down is tried again by each call."""
        if self._halt is None:
            self._halt = halt
        if self._is_kept:
            return
        try:  # before anything else: what ends this process now must not undo the halt
            self._write(self._halt)
            self._is_kept = True
        except NightporterError as error:
            logger.error("The halt could not be written down: {}", error)
