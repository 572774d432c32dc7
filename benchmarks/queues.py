"""The queue of replies: claim and complete, one consumer or several, beside plain SQLAlchemy Core and other queues.

A job is claimed in a transaction and completed in another one; both are on the disk when they are answered
(SQLite ``synchronous=FULL``, PostgreSQL as it comes, Redis ``appendfsync always``, huey ``fsync``).
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, event, insert, select, text, update

from benchmarks.house import ROOT, environment
from benchmarks.results import Results
from benchmarks.servers import Missing, new_database, postgres, redis
from benchmarks.sizes import Size
from src.db import outbox_queue
from src.db.engine import Connection, Database
from src.db.statements import CONVERSATIONS, OUTBOX
from src.model.sending import Receipt
from src.model.statuses import OutboxStatus
from src.model.values import DEFAULT_ACCOUNT, utc_now

GROUP = "Queue: claim and complete, durable"
LEASE = timedelta(minutes=5)
PEERS = ("huey", "procrastinate", "dramatiq", "arq")
_SLOW = {"procrastinate", "dramatiq", "arq"}
ROUNDS = 3
AT_ONCE = 8
SEVERAL = f"ours, {AT_ONCE} in hand"


def steps(size: Size) -> int:
    return 2 * (1 + len(size.deep_rows)) + len(PEERS)


def run(size: Size, results: Results, tick: Callable[[str], None]) -> None:
    """Ours and Core in turn on both databases, then the peers, then several processes and long tables."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        folder = Path(name)
        server = None
        try:
            server = stack.enter_context(postgres())
        except Missing as missing:
            results.troubles.append(f"queue on PostgreSQL: {missing}")
        for dialect in ("SQLite", "PostgreSQL"):
            tick(f"queue on {dialect}")
            if dialect == "SQLite" or server:
                _both(size, results, dialect, folder, server)
        for peer in PEERS:
            tick(f"queue of {peer}")
            _peer(size, results, peer, folder, server)
        for rows in size.deep_rows:
            for dialect in ("SQLite", "PostgreSQL"):
                tick(f"claims beside {rows:,} rows on {dialect}")
                if dialect == "SQLite" or server:
                    _deep(results, dialect, rows, _new_url(dialect, folder, server, f"deep{rows}"))


def _new_url(dialect: str, folder: Path, server: str | None, name: str) -> str:
    if dialect == "SQLite":
        return f"sqlite:///{folder}/{name}.db"
    assert server is not None
    return new_database(server, name)


def _both(size: Size, results: Results, dialect: str, folder: Path, server: str | None) -> None:
    for turn in range(ROUNDS):
        for who in ("ours", SEVERAL, "plain Core"):
            url = _new_url(dialect, folder, server, f"one{turn}{who[:4]}")
            fill(url, size.jobs)
            told = _consumers(who, url, 1)[0]
            results.add(GROUP, dialect, who, "jobs/s", [told["done"] / told["seconds"]])
            results.add(GROUP, dialect, who, "µs CPU a job", [told["cpu"] / told["done"] * 1e6])
    for processes in (2, 4):
        url = _new_url(dialect, folder, server, f"many{processes}")
        fill(url, size.jobs)
        told_by = _consumers("ours", url, processes)
        ids = [one for told in told_by for one in told["ids"]]
        doubles = len(ids) - len(set(ids))
        lost = size.jobs - len(set(ids))
        case = f"{dialect}, {processes} processes"
        results.add(GROUP, case, "ours", "jobs/s", [len(ids) / max(told["seconds"] for told in told_by)])
        results.add(GROUP, case, "ours", "doubles", [float(doubles)])
        results.add(GROUP, case, "ours", "lost", [float(lost)])


def fill(url: str, jobs: int) -> None:
    """So many pending replies, each in a conversation of its own."""
    db = Database.open(url)
    now = utc_now()
    with db.write() as conn:
        conn.execute(insert(CONVERSATIONS), [_conversation(n, now) for n in range(jobs)])
        conn.execute(
            insert(OUTBOX),
            [
                {
                    "id": f"job-{n:08}",
                    "account": DEFAULT_ACCOUNT,
                    "conversation_id": f"conversation-{n:08}",
                    "status": OutboxStatus.PENDING,
                    "text": "Thank you for your message, and see you soon.",
                    "idempotency_key": f"key-{n:08}",
                    "due_at": now,
                    "attempts": 0,
                    "arm_count": 0,
                    "created_at": now + timedelta(microseconds=n),
                }
                for n in range(jobs)
            ],
        )
        if db.dialect == "postgresql":
            conn.execute(text("ANALYZE"))
    db.close()


