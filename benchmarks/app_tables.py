"""An app's own tables as an inbox: from a row to the answer, races at the press, cuts, long conversations.

    python -m benchmarks.app_tables [--races 1500] [--cuts 100] [--messages 300]

Needs the programs of PostgreSQL. Everything is thrown away afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from loguru import logger
from pydantic import SecretStr

from sandbox.pgnotify.app import MAPPING, App, insert
from sandbox.postgres import postgres_programs
from src.channels.base import Place
from src.channels.pgnotify.channel import PgnotifyChannel
from src.channels.pgnotify.settings import PgnotifySettings
from src.db.engine import Database
from src.errors import NotPressed
from src.model.sending import Press
from tests.channels.pgnotify.whole import Whole
from tests.support.databases import running_postgres


@contextmanager
def world(folder: Path) -> Iterator[tuple[App, PgnotifyChannel]]:
    """An app on a throw-away server, and the channel on it, closed."""
    programs = postgres_programs()
    if programs is None:
        raise SystemExit("PostgreSQL is not installed here.")
    place = folder / "server"
    place.mkdir()
    with running_postgres(programs, place) as server:
        (url,) = [*_first(server.new_database())]
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as conn:
            conn.execute("ALTER SYSTEM SET track_commit_timestamp = on")
        with server.stopped("fast"):
            """It takes a start for that to hold."""
        app = App(url)
        mapping = folder / "mapping.toml"
        mapping.write_text(MAPPING)
        settings = PgnotifySettings(url=SecretStr(app.url), mapping=mapping)
        yield app, PgnotifyChannel(settings, Place(account="a", session_dir=folder, evidence_dir=folder))
        app.close()


def _first(databases: Iterator[str]) -> Iterator[str]:
    yield next(databases)


def quantiles(seconds: list[float]) -> dict[str, float]:
    """Milliseconds."""
    cuts = statistics.quantiles(seconds, n=100)
    return {
        "p50": round(cuts[49] * 1000, 1),
        "p95": round(cuts[94] * 1000, 1),
        "p99": round(cuts[98] * 1000, 1),
    }


async def whole_way(app: App, channel: PgnotifyChannel, db: Database, messages: int) -> dict[str, Any]:
    """A user's INSERT until the answer is in the table, with an AI that takes no time."""
    whole = Whole(db, channel)
    match = app.match()
    taken = []
    await whole.settle()
    for number in range(messages):
        began = time.perf_counter()
        app.user_writes(match, f"Message {number}")
        while not app.answers(match)[number:]:
            await channel.wait_for_news(1.0)
            await whole.turn()
        taken.append(time.perf_counter() - began)
    whole.house.wakeup.close()
    return quantiles(taken)


async def races(app: App, channel: PgnotifyChannel, number: int) -> dict[str, int]:
    """Somebody writes in the instant of the press: how many answers stand under a row that was committed before."""
    dice = random.Random(4711)
    user = psycopg.connect(app.url, autocommit=True)
    match = app.match()
    author = app.user_of(match)
    pressed = refused = over = 0
    for one in range(number):
        insert(user, match, author, f"Question {one}")
        await channel.read(match)
        await channel.write(match, f"Answer {one}")
        await channel.reread(match)
        writing = threading.Timer(dice.random() * 0.006, insert, (user, match, author, f"Crossing {one}"))
        writing.start()
        try:
            await channel.press_send(match, Press(f"job {one}", None))
            pressed += 1
        except NotPressed:
            refused += 1
        await asyncio.to_thread(writing.join)
        if one % 50 == 49:
            over += answered_over(app, match)
            match = app.match()
            author = app.user_of(match)
    user.close()
    return {"pressed": pressed, "refused": refused, "over somebody": over}


def answered_over(app: App, match: str) -> int:
    """Answers that were committed after the crossing message: by the order in which the transactions ended."""
    order = app.conn.execute(
        "SELECT content FROM messages WHERE match_id = %s ORDER BY pg_xact_commit_timestamp(xmin)", (match,)
    )
    texts = [row[0] for row in order]
    place = {text: at for at, text in enumerate(texts)}
    return sum(
        place.get(f"Crossing {text.split()[1]}", len(texts)) < at
        for text, at in place.items()
        if text.startswith("Answer")
    )


async def cuts(app: App, channel: PgnotifyChannel, db: Database, number: int) -> dict[str, int]:
    """Connections are ended again and again while people write: what was asked, what is doubled."""
    whole = Whole(db, channel)
    matches = [app.match() for _ in range(5)]
    stop, dice, cut = threading.Event(), random.Random(4711), [0]

    def cutting() -> None:
        with psycopg.connect(app.url, autocommit=True) as conn:
            while cut[0] < number and not stop.wait(dice.uniform(0.02, 0.2)):
                ended = conn.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'nightporter' AND datname = current_database()"
                ).fetchall()
                cut[0] += len(ended)

    cutter = threading.Thread(target=cutting)
    cutter.start()
    written = 0
    while cutter.is_alive():
        app.user_writes(matches[written % 5], f"Message {written}")
        written += 1
        await whole.turn()
    await whole.settle(2000)
    texts = [text for match in matches for text in app.texts(match)]
    whole.house.wakeup.close()
    return {
        "cut": cut[0],
        "written": written,
        "lost": len({f"Message {n}" for n in range(written)} - whole.asked),
        "twice": len(texts) - len(set(texts)),
        "unconfirmed": sum(job.status == "unconfirmed" for job in whole.house.jobs()),
    }


async def long_conversation(app: App, channel: PgnotifyChannel, rows: int) -> float:
    """Milliseconds of a reading of a conversation with so many messages."""
    match = app.match()
    app.conn.execute(
        "INSERT INTO messages (match_id, sender_id, content, created_at)"
        " SELECT %s, %s, repeat('word ', 20) || n, now() - interval '1 day' + n * interval '1 second'"
        " FROM generate_series(1, %s) n",
        (match, app.user_of(match), rows),
    )
    app.conn.execute("ANALYZE messages")
    taken = []
    for _ in range(9):
        began = time.perf_counter()
        await channel.read(match)
        taken.append(time.perf_counter() - began)
    return round(statistics.median(taken) * 1000, 1)


async def measure(
    app: App, channel: PgnotifyChannel, folder: Path, given: argparse.Namespace
) -> dict[str, Any]:
    """All of it."""
    found: dict[str, Any] = {}
    await channel.open()
    for name, work in (
        ("insert to answer, ms", lambda db: whole_way(app, channel, db, given.messages)),
        ("races", lambda _: races(app, channel, given.races)),
        ("cuts", lambda db: cuts(app, channel, db, given.cuts)),
        ("reading 10,000 messages, ms", lambda _: long_conversation(app, channel, 10_000)),
    ):
        db = Database.open(f"sqlite:///{folder}/{len(found)}.db")
        found[name] = await work(db)
        print(name, json.dumps(found[name]), flush=True)
        db.close()
    await channel.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--races", type=int, default=1500)
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--messages", type=int, default=300)
    given = parser.parse_args()
    logger.remove()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with world(folder) as (app, channel):
            asyncio.run(measure(app, channel, folder, given))


if __name__ == "__main__":
    main()
