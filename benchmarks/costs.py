"""What single things cost: ``python -m benchmarks.costs``. The numbers of a run stand in ADRs 0046 and 0047.

Loading SQLModel; a statement made once or at each call; a look at the clock; a start that is counted; the account's
lock.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from loguru import logger

from benchmarks.house import ROOT
from benchmarks.servers import Missing, new_database, postgres
from src.db import accounts, inbox_queue
from src.db.account_lock import AccountLock
from src.db.engine import Database
from src.db.statements import INBOX
from src.model.values import DEFAULT_ACCOUNT, utc_now
from src.workers.breaker import Breaker
from src.workers.clock_watch import ClockWatch

# --- what is made once -----------------------------------------------------------------------------------


def measure_imports() -> None:
    """Seconds of CPU of a process that loads the tables and nothing else; and a claim, made each time or once."""
    for what in ("src.db.statements", "src.db.statements, sqlmodel"):
        spent = [_cpu_of(f"import src.settings, {what}") for _ in range(7)]
        print(f"import {what}: {statistics.median(spent):.2f} s of CPU")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        db = Database.open(f"sqlite:///{folder}/inbox.db")

        def anew() -> Any:
            return inbox_queue.REQUEST.update.where(INBOX.c.account == "nobody", INBOX.c.attempts < 0).values(
                attempts=1, last_error="none"
            )

        once = anew()
        with db.write() as conn:
            for name, statement in (("each time", anew), ("once", lambda: once)):
                began = time.process_time()
                for _ in range(2_000):
                    conn.execute(statement(), None).all()
                print(f"a guarded UPDATE, made {name}: {(time.process_time() - began) / 2:.3f} ms of CPU")
        db.close()


# --- what is looked after --------------------------------------------------------------------------------


def measure_watches() -> None:
    """Milliseconds of CPU and of time for one look."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        db = Database.open(f"sqlite:///{folder}/inbox.db")
        with db.write() as conn:
            accounts.ensure(conn, DEFAULT_ACCOUNT, utc_now())
        _cost("a look at the clock", ClockWatch(db, DEFAULT_ACCOUNT, ["inbox", "outbox"], clock=utc_now).look)

        def start_and_end() -> None:
            breaker = Breaker(db, DEFAULT_ACCOUNT, 1_000_000)
            breaker.starting()
            breaker.ended_in_order()

        _cost("a start that is counted, and its end", start_and_end)
        db.close()
        try:
            with postgres() as server:
                db = Database.open(new_database(server, "lock"))
                lock = AccountLock(db, DEFAULT_ACCOUNT, "bench")

                def take_and_leave() -> None:
                    lock.try_acquire()
                    lock.release()

                _cost("taking the account's lock and leaving it", take_and_leave)
                lock.try_acquire()
                _cost("the holder's look at it", lock.wanted)
                lock.release()
                db.close()
        except Missing as missing:
            print(missing)


def _cost(what: str, act: Callable[[], object]) -> None:
    act()
    times = 200
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        act()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"{what}: {cpu / times * 1000:.3f} ms of CPU, {wall / times * 1000:.2f} ms")


def _cpu_of(code: str) -> float:
    script = f"{code}\nimport time; print(time.process_time())"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def main() -> None:
    logger.remove()
    measure_imports()
    measure_watches()


if __name__ == "__main__":
    main()
