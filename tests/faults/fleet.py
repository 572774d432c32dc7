"""Ten accounts on an app's tables, two real processes on PostgreSQL, one of them killed with -9.

    python -m tests.faults.fleet [--accounts 10] [--kills 3]

The app's rows are the referee: every person is answered, and no answer stands there twice. The processes have
folders of their own, as two machines have.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from sandbox.ai import Plan, SandboxAI
from sandbox.pgnotify.app import MAPPING, App
from sandbox.postgres import postgres_programs
from src.db import connections, database_urls
from src.db.engine import Database
from tests.support.databases import running_postgres
from tests.support.ports import free_port
from tests.support.waiting import came

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SEC = 120.0
_CAPS = ("CONVERSATION_HOUR", "CONVERSATION_DAY", "ACCOUNT_HOUR", "ROUNDS", "SAME_MESSAGE", "SAME_REPLY")


@dataclass
class Fleet:
    """The accounts, the people who write to them, and the machines that answer."""

    folder: Path
    database_url: str
    app: App
    webhook_url: str
    matches: dict[str, str]
    """Account → the conversation that is looked at."""
    machines: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def start(self, machine: str) -> None:
        """``syncsend`` with logins, locks and logs of its own."""
        home = self.folder / machine
        home.mkdir(exist_ok=True, mode=0o700)
        accounts = home / "accounts.toml"
        accounts.write_text(
            "".join(
                f'[[account]]\nname = "{name}"\nchannel = "pgnotify"\nurl = "env:APP_DATABASE_URL"\n'
                f'mapping = "{self.folder}/{name}.toml"\nsession_dir = "{home}/{name}"\nreply_mode = "auto"\n'
                for name in self.matches
            )
        )
        accounts.chmod(0o600)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "ACCOUNTS_FILE": str(accounts),
            "APP_DATABASE_URL": self.app.url,
            "DATABASE_URL": self.database_url,
            "AI_WEBHOOK_URL": self.webhook_url,
            "LOG_DIR": str(home / "logs"),
            "API_PORT": str(free_port()),
            "GROUPING_DELAY_SEC": "0",
            "GROUPING_MAX_SEC": "0",
            "HUMAN_PAUSE_MIN": "0",
            "CRASH_LOOP_STARTS": "1000",
            **{f"REPLY_CAP_{name}": "100000" for name in _CAPS},
        }
        with (home / "output").open("ab") as output:
            self.machines[machine] = subprocess.Popen(
                [sys.executable, "src/main.py", "syncsend"],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def end(self, machine: str, number: int = signal.SIGTERM) -> int:
        """Signal it and wait; its exit code."""
        process = self.machines.pop(machine)
        process.send_signal(number)
        return process.wait(90)

    def close(self) -> None:
        for machine in tuple(self.machines):
            self.end(machine, signal.SIGKILL)

    def served_by(self, machine: str) -> set[str]:
        """The accounts whose SYNC goes round in this machine's process, by what it has written down."""
        asked = "SELECT account FROM workers WHERE worker = 'sync' AND stopped_at IS NULL AND process_id = {}"
        process = self.machines[machine].pid
        return {name for (name,) in self._rows(asked.format(process))}

    def write_to(self, name: str) -> float:
        """A person writes to this account; the time of it."""
        self.asked[name] += 1
        self.app.user_writes(self.matches[name], f"Question {next(self._numbers)}")
        return time.monotonic()

    def is_answered(self, name: str) -> bool:
        """The last word there is ours."""
        rows = self.app.rows(self.matches[name])
        return bool(rows) and rows[-1].text in self.app.answers(self.matches[name])

    def wait_for_answers(self, names: set[str], since: float) -> dict[str, float]:
        """How many seconds after ``since`` the last word in each of these was an answer. AssertionError if never."""
        answered: dict[str, float] = {}

        def look() -> bool:
            for name in names - answered.keys():
                if self.is_answered(name):
                    answered[name] = time.monotonic() - since
            return answered.keys() == names

        assert came(look, PATIENCE_SEC, every_sec=0.05), f"not answered: {sorted(names - answered.keys())}"
        return answered

    def left_over(self) -> list[tuple[Any, ...]]:
        """Replies that are neither sent nor cancelled."""
        return self._rows("SELECT id, status FROM queue_outbox WHERE status NOT IN ('sent', 'cancelled')")

    def said_twice(self) -> list[str]:
        """Answers that stand in an account's conversation more than once: the AI says none twice."""
        texts = Counter(text for match in self.matches.values() for text in self.app.answers(match))
        return [text for text, number in texts.items() if number > 1]

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        with connections.connect_raw(database_urls.parse(self.database_url)) as conn:
            return conn.execute(statement.encode()).fetchall()


