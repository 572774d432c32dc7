"""The callback API under load: ours with its checks, and the bare equivalents, in turn. SQLite, FULL."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert

from benchmarks.house import ROOT, environment, free_port, http_post, read_http
from benchmarks.results import Results
from benchmarks.sizes import Size
from src.api.server import serve
from src.channels.airbnb import ids
from src.commands.serving import make_app
from src.db import accounts
from src.db.engine import Database
from src.db.statements import CONVERSATIONS, INBOX
from src.db.wakeup import Wakeup
from src.model.statuses import InboxStatus
from src.model.values import DEFAULT_ACCOUNT, utc_now
from src.services import tokens
from src.settings import load_settings
from src.workers.parts import Parts

GROUP = "Callback API"
CLIENTS = 16
ROUNDS = 3
WHO = {
    "ours": "ours",
    "plain": "FastAPI + sqlite3 insert",
    "core": "FastAPI + Core insert",
    "fastapi": "FastAPI echo",
    "starlette": "Starlette echo",
}
PATH = "/api/ai/webhook-simple"


def steps(_size: Size) -> int:
    return len(WHO)


def run(size: Size, results: Results, tick: Callable[[str], None]) -> None:
    """Each server is a process; the clients are in this one."""
    for turn in range(ROUNDS):
        for kind, who in WHO.items():
            if turn == 0:
                tick(f"callback API: {who}")
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                _serve_and_load(size, results, kind, who, Path(folder))


def _serve_and_load(size: Size, results: Results, kind: str, who: str, folder: Path) -> None:
    path, port = folder / "inbox.db", free_port()
    warm_up = 64
    requests = _prepare(path, size.calls + warm_up, port, with_tokens=kind == "ours")
    module = "benchmarks.callbacks" if kind == "ours" else "benchmarks.bare_apis"
    server = subprocess.Popen(
        [sys.executable, "-m", module, kind, str(path), str(port)], cwd=ROOT, env=environment()
    )
    try:
        asyncio.run(_until_open(port))
        asyncio.run(_load(port, requests[:warm_up], CLIENTS))
        waits, spent = asyncio.run(_load(port, requests[warm_up:], CLIENTS))
        results.add(GROUP, f"{CLIENTS} clients", who, "requests/s", [len(waits) / spent])
        results.add(GROUP, f"{CLIENTS} clients, each call", who, "ms", waits)
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _prepare(path: Path, calls: int, port: int, *, with_tokens: bool) -> list[bytes]:
    """The requests as bytes; for ours there is a waiting request to the AI behind each of them."""
    db = Database.open(f"sqlite:///{path}")
    fill(db, 0, calls, with_requests=with_tokens)
    made = []
    for n in range(calls):
        token = tokens.make(db.secret, request_id(n)) if with_tokens else ""
        body = {"conversation_id": conversation(n), "message": f"Thank you for your message, number {n}."}
        made.append(http_post(f"{PATH}?token={token}" if token else PATH, json.dumps(body).encode(), port))
    db.close()
    return made


def fill(db: Database, begin: int, calls: int, *, with_requests: bool) -> None:
    """So many conversations, numbered from ``begin``, each with a request that waits for its answer."""
    now = utc_now()
    with db.write() as conn:
        accounts.ensure(conn, DEFAULT_ACCOUNT, now)
        common = {"account": DEFAULT_ACCOUNT, "stay": "{}", "created_at": now, "updated_at": now}
        homes = [{"id": "home", "external_id": "home"}] if begin == 0 else []
        homes += [{"id": f"c{n}", "external_id": conversation(n)} for n in range(begin, begin + calls)]
        conn.execute(insert(CONVERSATIONS), [one | common for one in homes])
        if with_requests:
            later = now + timedelta(hours=4)
            conn.execute(
                insert(INBOX),
                [
                    {
                        "id": request_id(n),
                        "account": DEFAULT_ACCOUNT,
                        "conversation_id": f"c{n}",
                        "status": InboxStatus.WAITING,
                        "newest_external_id": "m",
                        "due_at": now,
                        "burst_until": now,
                        "reply_by": later,
                        "attempts": 1,
                        "created_at": now,
                    }
                    for n in range(begin, begin + calls)
                ],
            )


def request_id(n: int) -> str:
    """Ours, of the request behind the call with this number."""
    return f"00000000-0000-4000-8000-{n:012}"


def conversation(n: int) -> str:
    """The site's id of the conversation of that call."""
    return ids.encode("MessageThread", 7_000_000 + n)


async def _until_open(port: int) -> None:
    for _ in range(600):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise TimeoutError("the server did not start")


async def _load(port: int, requests: list[bytes], clients: int) -> tuple[list[float], float]:
    """Milliseconds of each call, and the seconds of all."""
    waiting, waits = list(reversed(requests)), list[float]()

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while waiting:
            request = waiting.pop()
            began = time.perf_counter()
            writer.write(request)
            status, body = await read_http(reader)
            waits.append((time.perf_counter() - began) * 1000)
            if status != 200:
                raise RuntimeError(f"a callback was answered with {status}: {body[:200]!r}")
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return waits, time.perf_counter() - began


NO_CAPS = {
    f"REPLY_CAP_{name}": "1000000"
    for name in (
        "CONVERSATION_HOUR",
        "CONVERSATION_DAY",
        "ACCOUNT_HOUR",
        "ROUNDS",
        "SAME_MESSAGE",
        "SAME_REPLY",
    )
}


def main() -> None:
    """Our API as ``api`` serves it, without its log files."""
    from loguru import logger

    logger.remove()
    url, port = f"sqlite:///{sys.argv[2]}", int(sys.argv[3])
    settings = load_settings(
        Path(sys.argv[2]).parent, {"DATABASE_URL": url, "API_PORT": str(port), "API_KEY": "k" * 32, **NO_CAPS}
    )
    db = Database.open(url)
    app = make_app(settings, db, Wakeup(db), is_conversation_id=Parts().is_conversation_id)
    asyncio.run(serve(app, "127.0.0.1", port))


if __name__ == "__main__":
    main()
