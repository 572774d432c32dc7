"""Many processes at one database: no job is handed out twice, no answer is enqueued twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select, text

from src.db import conversations, inbox_queue, outbox_queue, outbox_views
from src.db.engine import Database
from src.db.statements import CONVERSATIONS, INBOX, OUTBOX
from src.model.sending import Receipt
from src.model.statuses import OutboxStatus
from src.model.values import DEFAULT_ACCOUNT

A = DEFAULT_ACCOUNT
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LEASE = timedelta(minutes=5)
CONVERSATIONS_THERE = 30
JOBS = 120
PROCESSES = 4


@contextmanager
def opened(url: str) -> Iterator[Database]:
    db = Database.open(url)
    try:
        yield db
    finally:
        db.close()


def fill(db: Database) -> None:
    """Four jobs and one request in each of thirty conversations."""
    homes = [f"c{n:02}" for n in range(CONVERSATIONS_THERE)]
    base = {"account": A, "due_at": NOW, "attempts": 0}
    with db.write() as conn:
        conn.execute(
            insert(CONVERSATIONS),
            [
                {"id": h, "account": A, "external_id": h, "stay": "{}", "created_at": NOW, "updated_at": NOW}
                for h in homes
            ],
        )
        conn.execute(
            insert(OUTBOX),
            [
                {
                    **base,
                    "id": f"job-{n:03}",
                    "conversation_id": homes[n % len(homes)],
                    "text": "x",
                    "idempotency_key": str(n),
                    "arm_count": 0,
                    "created_at": NOW + timedelta(seconds=n - JOBS),
                }
                for n in range(JOBS)
            ],
        )
        conn.execute(
            insert(INBOX),
            [
                {
                    **base,
                    "id": home,
                    "conversation_id": home,
                    "newest_external_id": "m",
                    "burst_until": NOW,
                    "reply_by": NOW,
                    "created_at": NOW,
                }
                for home in homes
            ],
        )


def claim_and_send_until_all_are_sent(number: int, url: str) -> list[tuple[str, str]]:
    """A SEND worker's life: what it claimed, in order; it goes on until no pending job is left."""
    mine: list[tuple[str, str]] = []
    owner = f"process-{number}"
    with opened(url) as db:
        while True:
            with db.write() as conn:
                job = outbox_queue.claim(conn, A, owner=owner, lease_until=NOW + LEASE, now=NOW)
            if job is None:
                with db.read() as conn:
                    if not outbox_views.list_jobs(conn, A, OutboxStatus.PENDING, 1):
                        return mine
                continue
            mine.append((job.conversation_id, job.id))
            with db.write() as conn:
                outbox_queue.arm(conn, job.id, owner, after_external_id=None, now=NOW)
            with db.write() as conn:
                outbox_queue.sent(conn, job.id, [OutboxStatus.PROCESSING], job.id, None, NOW, owner=owner)


def test_four_processes_send_every_job_once(database_url, in_processes):
    with opened(database_url) as db:
        fill(db)
    claimed = [
        one for lot in in_processes(PROCESSES, claim_and_send_until_all_are_sent, database_url) for one in lot
    ]
    assert Counter(claimed).most_common(1)[0][1] == 1, "a job was handed out twice"
    assert len(claimed) == JOBS
    with opened(database_url) as db, db.read() as conn:
        sent = outbox_views.list_jobs(conn, A, OutboxStatus.SENT, JOBS + 1)
    assert len(sent) == JOBS
    assert {(job.attempts, job.arm_count) for job in sent} == {(1, 1)}


def claim_lots_until_all_are_sent(number: int, url: str) -> list[tuple[str, str]]:
    """The same where several conversations are in hand."""
    mine: list[tuple[str, str]] = []
    owner = f"process-{number}"
    with opened(url) as db:
        while True:
            with db.write() as conn:
                lot = outbox_queue.claim_many(conn, A, owner=owner, lease_until=NOW + LEASE, now=NOW, limit=5)
            if not lot:
                with db.read() as conn:
                    if not outbox_views.list_jobs(conn, A, OutboxStatus.PENDING, 1):
                        return mine
                continue
            assert len({job.conversation_id for job in lot}) == len(lot) <= 5
            mine += [(job.conversation_id, job.id) for job in lot]
            with db.write() as conn:
                outbox_queue.arm_many(conn, owner, {job.id: None for job in lot}, NOW)
            with db.write() as conn:
                outbox_queue.sent_many(conn, owner, {job.id: Receipt(job.id) for job in lot}, NOW)