def _conversation(n: int, now: datetime) -> dict[str, Any]:
    return {
        "id": f"conversation-{n:08}",
        "account": DEFAULT_ACCOUNT,
        "external_id": f"external-{n:08}",
        "stay": "{}",
        "created_at": now,
        "updated_at": now,
    }


# --- consumers, each a process --------------------------------------------------------------------------------


def _consumers(who: str, url: str, number: int) -> list[dict[str, Any]]:
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.queues", who, url],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(number)
    ]
    for one in started:
        assert one.stdout is not None
        one.stdout.readline()  # it is ready
    for one in started:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    said = [one.communicate(timeout=600)[0] for one in started]
    return [json.loads(told) for told in said]


def consume(who: str, url: str) -> dict[str, Any]:
    """Claim and complete until nothing is left."""
    db = Database.open(url)
    owner, ids = f"bench-{os.getpid()}", list[str]()
    take = {"ours": _take_ours, SEVERAL: _take_several}.get(who, _take_plainly)
    print("ready", flush=True)
    sys.stdin.readline()
    began, used = time.perf_counter(), time.process_time()
    while taken := take(db, owner):
        ids += taken
    spent, cpu = time.perf_counter() - began, time.process_time() - used
    db.close()
    return {"seconds": spent, "cpu": cpu, "done": len(ids), "ids": ids}


def _take_ours(db: Database, owner: str) -> list[str]:
    now = utc_now()
    with db.write() as conn:
        job = outbox_queue.claim(conn, DEFAULT_ACCOUNT, owner=owner, lease_until=now + LEASE, now=now)
    if job is None:
        return []
    with db.write() as conn:
        outbox_queue.sent(conn, job.id, (OutboxStatus.PROCESSING,), None, None, utc_now(), owner=owner)
    return [job.id]


def _take_several(db: Database, owner: str) -> list[str]:
    """As SEND does on a channel that may have several conversations in hand."""
    now = utc_now()
    with db.write() as conn:
        jobs = outbox_queue.claim_many(
            conn, DEFAULT_ACCOUNT, owner=owner, lease_until=now + LEASE, now=now, limit=AT_ONCE
        )
    if not jobs:
        return []
    with db.write() as conn:
        outbox_queue.sent_many(conn, owner, {job.id: Receipt(f"m-{job.id}") for job in jobs}, utc_now())
    return [job.id for job in jobs]


