"""What a cleverer, or a plainer, way of doing something would cost: ``python -m benchmarks.alternatives WHAT``.

``wakeups``    named pipes (ours) beside asking SQLite's ``data_version`` every 50 ms: idle CPU, time to wake
``callbacks``  a transaction for each callback (ours) beside one that callbacks share: SQLite and PostgreSQL

The numbers of these runs stand in ADRs 0044 and 0045. Ours and the other way take turns in one run.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from loguru import logger

from benchmarks.callbacks import NO_CAPS, conversation, fill, request_id
from benchmarks.house import ROOT
from benchmarks.servers import Missing, new_database, postgres
from src.db.engine import Database
from src.db.statements import META, insert_into
from src.db.wakeup import Wakeup
from src.model.answer import Answer
from src.model.values import utc_now
from src.services.answers import take_answer
from src.settings import load_settings
from src.workers.parts import Parts

IDLE_SEC = 60.0
WAKES = 100
POLL_SEC = 0.05
CALLS = 600
ROUNDS = 3
AT_ONCE = 32
THREADS = 40
"""As many as Starlette has for blocking work."""


# --- wake-ups --------------------------------------------------------------------------------------------


def measure_wakeups() -> None:
    """The process that tells is this one; the one that listens, with two listeners as a worker has, a child."""
    for way in ("pipes", "data_version"):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            path = Path(folder) / "inbox.db"
            db = Database.open(f"sqlite:///{path}")
            child = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.alternatives", "listen", way, str(path)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert child.stdout is not None
            idle = float(child.stdout.readline())
            waits = sorted(_tell(db, way, child) for _ in range(WAKES))
            child.communicate()
            db.close()
        p95 = waits[int(0.95 * WAKES)]
        print(
            f"{way:14} idle {idle:.4f} % of a core; p50 {statistics.median(waits):.1f} ms, p95 {p95:.1f} ms"
        )


def _tell(db: Database, way: str, child: subprocess.Popen[str]) -> float:
    """Commit something and say so; the milliseconds from the commit until the other process knows."""
    assert child.stdout is not None
    time.sleep(random.uniform(0.02, 0.12))  # not in step with whoever polls
    wakeup = Wakeup(db)
    with db.write() as conn:
        note = insert_into(conn, META).values(key="wake", value=str(time.monotonic_ns()))
        changed = {"value": note.excluded.value}
        conn.execute(note.on_conflict_do_update(index_elements=["key"], set_=changed))
    committed = time.monotonic()
    if way == "pipes":
        wakeup.notify("outbox")
    woken = float(child.stdout.readline())
    wakeup.close()
    return (woken - committed) * 1000


async def _listen(way: str, path: str) -> None:
    waiting = [_waiting(way, path) for _ in range(2)]
    for wait in waiting:
        await wait(1.0)
    began = time.process_time()
    await asyncio.gather(*(wait(IDLE_SEC) for wait in waiting))
    print((time.process_time() - began) / IDLE_SEC * 100, flush=True)
    for _ in range(WAKES):
        await waiting[0](600.0)
        print(time.monotonic(), flush=True)


def _waiting(way: str, path: str) -> Callable[[float], Awaitable[object]]:
    if way == "pipes":
        return Wakeup(Database.open(f"sqlite:///{path}"), {"outbox"}).wait
    conn = sqlite3.connect(path, isolation_level=None)

    def ask(what: str) -> Any:
        return conn.execute(what).fetchone()

    note = "SELECT value FROM meta WHERE key = 'wake'"
    seen = [ask("PRAGMA data_version"), ask(note)]

    async def wait(timeout: float) -> None:
        give_up_at = time.monotonic() + timeout
        while time.monotonic() < give_up_at:
            await asyncio.sleep(POLL_SEC)
            version = ask("PRAGMA data_version")
            if version == seen[0]:
                continue
            last, seen[:] = seen[1], [version, ask(note)]
            if seen[1] != last:  # every commit of anybody counts up; only this one is for us
                return

    return wait


# --- callbacks -------------------------------------------------------------------------------------------


def measure_callbacks() -> None:
    """Answers handed in by 1, 8 and 64 callers at a time, without HTTP."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        _measure_callbacks("SQLite", f"sqlite:///{folder}/inbox.db", folder)
        try:
            with postgres() as server:
                _measure_callbacks("PostgreSQL", new_database(server, "callbacks"), folder)
        except Missing as missing:
            print(missing)


def _measure_callbacks(name: str, url: str, folder: str) -> None:
    db = Database.open(url)
    settings = load_settings(Path(folder), {"DATABASE_URL": url, "API_KEY": "k" * 32, **NO_CAPS})
    take = partial(
        take_answer,
        wakeup=Wakeup(db),
        accounts=settings.asked,
        is_conversation_id=Parts().is_conversation_id,
    )
    begin = 0
    for callers in (1, 8, 64):
        found: dict[str, list[float]] = {"own": [], "shared": []}
        for _ in range(ROUNDS):
            for way, rates in found.items():
                fill(db, begin, CALLS, with_requests=True)
                rates.append(asyncio.run(_hand_in(db, take, way, callers, range(begin, begin + CALLS))))
                begin += CALLS
        said = "; ".join(f"{way} {statistics.median(rates):.0f}/s" for way, rates in found.items())
        print(f"{name:10} {callers:2} callers: {said}", flush=True)
    db.close()


async def _hand_in(db: Database, take: Callable[..., Any], way: str, callers: int, numbers: range) -> float:
    """Answers a second."""
    waiting = list(numbers)
    shared = _SharedTransaction(db)
    loop = asyncio.get_running_loop()

    async def caller() -> None:
        while waiting:
            n = waiting.pop()
            answer = Answer(
                conversation(n), request_id(n), message=f"Thank you for your message, number {n}."
            )
            work = partial(take, answer=answer, now=utc_now())
            if way == "own":
                await loop.run_in_executor(pool, partial(work, db))
            else:
                await shared.write(work)

    with ThreadPoolExecutor(THREADS) as pool:
        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(callers)))
        return len(numbers) / (time.perf_counter() - began)


class _SharedTransaction:
    """Who comes while a transaction is on its way to the disk waits for the next one, together with others."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: list[tuple[Callable[[Any], Any], asyncio.Future[None]]] = []
        self._at_work: asyncio.Task[None] | None = None

    async def write(self, work: Callable[[Any], Any]) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, done))
        if self._at_work is None:
            self._at_work = asyncio.create_task(self._work())
        await done

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            await asyncio.to_thread(self._all, [work for work, _ in batch])
            for _, done in batch:
                done.set_result(None)
        self._at_work = None

    def _all(self, works: list[Callable[[Any], Any]]) -> None:
        with self._db.write() as conn:
            for work in works:
                work(_Open(conn))


class _Open:
    """Passes for a database whose transaction is open already."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn

    def write(self) -> _Open:
        return self

    def __enter__(self) -> Any:
        return self._conn

    def __exit__(self, *_: object) -> None:
        return


def main() -> None:
    logger.remove()
    measures = {"wakeups": measure_wakeups, "callbacks": measure_callbacks}
    if sys.argv[1] == "listen":
        asyncio.run(_listen(sys.argv[2], sys.argv[3]))
    else:
        measures[sys.argv[1]]()


if __name__ == "__main__":
    main()
