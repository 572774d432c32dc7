"""Callback → claim: from the AI's call on the wire to the commit that gives the reply to the SEND worker.

The worker is the product's own with its own waiting; only the delivery after the claim is left out.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

from benchmarks.house import ROOT, environment, free_port, http_post, read_http
from benchmarks.inbox import RULES
from benchmarks.results import Results
from benchmarks.servers import Missing, new_database, postgres
from benchmarks.sizes import Size
from src.api.server import serve
from src.channels.airbnb import ids
from src.channels.base import Channel
from src.commands.serving import make_app
from src.db import accounts, outbox_queue
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.model.rows import Job
from src.model.statuses import OutboxStatus
from src.model.values import DEFAULT_ACCOUNT, utc_now
from src.services.send import Send
from src.settings import Settings, load_settings
from src.workers.heartbeats import Heartbeats
from src.workers.parts import Parts
from src.workers.send_worker import SendWorker
from src.workers.turns import Turns

GROUP = "Callback → claim"


def steps(_size: Size) -> int:
    return 4


def run(size: Size, results: Results, tick: Callable[[str], None]) -> None:
    """In one process and across two, on both databases."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        folder, server = Path(name), None
        try:
            server = stack.enter_context(postgres())
        except Missing as missing:
            results.troubles.append(f"claims on PostgreSQL: {missing}")
        for dialect in ("SQLite", "PostgreSQL"):
            for roles in (["both"], ["api", "send"]):
                tick(f"callback → claim, {dialect}, {len(roles)} process(es)")
                database = f"{dialect}{len(roles)}".lower()
                if dialect == "SQLite":
                    url = f"sqlite:///{folder}/{database}.db"
                elif server is not None:
                    url = new_database(server, database)
                else:
                    continue
                case = f"{dialect}, {'one process' if len(roles) == 1 else 'two processes'}"
                _measure(size, results, case, roles, url)


def _measure(size: Size, results: Results, case: str, roles: list[str], url: str) -> None:
    port = free_port()
    db = Database.open(url)
    with db.write() as conn:
        accounts.ensure(conn, DEFAULT_ACCOUNT, utc_now())
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.claims", role, url, str(port)],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for role in roles
    ]
    try:
        for one in started:
            assert one.stdout is not None
            assert one.stdout.readline().strip() == "ready"
        time.sleep(0.5)
        called = asyncio.run(_call(size.claims, port))
        time.sleep(1.0)
        said = [json.loads(one.communicate("", timeout=60)[0]) for one in started]
    finally:
        for one in started:
            if one.poll() is None:
                one.kill()
                one.wait()
        db.close()
    claimed: dict[str, float] = {job: at for told in said for job, at in told.items()}
    missing = [job for job in called if job not in claimed]
    if missing:
        results.troubles.append(f"{case}: {len(missing)} of {len(called)} replies were not claimed in time")
    waits = [(claimed[job] - began) * 1000 for job, (began, _) in called.items() if job in claimed]
    after = [(claimed[job] - ended) * 1000 for job, (_, ended) in called.items() if job in claimed]
    results.add(GROUP, f"call on the wire → claimed, {case}", "ours", "ms", waits)
    results.add(GROUP, f"call answered → claimed, {case}", "ours", "ms", after)


async def _call(number: int, port: int) -> dict[str, tuple[float, float]]:
    """Reply id → when its callback left and when it was answered. Slow enough that the worker waits each time."""
    found: dict[str, tuple[float, float]] = {}
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for n in range(number):
        await asyncio.sleep(0.03 + 0.02 * (n % 4))
        body = {"conversation_id": ids.encode("MessageThread", 5_000_000 + n), "message": f"Answer {n}"}
        began = time.monotonic()
        writer.write(http_post("/api/ai/webhook-simple", json.dumps(body).encode(), port))
        status, told = await read_http(reader)
        ended = time.monotonic()
        if status != 200:
            raise RuntimeError(f"the callback was answered with {status}: {told[:200]!r}")
        if n:  # the first one also pays for what is made once
            found[json.loads(told)["outbox_id"]] = (began, ended)
    writer.close()
    return found


# --- the processes -------------------------------------------------------------------------------------------


class _ClaimOnly(Send):
    """The SEND step up to the claim."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        super().__init__(
            db, account=DEFAULT_ACCOUNT, owner="bench", rules=RULES, wakeup=wakeup, clock=utc_now
        )
        self.database = db
        self.claimed: dict[str, float] = {}

    async def _deliver(self, channel: Channel, job: Job, keep_going: Callable[[], bool]) -> None:  # noqa: ARG002
        self.claimed[job.id] = time.monotonic()
        await asyncio.to_thread(self._put_aside, job)

    def _put_aside(self, job: Job) -> None:
        with self.database.write() as conn:
            outbox_queue.cancelled(conn, job.id, [OutboxStatus.PROCESSING], "benchmark", utc_now())


class _NoBrowser:
    """Turns without anything to take turns at."""

    @asynccontextmanager
    async def turn(self, who: str) -> AsyncIterator[None]:  # noqa: ARG002
        yield None

    async def yield_turn(self, who: str) -> None: ...


def _settings(url: str, port: int, folder: Path) -> Settings:
    return load_settings(folder, {"DATABASE_URL": url, "API_PORT": str(port), "LOG_DIR": str(folder)})


async def _live(role: str, url: str, port: int, folder: Path) -> dict[str, float]:
    settings, stop = _settings(url, port, folder), asyncio.Event()
    db = Database.open(url)
    wakeup = Wakeup(db, ["outbox"])
    send = _ClaimOnly(db, wakeup)
    running: list[asyncio.Task[Any]] = []
    if role in ("api", "both"):
        app = make_app(settings, db, Wakeup(db), is_conversation_id=Parts().is_conversation_id)
        running.append(asyncio.create_task(serve(app, "127.0.0.1", port, stop=stop)))
    if role in ("send", "both"):
        beats = Heartbeats(db, DEFAULT_ACCOUNT, utc_now)
        beats.started("send")
        worker = SendWorker(
            send,
            cast("Turns", _NoBrowser()),
            beats,
            wakeup=wakeup,
            interval=15.0,
            clock=utc_now,
        )
        running.append(asyncio.create_task(worker.run(stop)))
    await asyncio.sleep(0.5)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    stop.set()
    await asyncio.wait(running, timeout=10)
    db.close()
    return send.claimed


def main() -> None:
    """One of the processes, until its input is closed."""
    from loguru import logger

    logger.remove()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        print(json.dumps(asyncio.run(_live(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(folder)))))


if __name__ == "__main__":
    main()