@contextmanager
def fleet(folder: Path, database_url: str, app_url: str, accounts: int = 10) -> Iterator[Fleet]:
    """The accounts, an AI that answers at once, and no machine yet."""
    Database.open(database_url).close()  # makes the tables
    app, numbers = App(app_url), itertools.count(1)
    matches = {}
    for number in range(accounts):
        bot = app.profile(f"Bot {number}", is_bot=True)
        ours = MAPPING.replace('ours = {column = "is_bot", equals = true}', f'ids = ["{bot}"]')
        (folder / f"house-{number}.toml").write_text(ours)
        matches[f"house-{number}"] = app.match(bot=bot)
    with SandboxAI(Plan("body"), brain=lambda *_: f"Answer {next(numbers)}") as ai:
        made = Fleet(folder, database_url, app, ai.webhook_url, matches)
        try:
            yield made
        finally:
            made.close()
            app.close()


@dataclass(frozen=True)
class Times:
    """In seconds."""

    joined: float
    """From the start of the second process until each had its half."""
    taken_over: list[float]
    """From the kill until an account of the killed process had answered."""


def play(it: Fleet, say: Callable[[str], None] = lambda _: None) -> Times:
    """One joins, one is killed in the middle of its work, the other one serves all. AssertionError if it does not."""
    names = set(it.matches)
    if not it.machines:
        it.start("a")
    (old,) = it.machines
    new = "b" if old == "a" else "a"
    assert came(lambda: it.served_by(old) == names, PATIENCE_SEC), it.served_by(old)
    began = time.monotonic()
    it.start(new)
    half = len(names) // 2
    assert came(lambda: len(it.served_by(new)) >= half, PATIENCE_SEC), "the one that joined got no share"
    joined = time.monotonic() - began
    say(f"joined: {joined:.1f} s")
    for name in names:
        it.write_to(name)
    it.wait_for_answers(names, time.monotonic())
    lost = it.served_by(old)
    for name in names:
        it.write_to(name)  # it is killed while it answers these
    it.end(old, signal.SIGKILL)
    killed = time.monotonic()
    for name in names:
        it.write_to(name)
    took = it.wait_for_answers(names, killed)
    assert came(lambda: it.served_by(new) == names, PATIENCE_SEC)
    assert came(lambda: it.left_over() == [], PATIENCE_SEC), it.left_over()
    assert it.said_twice() == []
    times = Times(joined, [took[name] for name in sorted(lost)])
    say(f"taken over: median {median(times.taken_over):.1f} s, longest {max(times.taken_over):.1f} s")
    return times


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.faults.fleet", description=__doc__)
    words.add_argument("--accounts", type=int, default=10)
    words.add_argument("--kills", type=int, default=3)
    given = words.parse_args()
    programs = postgres_programs()
    if programs is None:
        print("no PostgreSQL server here: install it (apt install postgresql)")
        return 2
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-")))
        (data := folder / "postgres").mkdir()
        folder.chmod(0o755)
        server = stack.enter_context(running_postgres(programs, data))
        own, apps = (next(server.new_database()) for _ in range(2))
        it = stack.enter_context(fleet(folder, own, apps, given.accounts))
        played = [play(it, print) for _ in range(given.kills)]
    joined = [one.joined for one in played]
    over = [second for one in played for second in one.taken_over]
    print(f"{given.kills} kills, {given.accounts} accounts: nothing lost, nothing twice")
    print(f"joined after {min(joined):.1f} to {max(joined):.1f} s")
    print(f"taken over after {min(over):.1f} to {max(over):.1f} s, median {median(over):.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
