"""What must never be is refused by the database itself, whoever writes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from src.db.engine import Database
from src.db.statements import ACCOUNTS, CONVERSATIONS, INBOX, MESSAGES, OUTBOX

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
JOB: dict[str, Any] = {
    "account": "default",
    "conversation_id": "c1",
    "status": "pending",
    "text": "x",
    "due_at": NOW,
    "attempts": 0,
    "arm_count": 0,
    "created_at": NOW,
}
REQUEST: dict[str, Any] = {
    "account": "default",
    "conversation_id": "c1",
    "status": "pending",
    "newest_external_id": "m",
    "due_at": NOW,
    "burst_until": NOW,
    "reply_by": NOW,
    "attempts": 0,
    "created_at": NOW,
}


@pytest.fixture
def with_conversation(db: Database) -> Database:
    with db.write() as conn:
        row = {"account": "default", "external_id": "t1", "stay": "{}", "created_at": NOW, "updated_at": NOW}
        conn.execute(insert(CONVERSATIONS).values(id="c1", **row))
    return db


def job(number: int = 1, **fields: Any) -> Any:
    return insert(OUTBOX).values(**{**JOB, "id": f"j{number}", "idempotency_key": f"k{number}", **fields})


def request(number: int = 1, **fields: Any) -> Any:
    return insert(INBOX).values(**{**REQUEST, "id": f"r{number}", **fields})


def refused(db: Database, *statements: Any) -> str:
    """The statements before the last one work, and the last one is refused; by which constraint."""
    with db.write() as conn:
        for statement in statements[:-1]:
            conn.execute(statement)
    with pytest.raises(IntegrityError) as error, db.write() as conn:
        conn.execute(statements[-1])
    return str(error.value)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"status": "sent"}, "outbox_final"),
        ({"processed_at": NOW}, "outbox_final"),
        ({"arm_count": 2, "armed_at": NOW, "status": "processing"}, "outbox_arm"),
        ({"arm_count": -1, "status": "processing"}, "outbox_armed_at_most_once"),
        ({"arm_count": 1, "status": "processing"}, "outbox_arm"),
        ({"armed_at": NOW, "status": "processing"}, "outbox_arm"),
        ({"arm_count": 1, "armed_at": NOW}, "outbox_armed_stays_put"),
        ({"arm_count": 1, "armed_at": NOW, "status": "draft"}, "outbox_armed_stays_put"),
        (
            {"arm_count": 1, "armed_at": NOW, "status": "failed", "processed_at": NOW},
            "outbox_armed_stays_put",
        ),
        ({"status": "unconfirmed", "processed_at": NOW}, "outbox_unconfirmed_was_armed"),
    ],
)
def test_a_job_that_contradicts_itself_is_refused(with_conversation, fields, constraint):
    assert constraint in refused(with_conversation, job(**fields))


@pytest.mark.parametrize("fields", [{"status": "answered"}, {"processed_at": NOW}])
def test_a_request_is_processed_exactly_when_it_is_final(with_conversation, fields):
    assert "inbox_final" in refused(with_conversation, request(**fields))


@pytest.mark.parametrize(
    ("row", "statement", "constraint"),
    [
        (job(), "UPDATE queue_outbox SET status = 'lost'", "outbox_status"),
        (request(), "UPDATE queue_inbox SET status = 'lost'", "inbox_status"),
        (
            insert(ACCOUNTS).values(account="default", updated_at=NOW),
            "UPDATE accounts SET link_state = 'HALTED'",
            "link_state",
        ),
    ],
)
def test_a_status_that_does_not_exist_is_refused(with_conversation, row, statement, constraint):
    assert constraint in refused(with_conversation, row, text(statement))


def test_a_conversation_has_one_job_in_work_at_most(with_conversation):
    said = refused(with_conversation, job(1, status="processing"), job(2), job(3, status="processing"))
    assert "one_at_a_time" in said or "conversation_id" in said


@pytest.mark.parametrize("status", ["pending", "processing", "waiting"])
def test_a_conversation_has_one_open_request_at_most(with_conversation, status):
    done = {"status": "cancelled", "processed_at": NOW}
    said = refused(with_conversation, request(1, **done), request(2), request(3, status=status))
    assert "uq_queue_inbox_open" in said or "conversation_id" in said


def test_a_key_is_used_once_in_an_account(with_conversation):
    same = {"idempotency_key": "same"}
    said = refused(with_conversation, job(1, **same), job(2, **same, account="other"), job(3, **same))
    assert "idempotency" in said


def test_a_row_belongs_to_a_conversation_that_exists(with_conversation):
    assert "foreign key" in refused(with_conversation, job(conversation_id="nowhere")).lower()
    assert "foreign key" in refused(with_conversation, job(request_id="nothing")).lower()


def test_a_message_is_there_once(with_conversation):
    message = {
        "account": "default",
        "conversation_id": "c1",
        "external_id": "m1",
        "direction": "inbound",
        "origin": "guest",
        "kind": "text",
        "detail": "",
        "sent_at": NOW,
        "seen_at": NOW,
    }
    twice = [insert(MESSAGES).values(id=f"x{number}", **message) for number in (1, 2)]
    assert "external" in refused(with_conversation, *twice)
