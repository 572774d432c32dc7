"""What happened in an account between two moments, and whether anything is new. Read-only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    bindparam,
    func,
    select,
)

from src.db.statements import ACCOUNTS, INBOX, MESSAGES, OUTBOX, VISITORS, WORKERS, literal
from src.db.waiting import newest_of_request
from src.model.statuses import FINAL_INBOX, FINAL_OUTBOX, InboxStatus, OutboxStatus
from src.model.values import Direction


@dataclass(frozen=True, slots=True)
class Numbers:
    """What happened between two moments."""

    received: int
    sent: int
    escalated: int
    cancelled: dict[str, int]
    """Replies that were cancelled, and requests that ended without an answer, by reason."""


# --- numbers ---------------------------------------------------------------------------------------------


def numbers(conn: Connection, account: str, since: datetime, until: datetime) -> Numbers:
    """What happened from ``since`` on, before ``until``."""
    done = _between(OUTBOX, account, since, until)
    over = _between(INBOX, account, since, until)
    cancelled: dict[str, int] = {}
    ends = (
        (OUTBOX, done, (OutboxStatus.CANCELLED,)),
        (INBOX, over, (InboxStatus.CANCELLED, InboxStatus.EXPIRED, InboxStatus.FAILED)),
    )
    for table, there, statuses in ends:
        counted = (
            select(func.coalesce(table.c.reason, table.c.status), func.count())
            .where(there, table.c.status.in_([literal(s) for s in statuses]))
            .group_by(func.coalesce(table.c.reason, table.c.status))
        )
        for reason, number in conn.execute(counted):
            cancelled[reason] = cancelled.get(reason, 0) + number
    escalated = select(func.count()).where(over, INBOX.c.status == literal(InboxStatus.ESCALATED))
    sent = select(func.count()).where(done, OUTBOX.c.status == literal(OutboxStatus.SENT))
    return Numbers(
        received(conn, account, since, until),
        conn.execute(sent).scalar_one(),
        conn.execute(escalated).scalar_one(),
        cancelled,
    )


def received(conn: Connection, account: str, since: datetime, until: datetime) -> int:
    """Messages from the guests' side that were sent in that time."""
    counted = select(func.count()).where(
        MESSAGES.c.account == account,
        MESSAGES.c.sent_at >= since,
        MESSAGES.c.sent_at < until,
        MESSAGES.c.direction == literal(Direction.INBOUND),
    )
    return int(conn.execute(counted).scalar_one())


def answer_times(
    conn: Connection, account: str, since: datetime, until: datetime
) -> list[tuple[datetime, float]]:
    """Of each reply sent in that time to a guest's message: when, and how many seconds after the message."""
    home = OUTBOX.join(INBOX, INBOX.c.id == OUTBOX.c.request_id).join(MESSAGES, newest_of_request())
    wanted = (
        select(OUTBOX.c.processed_at, MESSAGES.c.sent_at)
        .select_from(home)
        .where(_between(OUTBOX, account, since, until), OUTBOX.c.status == literal(OutboxStatus.SENT))
    )
    return [(done, max(0.0, (done - asked).total_seconds())) for done, asked in conn.execute(wanted)]


def _between(table: FromClause, account: str, since: datetime, until: datetime) -> ColumnElement[bool]:
    return and_(table.c.account == account, table.c.processed_at >= since, table.c.processed_at < until)


# --- is there anything new? ------------------------------------------------------------------------------


def stamp(conn: Connection, account: str) -> str:
    """A short text that is another one when something of the account has changed. A few index look-ups."""
    seen = [conn.execute(asked, {"p_account": account}).all() for asked in _STAMP]
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]


def _stamp_statements() -> list[Select[Any]]:
    """Made once: each open dashboard has them asked every few seconds."""
    mine: BindParameter[str] = bindparam("p_account")
    state = select(ACCOUNTS.c.link_state, ACCOUNTS.c.halted_at, ACCOUNTS.c.paused_at)
    workers = select(WORKERS.c.worker, WORKERS.c.stopped_at, WORKERS.c.failures_in_a_row > 0)
    ends = [select(func.max(MESSAGES.c.sent_at)).where(MESSAGES.c.account == mine).scalar_subquery()]
    ends.append(select(func.max(VISITORS.c.typing_at)).where(VISITORS.c.account == mine).scalar_subquery())
    for table, statuses, final in ((OUTBOX, OutboxStatus, FINAL_OUTBOX), (INBOX, InboxStatus, FINAL_INBOX)):
        for status in statuses:
            # What is done grows without end: its newest end says enough. What is open is few, and counted.
            what = func.max(table.c.processed_at) if status in final else func.count()
            there = (table.c.account == mine, table.c.status == literal(status))
            ends.append(select(what).select_from(table).where(*there).scalar_subquery())
    return [
        state.where(ACCOUNTS.c.account == mine),
        workers.where(WORKERS.c.account == mine).order_by(WORKERS.c.worker),
        select(*ends),
    ]


_STAMP = _stamp_statements()
