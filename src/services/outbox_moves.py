"""What a person may do with a reply: the moves of the operator's side.

A move that the job's state does not allow raises ``Conflict`` with that state; an unknown id ``NotFound``.
Each is one transaction; a reply that is now on its way wakes the SEND worker.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from loguru import logger

from src.db import conversations, inbox_queue, outbox_queue, outbox_views
from src.db.engine import Connection, Database
from src.db.wakeup import Wakeup
from src.errors import StaleJob
from src.model.rows import Job
from src.model.secrets import NO_SECRETS, Secrets
from src.model.statuses import UNSENT_OUTBOX, CancelReason, OutboxStatus
from src.model.values import ANSWER, NOTICE
from src.services import autonomy
from src.services.refusals import Conflict, NotFound
from src.services.texts import LONGEST_REASON, clean_message, clean_text

_SENT_AGAIN = frozenset({OutboxStatus.UNCONFIRMED, OutboxStatus.CANCELLED})


def approve(
    db: Database,
    wakeup: Wakeup,
    job_id: str,
    message: str | None,
    *,
    now: datetime,
    secrets: Secrets = NO_SECRETS,
    undo_sec: float = 0.0,
) -> Job:
    """Draft → pending, with the edited text if there is one. ``Malformed`` if that cannot be typed.

    It is due after ``undo_sec`` seconds; until a worker has it in hand, ``take_back`` makes it a draft again.

    The first click wins; the second gets ``Conflict``. So does approving a draft that is overtaken or
    whose message is too old by now: SEND would cancel it anyway, and a person should hear of it here.
    """
    text = None if message is None else clean_message(message)

    def move(conn: Connection) -> Job:
        draft = outbox_views.get(conn, job_id)
        masked = _masked(conn, job_id, text, secrets)
        due_at = now + timedelta(seconds=undo_sec) if undo_sec else None
        job = outbox_queue.approve(conn, job_id, masked, now, due_at=due_at)
        if job.is_from_person:
            return _looked_again(conn, job)
        _still_fits(conn, job, now)
        assert draft is not None  # noqa: S101 - else it could not be moved
        autonomy.note_approval(conn, draft, job, now)
        return job

    return _move(db, wakeup, job_id, "approved", move)


def _looked_again(conn: Connection, job: Job) -> Job:
    """A person wants the own words sent as the conversation stands now."""
    if job.is_from_person:
        outbox_queue.note_read(conn, job.id, conversations.last_sequence(conn, job.conversation_id))
    return job


def take_back(db: Database, job_id: str, *, now: datetime) -> Job:
    """An approved reply that nobody has in hand → draft, as it was approved. ``Conflict`` if it is too late."""

    def move(conn: Connection) -> Job:
        approved = outbox_views.get(conn, job_id)
        job = outbox_queue.take_back(conn, job_id)
        assert approved is not None  # noqa: S101 - else it could not be moved
        autonomy.take_back(conn, approved, now)
        return job

    return _move(db, None, job_id, "taken back", move)


def _masked(conn: Connection, job_id: str, text: str | None, secrets: Secrets) -> str | None:
    """What a person has typed, without the values of secrets: SEND fills them in again."""
    job = outbox_views.get(conn, job_id) if text is not None else None
    if text is None or job is None:
        return text
    return secrets.mask(text, conversations.get(conn, job.conversation_id).listing_id)


def _still_fits(conn: Connection, job: Job, now: datetime) -> None:
    """``Conflict``, which undoes the move, if the request that the draft answers is not the newest or is over."""
    request = inbox_queue.get(conn, job.request_id) if job.request_id else None
    if request is None:
        return
    newest = inbox_queue.latest_request(conn, job.conversation_id)
    if newest is not None and newest.id != request.id:
        raise Conflict("overtaken", "the guest wrote again after this draft was made", state="draft")
    if request.is_too_late(now):
        raise Conflict("too_late", "the message that this draft answers is too old by now", state="draft")


def reject(db: Database, job_id: str, reason: str | None, *, now: datetime) -> Job:
    """Draft → cancelled, with the person's reason (default: rejected)."""
    why = clean_text("reason", reason or "", LONGEST_REASON) or str(CancelReason.REJECTED)
    drafts = [OutboxStatus.DRAFT]
    return _move(db, None, job_id, "rejected", lambda conn: _refuse(conn, job_id, drafts, why, now))


