"""What the dashboard shows: read-only questions across both queues, conversations and messages."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, func, select

from src.db.statements import ACCOUNTS, INBOX, MESSAGES, OUTBOX, WORKERS, literal
from src.model.statuses import FINAL_INBOX, FINAL_OUTBOX, InboxStatus, OutboxStatus


def stamp(conn: Connection, account: str) -> str:
    """A short text that is another one when something of the account has changed. A few index look-ups."""
    seen: list[object] = []
    state = select(ACCOUNTS.c.updated_at, ACCOUNTS.c.link_state, ACCOUNTS.c.paused_at)
    seen += conn.execute(state.where(ACCOUNTS.c.account == account)).all()
    workers = select(WORKERS.c.worker, WORKERS.c.stopped_at, WORKERS.c.failures_in_a_row > 0)
    seen += conn.execute(workers.where(WORKERS.c.account == account).order_by(WORKERS.c.worker)).all()
    newest = select(func.max(MESSAGES.c.sent_at)).where(MESSAGES.c.account == account)
    seen.append(conn.execute(newest).scalar_one())
    for table, statuses, final in ((OUTBOX, OutboxStatus, FINAL_OUTBOX), (INBOX, InboxStatus, FINAL_INBOX)):
        for status in statuses:
            mine = (table.c.account == account, table.c.status == literal(status))
            # What is done grows without end: its newest end says enough. What is open is few, and counted.
            what = func.max(table.c.processed_at) if status in final else func.count()
            seen.append(conn.execute(select(what).where(*mine)).scalar_one())
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]
