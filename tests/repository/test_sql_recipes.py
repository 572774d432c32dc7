"""What the runbook's SQL counts. (That all of it runs as it stands is tested with the documents.)"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from src.db import conversations, inbox_queue, outbox_queue
from src.model.inbox import AuthorRole
from src.model.rows import Said
from src.model.statuses import InboxStatus, OutboxStatus
from src.model.values import DEFAULT_ACCOUNT as A
from src.model.values import PERSON, Direction, utc_now

RUNBOOK = Path(__file__).resolve().parents[2] / "docs" / "runbook.md"
SECTION = RUNBOOK.read_text(encoding="utf-8").split("\n## SQL recipes\n")[1].split("\n## ")[0]
FOR_ONE = {"-- PostgreSQL": "postgresql", "-- SQLite": "sqlite"}


def recipes(dialect: str) -> dict[str, str]:
    """What each query finds, as its comment says → the query."""
    found = {}
    for block in re.findall(r"```sql\n(.*?)```", SECTION, re.DOTALL):
        only = FOR_ONE.get(block.splitlines()[0])
        if only not in (None, dialect):
            continue
        for part in block.split("\n\n"):
            lines = [line for line in part.splitlines() if line not in FOR_ONE]
            found[lines[0].removeprefix("-- ")] = "\n".join(lines)
    return found


@pytest.fixture
def talk(db, make_message, make_conversation):
    """An hour ago: a question given to Anna and answered after 30 s; one that a person answered after 90 s."""
    began = utc_now() - timedelta(hours=1)
    with db.write() as conn:
        for number, (agent, seconds, writer) in enumerate((("anna", 30, "assistant"), (None, 90, PERSON))):
            asked = make_message(external_id=f"q{number}", sent_at=began)
            reply = make_message(
                external_id=f"a{number}", sent_at=began + timedelta(seconds=seconds), role=AuthorRole.HOST
            )
            seen = make_conversation(asked, reply, external_id=f"t{number}")
            home = conversations.upsert_seen(conn, A, seen, skip_reason=None, fingerprint=None, now=began).id
            rows = [
                conversations.insert_message(
                    conn, A, home, one, direction=way, origin=origin, skip_reason=None, now=began
                )
                for one, way, origin in (
                    (asked, Direction.INBOUND, "guest"),
                    (reply, Direction.OUTBOUND, "host"),
                )
            ]
            request = inbox_queue.create(
                conn,
                A,
                home,
                newest_external_id="q",
                due_at=began,
                burst_until=began,
                reply_by=began,
                now=began,
            )
            conversations.attach_to_request(conn, [rows[0].id], request.id)
            inbox_queue.finish(conn, request.id, [InboxStatus.PENDING], InboxStatus.ANSWERED, None, began)
            job, _ = outbox_queue.enqueue(
                conn,
                A,
                home,
                "Yes.",
                request_id=request.id,
                idempotency_key=request.id,
                written_by=writer,
                said=Said(agent=agent),
                now=began,
            )
            outbox_queue.claim_one(conn, job.id, owner="me", lease_until=began)
            outbox_queue.arm(conn, job.id, "me", after_external_id=None, now=began)
            outbox_queue.sent(conn, job.id, [OutboxStatus.PROCESSING], f"a{number}", None, began)
            conversations.attach_receipt(conn, rows[1].id, job)
            if agent:
                conversations.note_agent(conn, request.id, agent)
        for number in range(11):
            conversations.insert_message(
                conn,
                A,
                home,
                make_message(external_id=f"now{number}", sent_at=utc_now()),
                direction=Direction.INBOUND,
                origin="guest",
                skip_reason=None,
                now=began,
            )
    return db


def found(db, about: str):
    (query,) = (query for name, query in recipes(db.dialect).items() if name.startswith(about))
    with db.read() as conn:
        return [tuple(row) for row in conn.execute(text(query))]


def test_what_each_voice_wrote_is_counted_and_a_persons_reply_is_not(talk):
    assert found(talk, "how much each voice wrote") == [("anna", 1, 1)]


def test_the_mean_answer_time_is_counted_by_agent(talk):
    for about in ("how long people waited", "the same, each message"):
        times = {agent: round(float(seconds)) for agent, seconds in found(talk, about)}
        assert times["anna"] == 30
    assert times == {"anna": 30, None: 90}, "by its own reply, a person's answer counts, too"


def test_more_than_ten_messages_a_minute_are_found(talk):
    ((_, number),) = found(talk, "who writes more than ten")
    assert number == 11
