"""What stands in the queues with a time of a clock that was wrong."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from sqlalchemy import Connection, Table, select, update

from src.db.statements import ACCOUNTS, CONVERSATIONS, INBOX, MESSAGES, OUTBOX
from src.model.gate import Refusal
from src.model.statuses import InboxStatus, OutboxStatus

Queue = Literal["inbox", "outbox"]

_TABLES: dict[Queue, Table] = {"inbox": INBOX, "outbox": OUTBOX}
_UNDER_WAY: dict[Queue, Collection[StrEnum]] = {
    "inbox": [InboxStatus.PENDING, InboxStatus.PROCESSING],
    "outbox": [OutboxStatus.PENDING, OutboxStatus.PROCESSING],
}
_TIMES = ("due_at", "burst_until", "lease_until")


def set_back(conn: Connection, account: str, queue: Queue, by: timedelta, now: datetime) -> int:
    """The clock was set back by so much: what is due after ``now`` is due that much earlier, at the earliest now.

    Guests' messages that were too old only by the wrong clock are looked at again by SYNC. Returns how many rows
    were moved. No status changes.
    """
    if queue == "inbox":
        _look_again(conn, account, now)
    table, moved = _TABLES[queue], 0
    names = [name for name in _TIMES if name in table.c]
    wanted = select(table.c.id, *(table.c[name] for name in names)).where(
        table.c.account == account, table.c.status.in_(_UNDER_WAY[queue])
    )
    for row in conn.execute(wanted).mappings().all():
        late = {name: max(now, row[name] - by) for name in names if row[name] is not None and row[name] > now}
        if late:
            conn.execute(update(table).where(table.c.id == row["id"]).values(late))
            moved += 1
    return moved


def _look_again(conn: Connection, account: str, now: datetime) -> None:
    # A message that was seen later than now was judged by the wrong clock.
    misjudged = select(MESSAGES.c.conversation_id).where(
        MESSAGES.c.account == account,
        MESSAGES.c.skip_reason == Refusal.TOO_OLD,
        MESSAGES.c.seen_at > now,
    )
    again = update(CONVERSATIONS).where(CONVERSATIONS.c.id.in_(misjudged)).values(newest_fingerprint=None)
    if conn.execute(again).rowcount:
        conn.execute(update(ACCOUNTS).where(ACCOUNTS.c.account == account).values(swept_through=None))
