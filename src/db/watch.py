"""What alerts are made from: rows that are older than they should be. Only looks."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, exists, or_, select

from src.db.conversations import waits_again, written_at
from src.db.statements import CONVERSATIONS, INBOX, MESSAGES, OUTBOX, literal
from src.model.gate import Refusal
from src.model.statuses import InboxStatus, OutboxStatus
from src.model.values import Direction

_AT_MOST = 200
"""Of one kind: whoever has more of them is told that there are many."""
_Q = OUTBOX.c


def replies_since(
    conn: Connection, account: str, status: OutboxStatus, since: datetime
) -> list[tuple[str, str, datetime]]:
    """Id, reason and time of the replies that are in the status, since then at the earliest, oldest first."""
    at = _Q.created_at if status is OutboxStatus.DRAFT else _Q.processed_at
    found = (
        select(_Q.id, _Q.reason, at)
        .where(_Q.account == account, _Q.status == literal(status), at >= since)
        .order_by(at)
        .limit(_AT_MOST)
    )
    return [(job_id, reason or "", when) for job_id, reason, when in conn.execute(found)]


def replies_on_their_way(conn: Connection, account: str, before: datetime) -> list[tuple[str, datetime]]:
    """Id and time of the replies that wait for SEND, or are in its hands, since before then; oldest first."""
    found = (
        select(_Q.id, _Q.created_at)
        .where(
            _Q.account == account,
            _Q.status.in_([literal(OutboxStatus.PENDING), literal(OutboxStatus.PROCESSING)]),
            _Q.created_at < before,
            or_(_Q.approved_at.is_(None), _Q.approved_at < before),
        )
        .order_by(_Q.created_at)
        .limit(_AT_MOST)
    )
    return [(job_id, when) for job_id, when in conn.execute(found)]


def unanswered(
    conn: Connection, account: str, after: datetime, before: datetime
) -> list[tuple[str, datetime]]:
    """Id and time of guests' texts of that stretch of time after which nobody of the host's side has written.

    The newest of each conversation. What needs no answer (the gate, the AI, the mode or a person says so) is left
    out.
    """
    m, later, request = MESSAGES.alias("m"), MESSAGES.alias("later"), INBOX.alias("request")
    follows = exists().where(
        later.c.conversation_id == m.c.conversation_id,
        later.c.sent_at > m.c.sent_at,
        later.c.direction.in_([Direction.INBOUND, Direction.OUTBOUND]),
    )
    needs_none = exists().where(
        request.c.id == m.c.request_id, request.c.status == literal(InboxStatus.IGNORED)
    )
    found = (
        select(m.c.id, m.c.sent_at)
        .join(CONVERSATIONS, CONVERSATIONS.c.id == m.c.conversation_id)
        .where(
            m.c.account == account,
            m.c.direction == Direction.INBOUND,
            m.c.sent_at > after,
            m.c.sent_at <= before,
            m.c.deleted_at.is_(None),
            or_(m.c.skip_reason.is_(None), m.c.skip_reason.in_(_A_PERSON_SHOULD_LOOK)),
            ~follows,
            ~needs_none,
            waits_again(written_at(m)),
        )
        .order_by(m.c.sent_at)
        .limit(_AT_MOST)
    )
    return [(message_id, when) for message_id, when in conn.execute(found)]


_A_PERSON_SHOULD_LOOK = [
    Refusal.NOT_THE_NEWEST,
    Refusal.CROSSED_OUR_REPLY,
    Refusal.CANNOT_BE_OPENED,
    Refusal.TOO_OLD,
]
