"""The end of a halt: what waited during it is judged again, and let go slowly, the oldest inquiry first.

halt cleared ─▶ too late to be of use ──▶ cancelled (expired)
            └▶ the others ──▶ due one after the other; SYNC reads the whole inbox meanwhile and cancels what the
                              host or the guest has overtaken; SEND judges each once more before it types
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from loguru import logger

from src.db import accounts, inbox_queue, outbox_queue, outbox_views
from src.db.engine import Connection, Database
from src.db.wakeup import Wakeup
from src.model.rows import Job
from src.model.statuses import CancelReason, OutboxStatus

FIRST_AFTER = timedelta(seconds=10)
"""SYNC looks at the whole inbox before the first held reply goes out."""
THEN_EVERY = timedelta(seconds=30)
"""A choice, not a known limit of any site: a person who catches up answers one conversation after the other."""
_MANY = 1_000


@dataclass(frozen=True, slots=True)
class Released:
    """What became of the replies that a halt held."""

    cleared: bool
    """False: there was no halt, and nothing was done."""
    released: tuple[Job, ...] = ()
    """In the order in which they become due."""
    stale: tuple[Job, ...] = ()
    """Cancelled at once, each with its reason."""


def end_halt(
    db: Database, account: str, *, max_age: timedelta, now: datetime, wakeup: Wakeup | None = None
) -> Released:
    """Clear the halt and judge what it held, in one transaction. Repeatable: without a halt nothing happens.

    Call this only after the inbox was read successfully. ``max_age``: how long a reply stays useful.
    Blocking. Raises TransientError; then the halt stands.
    """
    with db.write() as conn:
        if not accounts.clear_halt(conn, account, now):
            return Released(cleared=False)
        held = [(job, *_asked_and_until(conn, job, max_age)) for job in _pending(conn, account)]
        stale = tuple(
            outbox_queue.cancelled(conn, job.id, [OutboxStatus.PENDING], CancelReason.EXPIRED, now)
            for job, _, until in held
            if until is not None and now > until
        )
        gone = {job.id for job in stale}
        # Replies leave a conversation in their own order, whatever is due first: SEND's claim sees to that.
        order = sorted((asked, job.created_at, job.id, job) for job, asked, _ in held if job.id not in gone)
        released = tuple(
            outbox_queue.put_off(conn, job.id, now + FIRST_AFTER + place * THEN_EVERY)
            for place, (*_, job) in enumerate(order)
        )
        if wakeup is not None:
            wakeup.notify_in(conn, "outbox")
    logger.info(
        "The halt is over: {} held replies are let go slowly, {} came too late", len(released), len(stale)
    )
    return Released(cleared=True, released=released, stale=stale)


def since_halt(conn: Connection, account: str) -> tuple[datetime | None, list[Job]]:
    """When the last halt ended (None: never), and the replies that waited then, as they are now.

    A reply that waits on or was sent is in its usual status; a stale one is cancelled, with its reason.
    """
    ended = accounts.get(conn, account).halt_cleared_at
    if ended is None:
        return None, []
    return ended, outbox_views.held_at(conn, account, ended, _MANY)


def _pending(conn: Connection, account: str) -> list[Job]:
    return outbox_views.list_jobs(conn, account, OutboxStatus.PENDING, _MANY)


def _asked_and_until(conn: Connection, job: Job, max_age: timedelta) -> tuple[datetime, datetime | None]:
    """When the guest wrote what the reply answers, and until when that is of use (None: nothing says so)."""
    if job.is_from_person:
        return job.created_at, (job.approved_at or job.created_at) + max_age
    request = inbox_queue.get(conn, job.request_id) if job.request_id else None
    return (job.created_at, None) if request is None else (request.reply_by - max_age, request.reply_by)
