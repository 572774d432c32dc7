"""What the hot paths cost, by count: statements, and what a short command loads. No clock."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from src.db import accounts, conversations, outbox_queue
from src.db.engine import Connection, Database
from src.model.rows import Job
from src.model.statuses import OutboxStatus
from src.model.values import DEFAULT_ACCOUNT

ROOT = Path(__file__).resolve().parents[2]
A = DEFAULT_ACCOUNT


@contextmanager
def statements(conn: Connection) -> Iterator[list[str]]:
    """The verbs of what is executed meanwhile; a savepoint is none."""
    found: list[str] = []

    def note(_conn, _cursor, statement, _parameters, _context, _many) -> None:
        verb = statement.split()[0]
        if verb not in {"SAVEPOINT", "RELEASE"}:
            found.append(verb)

    event.listen(conn, "before_cursor_execute", note)
    yield found
    event.remove(conn, "before_cursor_execute", note)


def enqueue(conn: Connection, home: str, key: str, now) -> Job:
    job, _ = outbox_queue.enqueue(conn, A, home, "text", request_id=None, idempotency_key=key, now=now)
    return job


def test_every_move_of_a_reply_is_one_statement(db: Database, clock) -> None:
    with db.write() as conn:
        accounts.ensure(conn, A, clock())
        home = conversations.ensure_named(conn, A, "thread-1", clock()).id
        used: dict[str, list[str]] = {}
        with statements(conn) as used["enqueue"]:
            job = enqueue(conn, home, "one", clock())
        with statements(conn) as used["claim"]:
            outbox_queue.claim(conn, A, owner="me", lease_until=clock.later(60), now=clock())
        with statements(conn) as used["arm"]:
            outbox_queue.arm(conn, job.id, "me", after_external_id="message-1", now=clock())
        with statements(conn) as used["sent"]:
            outbox_queue.sent(conn, job.id, [OutboxStatus.PROCESSING], "message-2", None, clock(), owner="me")
    assert used == {"enqueue": ["INSERT"], "claim": ["UPDATE"], "arm": ["UPDATE"], "sent": ["UPDATE"]}


@pytest.mark.parametrize("waiting", [1, 50])
def test_a_claim_costs_the_same_however_many_wait(db: Database, clock, waiting) -> None:
    with db.write() as conn:
        accounts.ensure(conn, A, clock())
        for n in range(waiting):
            home = conversations.ensure_named(conn, A, f"thread-{n}", clock()).id
            enqueue(conn, home, f"key-{n}", clock() - timedelta(seconds=n))
        with statements(conn) as used:
            found = outbox_queue.claim(conn, A, owner="me", lease_until=clock.later(60), now=clock())
    assert found is not None
    assert found.idempotency_key == f"key-{waiting - 1}"
    assert used == ["UPDATE"]


NOT_FOR_A_LOOK = ("alembic", "apscheduler", "fastapi", "httpx", "playwright", "psycopg", "uvicorn")
COMMANDS = {
    "status": "import runpy; sys.argv = ['src/main.py', 'status']\n"
    "try: runpy.run_path('src/main.py', run_name='__main__')\nexcept SystemExit: pass",
    "one-liner": "from src.services.message_queue import MessageQueue\nprint(MessageQueue.dequeue_send())",
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_command_that_only_looks_loads_no_browser_server_or_migration(
    sqlite_template: Path, tmp_path: Path, command: str
) -> None:
    database = tmp_path / "inbox.db"
    database.write_bytes(sqlite_template.read_bytes())
    told = "print('LOADED', *[name for name in " + repr(NOT_FOR_A_LOOK) + " if name in sys.modules])"
    ended = subprocess.run(
        [sys.executable, "-c", f"import sys\n{command}\n{told}"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{database}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stdout.splitlines()[-1] == "LOADED"
