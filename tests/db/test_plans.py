"""The queues stay quick when they are long: what the workers ask is found through an index, never by a full scan."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, text

from src.db import (
    activity,
    conversations,
    inbox_queue,
    missing_facts,
    outbox_queue,
    outbox_views,
    overview,
    results,
    runs,
    search,
    timeline,
    translations,
    waiting,
)
from src.db.engine import Connection, Database
from src.db.statements import CONVERSATIONS, INBOX, MESSAGES, OUTBOX
from src.model.inbox import AuthorRole, SeenConversation, SeenPerson
from src.model.statuses import OutboxStatus
from src.model.values import DEFAULT_ACCOUNT, ReplyMode

A = DEFAULT_ACCOUNT
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LEASE = NOW + timedelta(minutes=5)

ROWS = 5_000


def fill(conn: Connection, rows: int = ROWS) -> None:
    """Long queues, nearly all of it done: a job, a request and a message each second, 10 in a conversation."""
    times = [NOW - timedelta(seconds=rows - n) for n in range(rows)]
    homes = [f"c{n}" for n in range(rows // 10)]
    conn.execute(
        insert(CONVERSATIONS),
        [
            {"id": h, "account": A, "external_id": h, "stay": "{}", "created_at": NOW, "updated_at": NOW}
            for h in homes
        ],
    )
    common: list[dict[str, object]] = [
        {
            "account": A,
            "conversation_id": homes[n % len(homes)],
            "due_at": at,
            "attempts": 0,
            "created_at": at,
        }
        for n, at in enumerate(times)
    ]
    jobs: list[dict[str, object]] = [
        {"id": f"j{n}", "status": "pending" if n % 500 == 0 else "cancelled", "text": "x", "arm_count": 0}
        | {"idempotency_key": f"k{n}", "processed_at": None if n % 500 == 0 else at}
        for n, at in enumerate(times)
    ]
    requests: list[dict[str, object]] = [
        {"id": f"r{n}", "status": "pending" if n < 40 else "answered", "newest_external_id": "m"}
        | {"burst_until": at, "reply_by": at, "processed_at": None if n < 40 else at}
        for n, at in enumerate(times)
    ]
    messages: list[dict[str, object]] = [
        {"id": f"m{n}", "external_id": f"m{n}", "direction": "inbound", "origin": "guest", "kind": "text"}
        | {"account": A, "conversation_id": homes[n % len(homes)], "detail": "", "sent_at": at, "seen_at": at}
        for n, at in enumerate(times)
    ]
    conn.execute(insert(OUTBOX), [row | same for row, same in zip(jobs, common, strict=True)])
    conn.execute(insert(INBOX), [row | same for row, same in zip(requests, common, strict=True)])
    conn.execute(insert(MESSAGES), messages)


SEEN = SeenConversation(
    external_id="t1",
    kind="STAY",
    is_stay=True,
    is_hosting=True,
    viewer_id="host",
    viewer_is_host=True,
    people=(SeenPerson("guest", AuthorRole.GUEST, "Gerda"),),
    messages=(),
    last_activity_at=NOW,
)


def found(conn: Connection, filters: search.Filters) -> object:
    """A page of conversations in the middle of the list."""
    auto = ReplyMode.AUTO
    return search.conversations(conn, A, filters, default_mode=auto, after=(NOW, "c1"), limit=30)


ASKED: dict[str, Callable[[Connection], object]] = {
    "outbox claim": lambda c: outbox_queue.claim(c, A, owner="me", lease_until=LEASE, now=NOW),
    "outbox next due": lambda c: outbox_views.next_due_at(c, A),
    "outbox peek": lambda c: outbox_views.peek_due(c, A, 10, NOW),
    "outbox left behind": lambda c: outbox_views.left_behind(c, A),
    "outbox awaiting proof": lambda c: outbox_views.awaiting_proof(c, "c1"),
    "outbox by status": lambda c: outbox_views.list_jobs(c, A, OutboxStatus.CANCELLED, 50),
    "outbox waiting": lambda c: outbox_views.list_jobs(c, A, OutboxStatus.DRAFT, 50),
    "outbox all": lambda c: outbox_views.list_jobs(c, A, None, 50),
    "outbox of a request": lambda c: outbox_views.for_request(c, "r1"),
    "outbox automatic": lambda c: outbox_views.automatic_replies(c, A, "c1", hour=NOW, day=NOW),
    "outbox pressed": lambda c: outbox_views.pressed_replies(c, A, "c1", hour=NOW, day=NOW),
    "outbox approved": lambda c: outbox_views.approved_ids(c, "c1"),
    "outbox unproven": lambda c: outbox_views.unproven_since(c, A, NOW),
    "outbox enqueue": lambda c: outbox_queue.enqueue(
        c, A, "c1", "x", request_id=None, idempotency_key="k1", now=NOW
    ),
    "numbers of what is not done": lambda c: overview.overview(c, A, NOW, finals=False),
    "inbox claim": lambda c: inbox_queue.claim_due(c, A, owner="me", lease_until=LEASE, now=NOW, limit=5),
    "inbox next event": lambda c: inbox_queue.next_event_at(c, A),
    "inbox open": lambda c: inbox_queue.open_request(c, "c1"),
    "inbox latest": lambda c: inbox_queue.latest_request(c, "c1"),
    "inbox stale leases": lambda c: inbox_queue.release_stale(c, A, NOW),
    "inbox overdue": lambda c: inbox_queue.expire_overdue(c, A, NOW),
    "conversation seen": lambda c: conversations.upsert_seen(
        c, A, SEEN, skip_reason=None, fingerprint="f", now=NOW
    ),
    "fingerprints": lambda c: conversations.fingerprints(c, A, ["t1", "t2"]),
    "messages": lambda c: conversations.messages_of(c, "c1", 20),
    "messages of a request": lambda c: conversations.messages_of_request(c, "r1"),
    "known messages": lambda c: conversations.known_external_ids(c, "c1"),
    "what waits for a person": lambda c: waiting.waiting(c, A, NOW),
    "what of a conversation does": lambda c: waiting.left_to_a_person(c, "c1", NOW),
    "a person saw to it": lambda c: conversations.mark_seen_to(c, "c1", NOW, NOW),
    "numbers of a day": lambda c: activity.numbers(c, A, NOW - timedelta(days=1), NOW),
    "messages of a day": lambda c: activity.received(c, A, NOW - timedelta(days=1), NOW),
    "times to answer": lambda c: activity.answer_times(c, A, NOW - timedelta(days=7), NOW),
    "whether there is news": lambda c: activity.stamp(c, A),
    "conversations, a page": lambda c: found(c, search.Filters()),
    "conversations with open work": lambda c: found(c, search.Filters(state="open")),
    "conversations of a listing": lambda c: found(c, search.Filters(listing="l1")),
    "their newest messages": lambda c: search.newest_messages(c, ["c1", "c2"]),
    "when they were last heard": lambda c: search.last_heard(c, ["c1", "c2"]),
    "their open replies": lambda c: search.open_jobs(c, ["c1", "c2"]),
    "replies, a page": lambda c: search.jobs(
        c, A, OutboxStatus.CANCELLED, after=(NOW, "j1"), limit=20, now=NOW
    ),
    "drafts, a page": lambda c: search.jobs(c, A, OutboxStatus.DRAFT, after=None, limit=20, now=NOW),
    "what became of a week's drafts": lambda c: results.judged(c, A, NOW - timedelta(days=7), NOW),
    "what a week's runs held": lambda c: results.left(c, A, NOW - timedelta(days=7), NOW),
    "what a day cost": lambda c: results.spent(c, [A, "b"], NOW - timedelta(days=1), NOW),
    "the tokens of a day, of all accounts": lambda c: runs.tokens_since(c, NOW - timedelta(days=1)),
    "who used up the day's tokens": lambda c: runs.went_over_budget(c, A, NOW - timedelta(days=1)),
    "what a message costs": lambda c: runs.mean_cost(c, NOW - timedelta(days=30)),
    "why requests were answered so": lambda c: runs.of_requests(c, ["r1", "r2"]),
    "how many questions wait": missing_facts.count_open,
    "who waits for a missing fact": lambda c: missing_facts.askers_of(c, ["f1", "f2"]),
    "which missing facts wait": lambda c: missing_facts.open_of_requests(c, ["r1", "r2"]),
    "what is translated": lambda c: translations.known(c, ["k1", "k2"]),
    "a stretch of a conversation": lambda c: timeline.stretch(c, "c1", before=(NOW, "m1"), limit=50),
}


@contextmanager
def recorded(conn: Connection) -> Iterator[list[tuple[str, Any]]]:
    """Every statement that is executed meanwhile, with its values."""
    found: list[tuple[str, Any]] = []

    def note(_conn, _cursor, statement, parameters, _context, _many) -> None:
        found.append((statement, parameters))

    event.listen(conn, "before_cursor_execute", note)
    yield found
    event.remove(conn, "before_cursor_execute", note)


def plan(conn: Connection, statement: str, parameters: Any) -> list[str]:
    explain = "EXPLAIN QUERY PLAN" if conn.dialect.name == "sqlite" else "EXPLAIN"
    return [str(row[-1]) for row in conn.exec_driver_sql(f"{explain} {statement}", parameters)]


FULL_SCAN = re.compile(
    r"^SCAN (?!CONSTANT ROW|due\b)(?!.*USING (COVERING )?INDEX)|Seq Scan on (queue_|conv|mess|assistant_)"
)


@pytest.fixture
def long_queues(db: Database) -> Database:
    with db.write() as conn:
        fill(conn)
        if db.dialect == "postgresql":  # its planner knows how long the tables are; SQLite's need not
            conn.execute(text("ANALYZE"))
    return db


def test_nothing_that_is_asked_often_reads_a_whole_table(long_queues):
    slow: dict[str, list[str]] = {}
    with long_queues.write() as conn:
        if (
            long_queues.dialect == "postgresql"
        ):  # a short table is read whole, unless no index is the only reason
            conn.execute(text("SET LOCAL enable_seqscan = off"))
        for name, ask in ASKED.items():
            with recorded(conn) as statements:
                ask(conn)
            assert statements
            for statement, parameters in statements:
                if statement.split()[0] in {"SAVEPOINT", "RELEASE"}:
                    continue
                lines = plan(conn, statement, parameters)
                if any(FULL_SCAN.search(line) for line in lines):
                    slow[name] = lines
    assert slow == {}


def test_the_oldest_job_is_found_without_sorting(long_queues):
    with long_queues.write() as conn:
        with recorded(conn) as statements:
            outbox_queue.claim(conn, A, owner="me", lease_until=LEASE, now=NOW)
        (claim,) = [one for one in statements if one[0].startswith("UPDATE")]
        lines = plan(conn, *claim)
    assert any("ix_queue_outbox_pending" in line for line in lines)
    assert not any("TEMP B-TREE" in line or "Sort" in line for line in lines), lines
