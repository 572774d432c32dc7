"""What the service behind an account has told last, and whether it tells anything while replies go out."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from src.db.statements import MESSAGES, OUTBOX, literal
from src.model.sending import Delivery
from src.model.statuses import OutboxStatus
from src.model.values import Direction

LOOK_BACK = timedelta(days=7)
"""As long as a service comes again with what it could not tell (Meta's webhooks documentation)."""


_TOLD = OUTBOX.c.delivery.is_not(None) & (OUTBOX.c.delivery != Delivery.ACCEPTED.value)
"""The service has said of the reply more than that it took it."""


def newest_message(conn: Connection, account: str) -> datetime | None:
    """When the newest message of the account was written, by anybody; None if there is none."""
    newest = select(func.max(MESSAGES.c.sent_at)).where(MESSAGES.c.account == account)
    found: datetime | None = conn.execute(newest).scalar_one()
    return found


def told_since(conn: Connection, account: str, since: datetime) -> bool:
    """Whether the service has told of a reply that went out after this time."""
    found = select(OUTBOX.c.id).where(
        OUTBOX.c.account == account,
        OUTBOX.c.status == literal(OutboxStatus.SENT),
        OUTBOX.c.processed_at > since,
        _TOLD,
    )
    return conn.execute(found.limit(1)).first() is not None


def silent_since(conn: Connection, account: str, now: datetime) -> datetime | None:
    """When the first of the replies went out of which nothing was told, nor of anything after it; else None.

    For an account whose service says what became of a message. Two short reads; repeatable.
    """
    sent = (
        OUTBOX.c.account == account,
        OUTBOX.c.status == literal(OutboxStatus.SENT),
        OUTBOX.c.processed_at > now - LOOK_BACK,
    )
    last_told = conn.execute(select(func.max(OUTBOX.c.processed_at)).where(*sent, _TOLD)).scalar_one()
    last_heard = conn.execute(
        select(func.max(MESSAGES.c.sent_at)).where(
            MESSAGES.c.account == account,
            MESSAGES.c.direction == Direction.INBOUND.value,
            MESSAGES.c.sent_at > now - LOOK_BACK,
        )
    ).scalar_one()
    last = max((one for one in (last_told, last_heard) if one is not None), default=now - LOOK_BACK)
    untold = (OUTBOX.c.delivery == Delivery.ACCEPTED.value) & (OUTBOX.c.processed_at > last)
    found: datetime | None = conn.execute(
        select(func.min(OUTBOX.c.processed_at)).where(*sent, untold)
    ).scalar_one()
    return found
