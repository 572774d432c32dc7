"""Level A-nth: the n-th statement, commit or call to the site fails, n = 1, 2, 3 … until nothing fails any more.

The way SQLite tests itself. The database's errors are the drivers' own, raised where the driver raises them, so that
their translation is tested too; a full disk or a lost connection also ends the transaction, as it really does.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from sqlalchemy import event

from src.db.engine import Database
from src.errors import ChannelGone, Halt, TransientError, WallHit
from tests.conftest import Clock
from tests.faults.invariants import broken_promises
from tests.faults.plan import Plan
from tests.faults.stage import Stage, in_one_thread
from tests.faults.story import replay_line, settle
from tests.faults.tally import Tally
from tests.support.house import House
from tests.support.site import Acceptance

Fail = Callable[[Any], None]
"""Raises a driver's error; given the driver's connection."""


def _sqlite(code: int, words: str, *, ends: bool = False) -> Fail:
    def fail(driver: Any) -> None:
        if ends:
            driver.rollback()
        error = sqlite3.OperationalError(words)
        error.sqlite_errorcode = code
        raise error

    return fail


def _postgres(make: type[psycopg.Error], *, lost: bool = False) -> Fail:
    def fail(driver: Any) -> None:
        if lost:
            driver.close()
        raise make("made up by a test")

    return fail


SQLITE = {
    "locked": _sqlite(sqlite3.SQLITE_BUSY, "database is locked"),
    "full": _sqlite(sqlite3.SQLITE_FULL, "database or disk is full", ends=True),
    "ioerr": _sqlite(sqlite3.SQLITE_IOERR_WRITE, "disk I/O error", ends=True),
}
POSTGRES = {
    "locked": _postgres(psycopg.errors.LockNotAvailable),
    "full": _postgres(psycopg.errors.DiskFull),
    "disconnect": _postgres(psycopg.OperationalError, lost=True),
    "shutdown": _postgres(psycopg.errors.AdminShutdown, lost=True),
    "collision": _postgres(psycopg.errors.SerializationFailure),
}
CALLS: dict[str, Callable[[], BaseException]] = {
    "timeout": TransientError,
    "target closed": ChannelGone,
    "wall": lambda: WallHit("captcha", "a challenge is shown"),
}
STEPS = ("send", "sync")
SITES = (Acceptance(), Acceptance(hidden_for=4), Acceptance(taken=False))


@contextmanager
def failing(db: Database, number: int, fail: Fail, *, at_commit: bool) -> Iterator[list[int]]:
    """The n-th statement (or commit) fails; what is yielded is empty for as long as it has not."""
    struck: list[int] = []
    seen = 0

    def strikes() -> bool:
        nonlocal seen
        seen += 1
        if seen == number:
            struck.append(number)
        return seen == number

    def on_execute(cursor: Any, _statement: str, _parameters: Any, _context: Any) -> None:
        if strikes():
            fail(cursor.connection)

    dialect: Any = db._engine.dialect
    commit = dialect.do_commit

    def on_commit(connection: Any) -> None:
        if strikes():
            fail(connection.driver_connection)
        commit(connection)

    if at_commit:
        dialect.do_commit = on_commit
    else:
        event.listen(db._engine, "do_execute", on_execute)
    try:
        yield struck
    finally:
        if at_commit:
            del dialect.do_commit
        else:
            event.remove(db._engine, "do_execute", on_execute)


def ways(database: str) -> list[tuple[str, str, str]]:
    """Every way to fail, for this database: which step of the product, what fails, with which error."""
    of_database = SQLITE if database == "sqlite" else POSTGRES
    return [
        (step, what, error)
        for step in STEPS
        for what, errors in (
            ("statement", of_database),
            ("commit", of_database),
            ("call", CALLS),
            ("call that was done", CALLS),
        )
        for error in errors
    ]


def trials(plan: Plan, every: int = 1) -> Iterator[Tally]:
    """Seed s is way s % (number of ways), n = s // (number of ways) + 1. Ends when no way has an n-th one.

    ``every``: each way skips so many of its n, not the same ones as its neighbour.
    """
    db = Database.open(plan.fresh())
    found = ways(plan.database)
    with in_one_thread(), asyncio.Runner() as runner:
        stage = Stage(db, Clock())
        over: set[int] = set()
        try:
            for seed in plan.seeds:
                way = seed % len(found)
                if way in over or (seed // len(found) + way) % every:
                    continue
                tally = runner.run(_trial(stage, found[way], seed // len(found) + 1, seed))
                if not tally.counts["failed once"]:
                    over.add(way)
                yield tally
                if len(over) == len(found):
                    return
        finally:
            stage.close()
            db.close()


async def _trial(stage: Stage, way: tuple[str, str, str], number: int, seed: int) -> Tally:
    step, what, error = way
    tally = Tally()
    house = await stage.set(1)
    house.site.acceptance = SITES[number % len(SITES)]
    if step == "sync":
        house.site.conversation(stage.text())
    struck: list[int] = []
    if what in ("statement", "commit"):
        fail = (SQLITE if house.db.dialect == "sqlite" else POSTGRES)[error]
        with failing(house.db, number, fail, at_commit=what == "commit") as struck:
            await _step(house, step)
    else:
        after = what == "call that was done"

        def strike() -> None:
            struck.append(number)
            error_now = CALLS[error]()
            raise error_now

        channel = house.channel
        channel.fail_call(number, strike, after=after)
        await _step(house, step)
        if channel.touched_after_halt:
            tally.judge([f"I7 after a wall: {channel.touched_after_halt}"], _replay(stage, seed))
    tally.count("trials")
    tally.count("failed once", bool(struck))
    lines = broken_promises(house, settled=False) or [
        *await settle(house, stage.text),
        *broken_promises(house),
    ]
    tally.judge([f"{line} ({step}, {what} {number}: {error})" for line in lines], _replay(stage, seed))
    for job in house.jobs():
        tally.count(f"ended {job.status}")
    return tally


async def _step(house: House, step: str) -> None:
    with suppress(TransientError, Halt):
        await (house.sent() if step == "send" else house.synced())


def _replay(stage: Stage, seed: int) -> str:
    return replay_line("A-nth", seed, stage.house.db.dialect)
