"""The dashboard's pages, ``/metrics`` and ``/health`` on an inbox of 10,000 conversations and 100,000 messages.

Server time of each, on both databases, while another process works on the same database as busy workers do.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from typing import Any
from urllib.parse import quote

import httpx
import psutil
import psycopg
from sqlalchemy import insert, select, text

from benchmarks.crowd import fill
from benchmarks.results import Results, Series
from benchmarks.servers import Missing, new_database, postgres
from benchmarks.sizes import Size
from src.commands.serving import make_app
from src.db import accounts, conversations, outbox_queue
from src.db.engine import Database
from src.db.statements import INBOX, RUNS
from src.db.wakeup import Wakeup
from src.model.autonomy import TOPICS
from src.model.statuses import OutboxStatus
from src.model.values import DEFAULT_ACCOUNT
from src.settings import Settings

GROUP = "Dashboard"
CONVERSATIONS = 10_000
BESIDE = "beside"
"""By this name PostgreSQL knows the connections of the process beside."""
REPLIES_A_SECOND = 5
"""What the process beside it does: far more than any inbox of one host."""


def steps(_size: Size) -> int:
    return 4


async def run(size: Size, results: Results, tick: Callable[[str], None]) -> None:
    """Every page in turn, several times; a page is timed from the request to its last byte, without a network."""
    rounds = 3 if size.name == "tiny" else 10 * size.rounds
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        await measure_at(f"sqlite:///{folder}/inbox.db", results, rounds, tick)
    try:
        with postgres() as server:
            await measure_at(new_database(server, "pages"), results, rounds, tick)
    except Missing as missing:
        results.troubles.append(f"pages on PostgreSQL: {missing}")


async def measure_at(url: str, results: Results, rounds: int, tick: Callable[[str], None]) -> None:
    """On an empty database at this address, with workers beside."""
    db = Database.open(url)
    try:
        await measure(db, results, rounds, tick, beside=url)
    finally:
        db.close()


@contextmanager
def workers_beside(url: str | None) -> Iterator[None]:
    """A process that takes in messages and sends replies all the while, each step a transaction of its own."""
    if url is None:
        yield
        return
    context = multiprocessing.get_context("spawn")
    begun, stop = context.Event(), context.Event()
    process = context.Process(target=_work, args=(url, begun, stop), daemon=True)
    process.start()
    if not begun.wait(60):
        raise RuntimeError("the workers beside did not begin")
    try:
        yield
    finally:
        stop.set()
        process.join(30)


def _work(url: str, begun: Event, stop: Event) -> None:
    os.environ["PGAPPNAME"] = BESIDE
    db = Database.open(url)
    number, owner = 0, "bench"
    while not stop.wait(1 / REPLIES_A_SECOND):
        now = datetime.now(UTC)
        number += 1
        with db.write() as conn:
            home = conversations.ensure_named(conn, DEFAULT_ACCOUNT, f"beside-{number % 50}", now)
            values: dict[str, Any] = {"request_id": None, "idempotency_key": f"beside-{now.timestamp()}"}
            outbox_queue.enqueue(conn, DEFAULT_ACCOUNT, home.id, "Yes, gladly.", now=now, **values)
        with db.write() as conn:
            until = now + timedelta(minutes=1)
            job = outbox_queue.claim(conn, DEFAULT_ACCOUNT, owner=owner, lease_until=until, now=now)
        if job is not None:
            with db.write() as conn:
                outbox_queue.arm(conn, job.id, owner, after_external_id=None, now=now)
            with db.write() as conn:
                outbox_queue.sent(
                    conn, job.id, [OutboxStatus.PROCESSING], f"sent-{job.id}", None, now, owner=owner
                )
        with db.write() as conn:
            for worker in ("sync", "send"):
                accounts.cycle_done(
                    conn, DEFAULT_ACCOUNT, worker, outcome="1 changed", duration_ms=80, ok=True, now=now
                )
        begun.set()
    db.close()


async def measure(
    db: Database,
    results: Results,
    rounds: int,
    tick: Callable[[str], None],
    number: int = CONVERSATIONS,
    beside: str | None = None,
) -> None:
    """On this (empty) database; ``beside`` is its address, if workers are to work on it meanwhile."""
    now = datetime.now(UTC)
    tick(f"{db.dialect}: {number:,} conversations and {number * 10:,} messages")
    newest = fill(db, now, number)
    add_runs(db)
    if beside is not None and db.dialect == "postgresql":
        with psycopg.connect(beside.replace("+psycopg", ""), autocommit=True) as conn:
            conn.execute("VACUUM ANALYZE")  # as it has long done by itself to rows of two years
    wakeup = Wakeup(db)
    app = make_app(
        Settings(), db, wakeup, is_conversation_id=lambda *_: True, clock=lambda: datetime.now(UTC)
    )
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 50_000))
    times: dict[str, list[float]] = {path: [] for path in pages(newest)}
    cpu: dict[str, list[float]] = {path: [] for path in times}
    served = dict.fromkeys(times, 0.0)
    tick(f"{len(times)} pages, {rounds} times")
    with workers_beside(beside):
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            for _ in range(rounds):
                for path, values in times.items():
                    server = used_by_server(db)
                    begun, worked = time.perf_counter(), time.process_time()
                    response = await client.get(path)
                    values.append((time.perf_counter() - begun) * 1000)
                    cpu[path].append((time.process_time() - worked) * 1000)
                    served[path] += (used_by_server(db) - server) * 1000
                    response.raise_for_status()
    wakeup.close()
    for path, values in times.items():
        name = path.partition("TWV")[0]
        results.series.append(Series(GROUP, f"{name}, wall", db.dialect, "ms", values))
        results.series.append(Series(GROUP, f"{name}, CPU", db.dialect, "ms", cpu[path]))
        if served[path]:
            mean = [served[path] / rounds]
            results.series.append(Series(GROUP, f"{name}, CPU of the server, mean", db.dialect, "ms", mean))


def used_by_server(db: Database) -> float:
    """Seconds of CPU that PostgreSQL has used for this process so far; 0 where the database is in the process."""
    if db.dialect != "postgresql":
        return 0.0
    with db.read() as conn:
        asked = "SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'client%' AND application_name <> :other"
        pids = conn.execute(text(asked), {"other": BESIDE}).scalars().all()
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def add_runs(db: Database) -> None:
    """Let the built-in assistant have answered every request, about four topics in turn."""
    steps = json.dumps([{"name": "draft", "outcome": "ok", "detail": "", "model": "main", "ms": 900}])
    common: dict[str, Any] = {"account": DEFAULT_ACCOUNT, "kind": "live", "state": "done", "action": "answer"}
    common |= {"language": "de", "confidence": 0.9, "steps": steps, "sources": "[]"}
    common |= {"prompt_tokens": 900, "completion_tokens": 100, "cost": 0.002}
    with db.write() as conn:
        asked = conn.execute(select(INBOX.c.id, INBOX.c.created_at)).all()
        for start in range(0, len(asked), 5_000):
            rows = [
                {"id": f"run-{request_id}", "request_id": request_id, "created_at": at, "finished_at": at}
                | {"topic": TOPICS[number % 4], "hold": "promise" if number % 7 == 0 else None}
                for number, (request_id, at) in enumerate(asked[start : start + 5_000])
            ]
            conn.execute(insert(RUNS), [{**common, **row} for row in rows])


def pages(newest: list[str]) -> list[str]:
    """Every kind of page, with every filter that asks the database something of its own."""
    deep = "2025-11-01T00:00:00+00:00~c5000"
    return [
        "/",
        "/conversations",
        f"/conversations?after={quote(deep)}",
        "/conversations?q=Camille",
        "/conversations?q=parken",
        "/conversations?q=nothing-says-this",
        "/conversations?state=waiting",
        "/conversations?state=open",
        "/conversations?state=skipped",
        "/conversations?mode=draft",
        "/conversations?listing=listing-3",
        f"/conversations/{quote(newest[0], safe='')}",
        "/outbox?state=draft",
        "/outbox?state=sent",
        "/outbox?state=cancelled",
        f"/outbox?state=sent&after={quote('2025-11-01T00:00:00+00:00~o5000-1')}",
        "/ai/missing-facts",
        "/ai/knowledge",
        "/ai/autonomy",
        "/ai/results",
        "/ai/results?topic=parking",
        "/reconnect",
        "/login",
        "/metrics",
        "/health",
    ]
