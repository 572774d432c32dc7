"""Killed at every step on an app's own tables: a process that is killed (kill -9) at a random point, again and again.

    python -m tests.faults.app_killed [--kills 1000] [--seed 1]

A point is before and after each statement to the app's database and each commit to ours. Each process is forked, opens
its own connections, and does what the workers do: SYNC, an AI that answers at once in one to three messages, SEND.
People go on writing between the kills. Judged at the end by the app's rows alone. Needs the programs of PostgreSQL.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loguru import logger
from pydantic import SecretStr

from sandbox.pgnotify.app import MAPPING, App
from sandbox.postgres import postgres_programs
from src.channels.base import Place
from src.channels.pgnotify.channel import PgnotifyChannel
from src.channels.pgnotify.link import Link
from src.channels.pgnotify.settings import PgnotifySettings
from src.db.engine import Database
from tests.channels.pgnotify.whole import Whole
from tests.support.databases import running_postgres

POINTS = 200
"""Opening takes some 30 of them, a whole way some 70 more."""
MATCHES = 4


class Life:
    """One process: dies at its n-th point."""

    def __init__(self, dies_at: int | None) -> None:
        self._left = dies_at

    def point(self) -> None:
        """Here it may end."""
        if self._left is None:
            return
        self._left -= 1
        if self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


class MortalDatabase:
    """Announces the points around each commit."""

    def __init__(self, db: Database, life: Life) -> None:
        self._db = db
        self._life = life

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    @contextmanager
    def write(self, **how: Any) -> Iterator[Any]:
        with self._db.write(**how) as conn:
            yield conn
            self._life.point()
        self._life.point()


def announce_statements(life: Life) -> None:
    """The points around each statement to the app's database."""
    bounded = Link._bounded

    async def announced(self: Link, work: Any) -> Any:
        life.point()
        done = await bounded(self, work)
        life.point()
        return done

    setattr(Link, "_bounded", announced)  # noqa: B010 - in this process alone


def make_channel(url: str, folder: Path) -> PgnotifyChannel:
    settings = PgnotifySettings(url=SecretStr(url), mapping=folder / "mapping.toml")
    return PgnotifyChannel(settings, Place(account="a", session_dir=folder, evidence_dir=folder))


def make_whole(url: str, folder: Path, life: Life, seed: int) -> Whole:
    """What one process has of its own."""
    db = Database.open(f"sqlite:///{folder}/inbox.db")
    whole = Whole(MortalDatabase(db, life), make_channel(url, folder))  # type: ignore[arg-type]
    whole.house.account_changes = {
        "channel": "pgnotify",
        "own": PgnotifySettings(),
        "disclosure": "first_message",
    }
    dice, numbers = random.Random(seed), iter(range(10**9))

    def answer() -> None:
        for request in whole.house.ask_ai():
            parts = [f"Answer {seed}.{next(numbers)}" for _ in range(dice.randint(1, 3))]
            whole.house.answer(request, parts=parts)

    vars(whole)["answer"] = answer
    return whole


def live(url: str, folder: Path, seed: int, dies_at: int) -> None:
    """The life of one process; it does not come back from here."""
    logger.remove()
    life = Life(dies_at)
    announce_statements(life)
    whole = make_whole(url, folder, life, seed)

    async def work() -> None:
        await whole.channel.open()
        # What a killed one had claimed is given back when its lease is over; here at once.
        with whole.house.db.write() as conn:
            conn.exec_driver_sql("UPDATE queue_inbox SET lease_until = '2020-01-01 00:00:00.000000'")
        while True:
            await whole.turn()
            release_requests(whole)

    asyncio.run(work())


def release_requests(whole: Whole) -> None:
    """What was with the AI when its process died is asked again."""
    with whole.house.db.write() as conn:
        conn.exec_driver_sql(
            "UPDATE queue_inbox SET status = 'pending', claimed_by = NULL, lease_until = NULL"
            " WHERE status IN ('processing', 'waiting')"
        )