_NEXT = (
    select(OUTBOX.c.id)
    .where(OUTBOX.c.account == DEFAULT_ACCOUNT, OUTBOX.c.status == text("'pending'"))
    .order_by(OUTBOX.c.created_at, OUTBOX.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
_CLAIM = (
    update(OUTBOX)
    .where(OUTBOX.c.id == _NEXT)
    .values(status="processing", claimed_by=bindparam("who"))
    .returning(OUTBOX.c.id, OUTBOX.c.text)
)
_DONE = (
    update(OUTBOX)
    .where(OUTBOX.c.id == bindparam("job"))
    .values(status="sent", processed_at=bindparam("at"), claimed_by=None)
)


def _take_plainly(db: Database, owner: str) -> list[str]:
    """The same two transactions on the same table, without lines, guards, leases or rows as objects."""
    with db.write() as conn:
        row = conn.execute(_CLAIM, {"who": owner}).first()
    if row is None:
        return []
    with db.write() as conn:
        conn.execute(_DONE, {"job": row.id, "at": utc_now()})
    return [str(row.id)]


# --- a long table ------------------------------------------------------------------------------------------


def _deep(results: Results, dialect: str, rows: int, url: str) -> None:
    """Claims from a table with so many rows that are done."""
    fill(url, 60)
    db = Database.open(url)
    with db.write() as conn:
        _fill_with_history(conn, db.dialect, rows)
        if db.dialect == "postgresql":
            conn.execute(text("ANALYZE queue_outbox"))
    if db.path is not None:
        # What was just filled in is put away first: each commit would else carry a part of it into the file.
        with contextlib.closing(sqlite3.connect(db.path)) as file:
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    claims: list[float] = []
    for n in range(50):
        now = utc_now()
        began = time.perf_counter()
        with db.write() as conn:
            if n == 0:
                results.plans[f"claim beside {rows:,} rows, {dialect}"] = _plan_of_claim(conn, db.dialect)
                began = time.perf_counter()
            job = outbox_queue.claim(conn, DEFAULT_ACCOUNT, owner="b", lease_until=now + LEASE, now=now)
        claims.append((time.perf_counter() - began) * 1000)
        assert job is not None
    db.close()
    results.add(GROUP, f"one claim beside {rows:,} rows, {dialect}", "ours", "ms", claims)


def _fill_with_history(conn: Connection, dialect: str, rows: int) -> None:
    numbers = (
        f"SELECT generate_series(1, {rows}) AS n"
        if dialect == "postgresql"
        else f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {rows}) SELECT n FROM c"
    )
    long_ago = "2026-01-01 00:00:00+00" if dialect == "postgresql" else "2026-01-01 00:00:00.000000"
    padded = "lpad(CAST(n AS text), 8, '0')" if dialect == "postgresql" else "printf('%08d', n)"
    home = "lpad(CAST(n % 60 AS text), 8, '0')" if dialect == "postgresql" else "printf('%08d', n % 60)"
    conn.execute(
        text(
            "INSERT INTO queue_outbox (id, account, conversation_id, status, text, idempotency_key, due_at,"
            " attempts, arm_count, created_at, processed_at)"
            f" SELECT 'old-' || {padded}, 'default', 'conversation-' || {home}, 'sent', 'Long ago',"
            f" 'old-' || {padded}, '{long_ago}', 1, 0, '{long_ago}', '{long_ago}' FROM ({numbers}) AS numbers"
        )
    )


def _plan_of_claim(conn: Connection, dialect: str) -> list[str]:
    said: list[tuple[str, Any]] = []

    def note(_c: Any, _k: Any, statement: str, parameters: Any, _x: Any, _many: bool) -> None:
        said.append((statement, parameters))

    event.listen(conn, "before_cursor_execute", note)
    now = utc_now()
    with conn.begin_nested() as savepoint:
        outbox_queue.claim(conn, DEFAULT_ACCOUNT, owner="plan", lease_until=now + LEASE, now=now)
        savepoint.rollback()
    event.remove(conn, "before_cursor_execute", note)
    statement, parameters = next(one for one in said if one[0].startswith("UPDATE"))
    explain = "EXPLAIN QUERY PLAN" if dialect == "sqlite" else "EXPLAIN"
    return [str(row[-1]) for row in conn.exec_driver_sql(f"{explain} {statement}", parameters)]


# --- the peers ---------------------------------------------------------------------------------------------


def _peer(size: Size, results: Results, peer: str, folder: Path, server: str | None) -> None:
    python = os.environ.get("BENCH_PEERS_PYTHON", "")
    if not Path(python).is_file():
        results.troubles.append(f"{peer}: its packages are not there (BENCH_PEERS_PYTHON)")
        return
    jobs = size.jobs // 10 if peer in _SLOW else size.jobs
    with ExitStack() as stack:
        if peer == "procrastinate" and server is None:
            results.troubles.append(f"{peer}: PostgreSQL is not installed")
            return
        try:
            if peer in ("dramatiq", "arq"):
                address = stack.enter_context(redis())
            elif peer == "procrastinate":
                assert server is not None
                address = new_database(server, "procrastinate").replace("+psycopg", "")
            else:
                address = str(folder / "huey.db")
        except Missing as missing:
            results.troubles.append(f"{peer}: {missing}")
            return
        for _ in range(ROUNDS):
            ended = subprocess.run(
                [python, str(ROOT / "benchmarks" / "peers.py"), peer, address, str(jobs)],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            if ended.returncode:
                results.troubles.append(f"{peer}: {ended.stderr.strip().splitlines()[-1:]}")
                return
            told = json.loads(ended.stdout.splitlines()[-1])
            results.add(GROUP, told["store"], peer, "jobs/s", [told["done"] / told["seconds"]])
            results.add(GROUP, told["store"], peer, "µs CPU a job", [told["cpu"] / told["done"] * 1e6])


if __name__ == "__main__":
    print(json.dumps(consume(sys.argv[1], sys.argv[2])))
