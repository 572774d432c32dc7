"""From a row of an app to the answer in its table, through the real command, beside the floor in the same run.

    python -m benchmarks.app_latency [--messages 200] [--gap-ms 150]

One message after the other, each in the conversation of the last answer. The AI answers at once, in its
response. Where the time goes is read from the product's own rows. The floor does in one loop, on the same server,
what any answer needs: LISTEN, read the conversation, commit two rows here, compare-and-insert there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from benchmarks.house import ROOT, InstantAI, environment, free_port, read_http
from benchmarks.servers import postgres
from sandbox.pgnotify.app import MAPPING, App

READY_SEC, ANSWER_SEC = 60.0, 30.0
STEPS = (
    "row to request",
    "request to answer",
    "answer to arm",
    "arm to the app's row",
    "row to seen by the user",
)


class AnswersInItsResponse(InstantAI):
    """The answer is the body of the response."""

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await read_http(reader)
            body = json.dumps({"message": f"Answer {uuid4()}"}).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
                + f"content-length: {len(body)}\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        finally:
            writer.close()


@contextmanager
def product(app: App, ai_url: str, folder: Path) -> Iterator[Path]:
    """``syncsend`` on the app; yields its database."""
    (folder / "app.toml").write_text(MAPPING)
    accounts = folder / "accounts.toml"
    accounts.write_text(
        '[[account]]\nname = "bea"\nchannel = "pgnotify"\nurl = "env:APP_URL"\n'
        f'mapping = "{folder}/app.toml"\nreply_mode = "auto"\n'
    )
    accounts.chmod(0o600)
    no_caps = (
        "CONVERSATION_HOUR",
        "CONVERSATION_DAY",
        "ACCOUNT_HOUR",
        "ROUNDS",
        "SAME_MESSAGE",
        "SAME_REPLY",
    )
    given = environment(
        ACCOUNTS_FILE=str(accounts),
        APP_URL=app.url,
        AI_WEBHOOK_URL=ai_url,
        DATABASE_URL=f"sqlite:///{folder}/inbox.db",
        LOG_DIR=str(folder / "logs"),
        PLAYWRIGHT_SESSION_DIR=str(folder / "session"),
        API_PORT=str(free_port()),
        GROUPING_DELAY_SEC="0",
        GROUPING_MAX_SEC="0",
        **{f"REPLY_CAP_{name}": "1000000" for name in no_caps},
    )
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "src/main.py"), "syncsend"],
            cwd=ROOT,
            env=given,
            stdout=output,
            stderr=output,
        )
        try:
            yield folder / "inbox.db"
        except BaseException:
            print((folder / "output").read_text()[-4000:], file=sys.stderr)
            raise
        finally:
            process.terminate()
            process.wait(60)


@dataclass(frozen=True, slots=True)
class Taken:
    """One message: when the app began to write it, how long until its user could see the answer."""

    message: str
    seconds: float
    seen: datetime


def measure(app: App, messages: int, gap: float) -> list[Taken]:
    """The app writes, waits for the answer's row, and writes again."""
    match, taken = app.match(), list[Taken]()
    listener = psycopg.connect(app.url, autocommit=True)
    listener.execute("LISTEN bot_events")
    for number in range(messages + 1):
        before = len(app.answers(match))
        began = time.perf_counter()
        message = app.user_writes(match, f"Question {number}")
        deadline = began + (READY_SEC if number == 0 else ANSWER_SEC)
        while len(app.answers(match)) == before:
            if time.perf_counter() > deadline:
                raise SystemExit("There was no answer: look at the output of the product.")
            for _ in listener.notifies(timeout=0.05, stop_after=1):
                break
        if number:  # the first one waits for the start
            taken.append(Taken(message, time.perf_counter() - began, datetime.now(UTC)))
        time.sleep(gap)
    listener.close()
    return taken


