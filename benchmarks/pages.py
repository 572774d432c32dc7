"""The dashboard's pages on an inbox of 10,000 conversations and 100,000 messages: server time of each page."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
from sqlalchemy import insert, select

from benchmarks.crowd import fill
from benchmarks.results import Results, Series
from benchmarks.sizes import Size
from src.commands.serving import make_app
from src.db.engine import Database
from src.db.statements import INBOX, RUNS
from src.db.wakeup import Wakeup
from src.model.autonomy import TOPICS
from src.model.values import DEFAULT_ACCOUNT
from src.settings import Settings

GROUP = "Dashboard"
CONVERSATIONS = 10_000


def steps(_size: Size) -> int:
    return 2


async def run(size: Size, results: Results, tick: Callable[[str], None]) -> None:
    """Every page in turn, several times; a page is timed from the request to its last byte, without a network."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        db = Database.open(f"sqlite:///{folder}/inbox.db")
        try:
            await measure(db, results, 3 if size.name == "tiny" else 10 * size.rounds, tick)
        finally:
            db.close()


async def measure(
    db: Database,
    results: Results,
    rounds: int,
    tick: Callable[[str], None],
    conversations: int = CONVERSATIONS,
) -> None:
    """On this (empty) database."""
    now = datetime.now(UTC)
    tick(f"a database of {conversations:,} conversations and {conversations * 10:,} messages")
    newest = fill(db, now, conversations)
    add_runs(db)
    wakeup = Wakeup(db)
    app = make_app(Settings(), db, wakeup, is_conversation_id=lambda *_: True, clock=lambda: now)
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 50_000))
    times: dict[str, list[float]] = {path: [] for path in pages(newest)}
    cpu: dict[str, list[float]] = {path: [] for path in times}
    tick(f"{len(times)} pages, {rounds} times")
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        for _ in range(rounds):
            for path, values in times.items():
                begun, worked = time.perf_counter(), time.process_time()
                response = await client.get(path)
                values.append((time.perf_counter() - begun) * 1000)
                cpu[path].append((time.process_time() - worked) * 1000)
                response.raise_for_status()
    wakeup.close()
    for path, values in times.items():
        name = path.partition("TWV")[0]
        results.series.append(Series(GROUP, f"{name}, wall", db.dialect, "ms", values))
        results.series.append(Series(GROUP, f"{name}, CPU", db.dialect, "ms", cpu[path]))


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
        "/login",
    ]
