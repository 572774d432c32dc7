"""What people type: the documented one-liner and the documented SQL."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from src.db import conversations, outbox_queue, outbox_views
from src.model.statuses import OutboxStatus
from src.model.values import DEFAULT_ACCOUNT

A = DEFAULT_ACCOUNT
ROOT = Path(__file__).parents[2]
ONE_LINER = (
    "from src.services.message_queue import MessageQueue; print(len(MessageQueue.dequeue_send(limit=10)))"
)


def typed(command: str, url: str) -> str:
    """What the command prints, with nothing in the environment but the database."""
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url}
    done = subprocess.run(
        [sys.executable, "-c", command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def enqueue(db, number: int) -> None:
    with db.write() as conn:
        now = datetime.now(UTC)
        for n in range(number):
            home = conversations.ensure_named(conn, A, f"t{n}", now).id
            outbox_queue.enqueue(conn, A, home, "x", request_id=None, idempotency_key=str(n), now=now)


def test_the_one_liner_counts_the_next_due_jobs_and_claims_none(db, database_url):
    enqueue(db, 12)
    assert typed(ONE_LINER, database_url) == "10"
    with db.read() as conn:
        jobs = outbox_views.list_jobs(conn, A, None, 20)
    assert {(job.status, job.attempts, job.claimed_by) for job in jobs} == {(OutboxStatus.PENDING, 0, None)}


def test_the_one_liner_says_nought_and_makes_nothing_while_there_is_no_database(tmp_path):
    assert typed(ONE_LINER, f"sqlite:///{tmp_path}/none/inbox.db") == "0"
    assert list(tmp_path.iterdir()) == []


def test_importing_the_queue_imports_no_database():
    loaded = typed(
        "import sys, src.services.message_queue; print('sqlalchemy' in sys.modules, 'pydantic' in sys.modules)",
        "unused",
    )
    assert loaded == "False False"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT COUNT(*) FROM queue_outbox WHERE status = 'pending';", 2),
        ("SELECT COUNT(*) FROM queue_outbox WHERE status = 'processing';", 1),
        (
            "SELECT COUNT(*) FROM queue_outbox WHERE status = 'sent' AND DATE(processed_at) = CURRENT_DATE;",
            1,
        ),
    ],
)
def test_the_documented_sql_works_as_it_stands(db, statement, expected):
    enqueue(db, 4)
    with db.write() as conn:
        for number in range(2):
            job = outbox_queue.claim(
                conn, A, owner="me", lease_until=datetime.now(UTC), now=datetime.now(UTC)
            )
            if number == 0:
                # The day is the database's own: its clock, not this process's, says what today is.
                today = conn.execute(text("SELECT CURRENT_TIMESTAMP")).scalar_one()
                now = today if isinstance(today, datetime) else datetime.fromisoformat(f"{today}+00:00")
                outbox_queue.sent(conn, job.id, [OutboxStatus.PROCESSING], "m", None, now)
    with db.read() as conn:
        assert conn.exec_driver_sql(statement).scalar_one() == expected