def test_four_processes_with_several_in_hand_send_every_job_once(database_url, in_processes):
    with opened(database_url) as db:
        fill(db)
    lots = in_processes(PROCESSES, claim_lots_until_all_are_sent, database_url)
    claimed = [one for lot in lots for one in lot]
    assert Counter(claimed).most_common(1)[0][1] == 1, "a job was handed out twice"
    assert len(claimed) == JOBS
    for lot in lots:
        for home in {home for home, _ in lot}:
            of_home = [job for where, job in lot if where == home]
            assert of_home == sorted(of_home), "in their order"


def claim_requests(number: int, url: str) -> list[str]:
    mine: list[str] = []
    with opened(url) as db:
        while True:
            with db.write() as conn:
                lot = inbox_queue.claim_due(
                    conn, A, owner=str(number), lease_until=NOW + LEASE, now=NOW, limit=2
                )
            if not lot:
                return mine
            assert len(lot) <= 2
            mine += [request.id for request in lot]


def test_four_processes_claim_every_request_once(database_url, in_processes):
    with opened(database_url) as db:
        fill(db)
    lots = in_processes(PROCESSES, claim_requests, database_url)
    claimed = [one for lot in lots for one in lot]
    assert sorted(claimed) == sorted(set(claimed))
    assert len(claimed) == CONVERSATIONS_THERE


def test_two_jobs_of_one_conversation_are_never_in_work_together(database_url, in_processes):
    with opened(database_url) as db:
        fill(db)
    held = [one for lot in in_processes(PROCESSES, claim_and_keep, database_url) for one in lot]
    assert len(held) == len(set(held)) == CONVERSATIONS_THERE


def claim_and_keep(number: int, url: str) -> list[str]:
    mine: list[str] = []
    with opened(url) as db:
        for _ in range(CONVERSATIONS_THERE):
            with db.write() as conn:
                job = outbox_queue.claim(conn, A, owner=str(number), lease_until=NOW + LEASE, now=NOW)
            mine += [job.conversation_id] if job else []
    return mine


@pytest.mark.postgres
def test_a_claim_that_meets_a_job_it_could_not_see_gives_way(postgres_server):
    for url in postgres_server.emptied_database():
        with opened(url) as db, ThreadPoolExecutor(1) as thread:
            with db.write() as conn:
                home = conversations.ensure_named(conn, A, "t1", NOW).id
                job, _ = outbox_queue.enqueue(
                    conn, A, home, "x", request_id=None, idempotency_key="seen", now=NOW
                )
            with db.write() as conn:
                # Another process has taken an older job of the conversation, and is just about to commit that.
                row = {"conversation_id": home, "text": "x", "due_at": NOW, "attempts": 1, "arm_count": 0}
                conn.execute(
                    insert(OUTBOX).values(
                        id="j",
                        account=A,
                        status="processing",
                        idempotency_key="unseen",
                        created_at=NOW,
                        **row,
                    )
                )
                claiming = thread.submit(claim_and_keep, 1, url)
                while not a_session_waits_for_a_lock(db):
                    assert not claiming.done()
            assert claiming.result(timeout=60) == []
            with db.read() as conn:
                assert outbox_views.get(conn, job.id) == job


def a_session_waits_for_a_lock(db: Database) -> bool:
    with db.read() as conn:
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return bool(conn.execute(text(waiting)).scalar_one())


def enqueue_25_times(_number: int, url: str) -> set[tuple[str, bool]]:
    with opened(url) as db:

        def enqueue(_: int) -> tuple[str, bool]:
            with db.write() as conn:
                job, created = outbox_queue.enqueue(
                    conn, A, "c00", "Welcome!", request_id=None, idempotency_key="one answer", now=NOW
                )
            return job.id, created

        with ThreadPoolExecutor(8) as threads:
            return set(threads.map(enqueue, range(25)))


def test_a_hundred_callbacks_with_one_key_make_one_job(database_url, in_processes):
    with opened(database_url) as db, db.write() as conn:
        row = {"account": A, "external_id": "t", "stay": "{}", "created_at": NOW, "updated_at": NOW}
        conn.execute(insert(CONVERSATIONS).values(id="c00", **row))
    said = [one for lot in in_processes(PROCESSES, enqueue_25_times, database_url) for one in lot]
    assert len({job_id for job_id, _ in said}) == 1
    assert [created for _, created in said].count(True) == 1
    with opened(database_url) as db, db.read() as conn:
        assert conn.execute(select(func.count()).select_from(OUTBOX)).scalar_one() == 1