def cancel(db: Database, job_id: str, *, now: datetime) -> Job:
    """Draft or pending → cancelled. What a worker has in hand is not taken from it."""
    why = str(CancelReason.CANCELLED_BY_PERSON)
    return _move(
        db,
        None,
        job_id,
        "cancelled",
        lambda conn: _refuse(conn, job_id, UNSENT_OUTBOX, why, now),
    )


def _refuse(conn: Connection, job_id: str, sources: Collection[OutboxStatus], why: str, now: datetime) -> Job:
    before = outbox_views.get(conn, job_id)
    job = outbox_queue.cancelled(conn, job_id, sources, why, now)
    assert before is not None  # noqa: S101 - else it could not be moved
    for part in outbox_views.parts_of(conn, job):  # without it the rest of the answer makes no sense
        if part.part > job.part and part.status in UNSENT_OUTBOX:
            outbox_queue.cancelled(conn, part.id, [part.status], why, now)
    autonomy.note_refusal(conn, before, now)
    return job


def retry(db: Database, wakeup: Wakeup, job_id: str, *, now: datetime) -> Job:
    """Failed → pending. (An unconfirmed job is never pressed again: look, then confirm_sent or send_again.)"""
    return _move(
        db, wakeup, job_id, "retried", lambda conn: _looked_again(conn, outbox_queue.retry(conn, job_id, now))
    )


def confirm_sent(db: Database, job_id: str, *, now: datetime) -> Job:
    """Unconfirmed → sent: a person has seen the message in its thread."""
    sources = [OutboxStatus.UNCONFIRMED]
    return _move(
        db,
        None,
        job_id,
        "confirmed as sent",
        lambda conn: outbox_queue.sent(conn, job_id, sources, None, None, now),
    )


def send_again(db: Database, wakeup: Wakeup, job_id: str, *, now: datetime) -> Job:
    """A new job with the same text in place of one that is unconfirmed or cancelled; returns the new one.

    A person has looked and the message is not there. The old job stays as it is: its Send is never pressed
    again. Repeatable: the same new job every time; to go on from there, send that one again.
    """

    def move(conn: Connection) -> Job:
        old = outbox_views.get(conn, job_id)
        if old is None or old.purged_at or old.status not in _SENT_AGAIN:
            raise StaleJob
        read = conversations.last_sequence(conn, old.conversation_id) if old.is_from_person else None
        new, _ = outbox_queue.enqueue(
            conn,
            old.account,
            old.conversation_id,
            old.text,
            request_id=old.request_id,
            idempotency_key=f"again:{old.id}",
            replaces_id=old.id,
            approved=True,
            kind=NOTICE if old.kind == NOTICE else ANSWER,
            written_by=old.written_by,
            html=old.html,
            written_after=read,
            now=now,
        )
        return new

    return _move(db, wakeup, job_id, "sent again", move)


def _move(
    db: Database, wakeup: Wakeup | None, job_id: str, done: str, move: Callable[[Connection], Job]
) -> Job:
    try:
        with db.write() as conn:
            job = move(conn)
            if wakeup is not None:
                wakeup.notify_in(conn, "outbox")
    except StaleJob:
        with db.read() as conn:
            found = outbox_views.get(conn, job_id)
        if found is None:
            raise NotFound("there is no reply with this id") from None
        message = f"a reply that is {found.status} cannot be {done}"
        raise Conflict(f"is_{found.status}", message, state=str(found.status)) from None
    logger.bind(job_id=job.id, status=str(job.status)).info("a person moved a reply: {}", done)
    return job