def kill_again_and_again(app: App, folder: Path, kills: int, seed: int) -> dict[str, int]:
    """Returns what the app's rows say at the end."""
    (folder / "mapping.toml").write_text(MAPPING)
    Database.open(f"sqlite:///{folder}/inbox.db").close()
    dice, forks = random.Random(seed), multiprocessing.get_context("fork")
    matches = [app.match() for _ in range(MATCHES)]
    written = killed = 0
    while killed < kills:
        for _ in range(dice.randint(1, 2)):
            written += 1
            app.user_writes(dice.choice(matches), f"Message {written}")
        child = forks.Process(
            target=live, args=(app.url, folder, seed * 100_000 + killed, dice.randint(1, POINTS))
        )
        child.start()
        while child.is_alive() and not dice.random() < 0.0005:
            child.join(0.05)
            if dice.random() < 0.1:
                written += 1
                app.user_writes(dice.choice(matches), f"Message {written}")
        if child.is_alive():
            child.kill()
        child.join()
        killed += 1
    whole = make_whole(app.url, folder, Life(None), seed * 100_000 + killed)

    async def finish() -> None:
        await whole.channel.open()
        release_requests(whole)
        await whole.settle(2000)
        await whole.channel.close()

    asyncio.run(finish())
    found = judge(app, whole, matches)
    whole.house.wakeup.close()
    return {"killed": killed, "written": written, **found}


def judge(app: App, whole: Whole, matches: list[str]) -> dict[str, int]:
    """By the rows of the app."""
    with whole.house.db.read() as conn:
        known = {row[0] for row in conn.exec_driver_sql("SELECT external_id FROM messages")}
        jobs = conn.exec_driver_sql("SELECT status, text, group_id, part FROM queue_outbox").all()
    rows = {match: app.rows(match) for match in matches}
    texts = Counter(row.text for of_match in rows.values() for row in of_match)
    place = {row.text: at for of_match in rows.values() for at, row in enumerate(of_match)}
    groups: dict[str, list[tuple[int, str]]] = {}
    for _, text, group, part in jobs:
        if group is not None:
            groups.setdefault(group, []).append((part, text))
    torn = 0
    for parts in groups.values():
        there = [place.get(text) for _, text in sorted(parts)]
        seen = [at for at in there if at is not None]
        torn += seen != sorted(seen) or None in there[: len(seen)]
    return {
        "answers there": sum(len(app.answers(match)) for match in matches),
        "lost": sum(row.id not in known for of_match in rows.values() for row in of_match)
        + sum(bool(of_match) and not of_match[-1].text.count("Answer") for of_match in rows.values()),
        "twice": sum(number - 1 for number in texts.values()),
        "sent without a row": sum(status == "sent" and text not in place for status, text, *_ in jobs),
        "a row without sent": sum(status != "sent" and text in place for status, text, *_ in jobs),
        "unconfirmed": sum(status == "unconfirmed" for status, *_ in jobs),
        "parts out of order or skipped": torn,
    }


def main(out: Callable[[str], Any] = print) -> int:
    """0 if nothing was lost, doubled or torn."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logger.remove()
    programs = postgres_programs()
    if programs is None:
        out("PostgreSQL is not installed here.")
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "server").mkdir()
        (folder / "ours").mkdir(mode=0o700)
        with running_postgres(programs, folder / "server") as server:
            app = App(next(iter(server.new_database())))
            found = kill_again_and_again(app, folder / "ours", given.kills, given.seed)
            app.close()
    out(json.dumps({**found, "seconds": round(time.monotonic() - began)}))
    bad = ("lost", "twice", "sent without a row", "a row without sent", "unconfirmed")
    return int(any(found[name] for name in (*bad, "parts out of order or skipped")))


if __name__ == "__main__":
    sys.exit(main())