def breakdown(app: App, database: Path, taken: list[Taken]) -> dict[str, dict[str, float]]:
    """Milliseconds of each step, by the product's rows and the app's."""
    ours = sqlite3.connect(database)
    rows = ours.execute(
        "SELECT m.external_id, i.created_at, i.processed_at, o.armed_at, o.receipt_external_id"
        " FROM messages m JOIN queue_inbox i ON i.id = m.request_id JOIN queue_outbox o ON o.request_id = i.id"
    ).fetchall()
    ours.close()
    by_message = {row[0]: row[1:] for row in rows}
    steps: dict[str, list[float]] = {step: [] for step in STEPS}
    for one in taken:
        made, answered, armed, receipt = by_message[one.message]
        written, replied = (
            app.conn.execute("SELECT created_at FROM messages WHERE id = %s", (row,)).fetchone()[0]  # type: ignore[index]
            for row in (one.message, receipt)
        )
        times = [written, _time(made), _time(answered), _time(armed), replied, one.seen]
        for step, (before, after) in zip(STEPS, pairwise(times), strict=True):
            steps[step].append((after - before).total_seconds())
    return {step: quantiles(seconds) for step, seconds in steps.items()}


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def floor(app: App, database: Path, messages: int, gap: float) -> list[float]:
    """The same rows with nothing around them: psycopg and sqlite3 alone, in one thread."""
    stop, listens = threading.Event(), threading.Event()

    def answering() -> None:
        here = sqlite3.connect(database, isolation_level=None)
        here.execute("PRAGMA journal_mode=WAL")
        here.execute("PRAGMA synchronous=FULL")
        here.execute("CREATE TABLE messages (id TEXT PRIMARY KEY, text TEXT)")
        here.execute("CREATE TABLE replies (id TEXT PRIMARY KEY, text TEXT)")
        bell = psycopg.connect(app.url, autocommit=True)
        bell.execute("LISTEN bot_events")
        there = psycopg.connect(app.url)
        listens.set()
        while not stop.is_set():
            for note in bell.notifies(timeout=0.2, stop_after=1):
                told = json.loads(note.payload)
                if told["sender_id"] == told["bot_id"]:
                    continue
                home = told["match_id"]
                rows = there.execute(
                    "SELECT id::text, content FROM messages WHERE match_id = %s ORDER BY created_at",
                    (told["match_id"],),
                ).fetchall()
                there.commit()
                here.execute("INSERT INTO messages VALUES (?, ?)", rows[-1])
                reply = str(uuid4())
                here.execute("INSERT INTO replies VALUES (?, ?)", (reply, "Answer"))
                there.execute("SELECT 1 FROM matches WHERE id = %s FOR UPDATE", (told["match_id"],))
                there.execute(
                    "INSERT INTO messages (id, match_id, sender_id, content)"
                    " SELECT %s::uuid, %s::uuid, %s::uuid, %s"
                    " WHERE (SELECT count(*) FROM messages WHERE match_id = %s) = %s",
                    (reply, home, told["bot_id"], f"Answer {reply}", home, len(rows)),
                )
                there.commit()
                here.execute("UPDATE replies SET text = 'sent' WHERE id = ?", (reply,))
        for one in (bell, there, here):
            one.close()

    worker = threading.Thread(target=answering)
    worker.start()
    listens.wait()
    try:
        return [one.seconds for one in measure(app, messages, gap)]
    finally:
        stop.set()
        worker.join()


def quantiles(seconds: list[float]) -> dict[str, float]:
    """Milliseconds."""
    cuts = statistics.quantiles(seconds, n=100)
    return {
        "p50": round(cuts[49] * 1000, 1),
        "p95": round(cuts[94] * 1000, 1),
        "p99": round(cuts[98] * 1000, 1),
    }


def run(messages: int, gap: float) -> dict[str, Any]:
    """Floor, product, floor again: a loaded machine shows in the difference of the two floors."""
    with postgres() as address, tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def app_on(number: int) -> App:
            with psycopg.connect(address.replace("+psycopg", ""), autocommit=True) as conn:
                conn.execute(f"CREATE DATABASE app{number}".encode())
            return App(address.rpartition("/")[0] + f"/app{number}")

        found: dict[str, Any] = {"load": os.getloadavg()[0], "messages": messages}
        floors = [_with(app_on(1), lambda app: floor(app, folder / "floor1.db", messages, gap))]
        with AnswersInItsResponse() as ai:
            app = app_on(2)
            with product(app, ai.url, folder) as database:
                taken = measure(app, messages, gap)
                time.sleep(0.5)
            found["insert to answer, ms"] = quantiles([one.seconds for one in taken])
            found["of it, ms"] = breakdown(app, database, taken)
            app.close()
        floors.append(_with(app_on(3), lambda app: floor(app, folder / "floor2.db", messages, gap)))
        found["floor, ms"] = [quantiles(one) for one in floors]
        return found


def _with(app: App, work: Callable[[App], list[float]]) -> list[float]:
    try:
        return work(app)
    finally:
        app.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--gap-ms", type=float, default=150)
    given = parser.parse_args()
    print(json.dumps(run(given.messages, given.gap_ms / 1000), indent=1))


if __name__ == "__main__":
    main()
