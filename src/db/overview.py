"""Numbers about both queues, for `status`, `/health`, `/metrics` and the dashboard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Select, Table, func, select

from src.db.statements import INBOX, MESSAGES, OUTBOX, Unindexed, literal
from src.model.statuses import OPEN_INBOX, UNFINISHED_OUTBOX, InboxStatus, OutboxStatus
from src.model.values import Direction


@dataclass(frozen=True, slots=True)
class Overview:
    """A moment's numbers for one account. "Today" is the UTC day; ages are in seconds, None if nothing waits."""

    inbox: dict[InboxStatus, int]
    """Requests in each status, zeros included."""
    outbox: dict[OutboxStatus, int]
    """Jobs in each status, zeros included."""
    sent_today: int
    answered_today: int
    received_today: int
    """Messages from the guest's side that were sent today."""
    oldest_request_age_sec: float | None
    """Of the requests that are not final yet."""
    oldest_pending_age_sec: float | None
    """Of the jobs that wait for the SEND worker."""
    oldest_draft_age_sec: float | None
    """Of the jobs that wait for a person."""


def overview(conn: Connection, account: str, now: datetime, *, finals: bool = True) -> Overview:
    """Every number at once. Without ``finals``, the work that is done is not counted (0) and does not cost time."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Overview(
        inbox=inbox_counts(conn, account, InboxStatus if finals else OPEN_INBOX),
        outbox=outbox_counts(conn, account, OutboxStatus if finals else UNFINISHED_OUTBOX),
        sent_today=_since(conn, account, OutboxStatus.SENT, midnight),
        answered_today=_answered_since(conn, account, midnight),
        received_today=_received_since(conn, account, midnight),
        oldest_request_age_sec=_oldest_request(conn, account, now),
        oldest_pending_age_sec=_oldest_job(conn, account, OutboxStatus.PENDING, now),
        oldest_draft_age_sec=_oldest_job(conn, account, OutboxStatus.DRAFT, now),
    )


def together(several: Sequence[Overview]) -> Overview:
    """The numbers of several accounts as one; there is at least one. Pure."""
    first, *rest = several
    for other in rest:
        first = Overview(
            **{
                field.name: _joined(field.name, getattr(first, field.name), getattr(other, field.name))
                for field in fields(Overview)
            }
        )
    return first


def _joined(name: str, one: Any, other: Any) -> Any:
    if isinstance(one, dict):
        return {status: number + other[status] for status, number in one.items()}
    if name.startswith("oldest"):
        return max((age for age in (one, other) if age is not None), default=None)
    return one + other


def inbox_counts(
    conn: Connection, account: str, statuses: Iterable[InboxStatus] = InboxStatus
) -> dict[InboxStatus, int]:
    """Requests to the AI in each of the statuses; all others are 0."""
    found = conn.execute(_counted(INBOX, account, statuses))
    return dict.fromkeys(InboxStatus, 0) | {InboxStatus(status): number for status, number in found}


def outbox_counts(
    conn: Connection, account: str, statuses: Iterable[OutboxStatus] = OutboxStatus
) -> dict[OutboxStatus, int]:
    """Replies in each of the statuses; all others are 0."""
    found = conn.execute(_counted(OUTBOX, account, statuses))
    return dict.fromkeys(OutboxStatus, 0) | {OutboxStatus(status): number for status, number in found}


def _counted(table: Table, account: str, statuses: Iterable[StrEnum]) -> Select[Any]:
    wanted = [literal(status) for status in statuses]
    return (
        select(table.c.status, func.count())
        .where(table.c.account == account, table.c.status.in_(wanted))
        .group_by(table.c.status)
    )


def _since(conn: Connection, account: str, status: OutboxStatus, since: datetime) -> int:
    counted = select(func.count()).where(
        OUTBOX.c.account == account, OUTBOX.c.status == status, OUTBOX.c.processed_at >= since
    )
    return conn.execute(counted).scalar_one()


def _answered_since(conn: Connection, account: str, since: datetime) -> int:
    counted = select(func.count()).where(
        INBOX.c.account == account,
        INBOX.c.status == InboxStatus.ANSWERED,
        INBOX.c.processed_at >= since,
    )
    return conn.execute(counted).scalar_one()


def _received_since(conn: Connection, account: str, since: datetime) -> int:
    counted = select(func.count()).where(
        MESSAGES.c.account == account,
        MESSAGES.c.direction == Direction.INBOUND,
        MESSAGES.c.sent_at >= since,
    )
    return conn.execute(counted).scalar_one()


def _oldest_request(conn: Connection, account: str, now: datetime) -> float | None:
    waiting = [
        literal(status) for status in (InboxStatus.PENDING, InboxStatus.PROCESSING, InboxStatus.WAITING)
    ]
    oldest = select(func.min(INBOX.c.created_at)).where(
        INBOX.c.account == account, INBOX.c.status.in_(waiting)
    )
    return _age(conn.execute(oldest).scalar_one_or_none(), now)


def _oldest_job(conn: Connection, account: str, status: OutboxStatus, now: datetime) -> float | None:
    oldest = select(func.min(Unindexed(OUTBOX.c.created_at))).where(
        OUTBOX.c.account == account, OUTBOX.c.status == literal(status)
    )
    return _age(conn.execute(oldest).scalar_one_or_none(), now)


def _age(since: datetime | None, now: datetime) -> float | None:
    return None if since is None else max(0.0, (now - since).total_seconds())
