"""The queue of replies (``queue_outbox``): one function for each move; nobody else writes its status.

A move that no longer fits the row's state raises StaleJob: drop the work quietly. The moves are written down in
``OUTBOX_TRANSITIONS`` and drawn in ``docs/state-machines.md``. What only looks is in ``outbox_views.py``.

"Armed" means that Send may have been pressed. An armed job can only become sent or unconfirmed: every other move
asks for ``arm_count = 0``, and so does a CHECK of the table. Moves that take an ``owner`` hold only for the
process that has claimed the job; where it is optional, None asks nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    Update,
    bindparam,
    case,
    false,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from src.db.outbox_views import JOB, by_key, first_in_line, parts_of
from src.db.statements import (
    OUTBOX,
    Unindexed,
    check_move,
    literal,
    moved,
    once_per_dialect,
    one_or_none,
    rows,
)
from src.errors import StaleJob
from src.model.pace import WHOLE, Slot
from src.model.rows import NOTHING_SAID, Job, Said
from src.model.sending import Delivery, Receipt, deliveries_before
from src.model.statuses import OUTBOX_TRANSITIONS, UNSENT_OUTBOX, OutboxStatus
from src.model.values import ANSWER, ASSISTANT, new_id

_Q = OUTBOX.c
_S = OutboxStatus
_UNCLAIMED: dict[str, None] = {"claimed_by": None, "lease_until": None}

# Statements of every send are put together once: SQLAlchemy takes longer for that than SQLite to execute them.


def _claim_statement(*, many: bool) -> Update:
    job = OUTBOX.alias("job")
    next_jobs = (
        select(job.c.id)
        .where(
            job.c.account == bindparam("p_account"),
            job.c.status == literal(_S.PENDING),
            # The index in the order of age leads to the first one at once.
            Unindexed(job.c.due_at) <= bindparam("p_now"),
            first_in_line(job),
        )
        .order_by(job.c.created_at, job.c.id)
        .limit(bindparam("p_limit") if many else 1)
        .with_for_update(of=job, skip_locked=True)  # SQLite, which has one writer at a time, leaves it out
    )
    if many:
        # PostgreSQL might otherwise run the inner SELECT more than once, and lock more rows than it returns.
        found = next_jobs.cte("due").prefix_with("MATERIALIZED", dialect="postgresql")
        claimed = JOB.update.where(_Q.id.in_(select(found.c.id)))
    else:
        claimed = JOB.update.where(_Q.id == next_jobs.scalar_subquery())
    return claimed.values(
        status=_S.PROCESSING,
        claimed_by=bindparam("p_owner"),
        lease_until=bindparam("p_lease"),
        attempts=_Q.attempts + 1,
    )


@cache
def _sent_statement(sources: frozenset[OutboxStatus], *, owned: bool) -> Update:
    statement = JOB.update.where(
        _Q.id == bindparam("p_id"), _Q.status.in_(check_move(OUTBOX_TRANSITIONS, sources, _S.SENT))
    )
    if owned:
        statement = statement.where(_Q.claimed_by == bindparam("p_owner"))
    return statement.values(
        status=_S.SENT,
        reason=None,
        last_error=None,
        receipt_external_id=bindparam("p_receipt"),
        receipt_text=bindparam("p_text"),
        delivery=func.coalesce(bindparam("p_delivery"), _Q.delivery),
        processed_at=bindparam("p_now"),
        **_UNCLAIMED,
    )


@cache
def _sent_many_statement(number: int) -> Update:
    return JOB.update.where(
        _Q.id.in_([bindparam(f"p_id{n}") for n in range(number)]),
        _Q.status == _S.PROCESSING,
        _Q.claimed_by == bindparam("p_owner"),
    ).values(
        status=_S.SENT,
        reason=None,
        last_error=None,
        receipt_external_id=_by_id("p_receipt", number),
        delivery=func.coalesce(_by_id("p_delivery", number), _Q.delivery),
        processed_at=bindparam("p_now"),
        **_UNCLAIMED,
    )


_NOTHING_SAID_YET: dict[str, None] = {
    "receipt_external_id": None,
    "receipt_text": None,
    "delivery": None,
    "delivery_error": None,
}
"""What the remote said of an earlier press that came to nothing is not said of this one."""


@cache
def _arm_many_statement(number: int) -> Update:
    return JOB.update.where(
        _Q.id.in_([bindparam(f"p_id{n}") for n in range(number)]),
        _Q.status == _S.PROCESSING,
        _Q.claimed_by == bindparam("p_owner"),
        _Q.arm_count == 0,
    ).values(
        arm_count=1,
        armed_at=bindparam("p_now"),
        after_external_id=_by_id("p_after", number),
        **_NOTHING_SAID_YET,
    )


def _by_id(name: str, number: int) -> Any:
    """Another value for each of ``count`` rows."""
    each = ((_Q.id == bindparam(f"p_id{n}"), bindparam(f"{name}{n}", type_=String)) for n in range(number))
    return case(*each, else_=None)


_CLAIM_ONE = JOB.update.where(
    _Q.id == bindparam("p_id"), _Q.status.in_(check_move(OUTBOX_TRANSITIONS, [_S.PENDING], _S.PROCESSING))
).values(
    status=_S.PROCESSING,
    claimed_by=bindparam("p_owner"),
    lease_until=bindparam("p_lease"),
    attempts=_Q.attempts + 1,
)
_CLAIM, _CLAIM_MANY = _claim_statement(many=False), _claim_statement(many=True)
_ARM = JOB.update.where(
    _Q.id == bindparam("p_id"),
    _Q.status == _S.PROCESSING,
    _Q.claimed_by == bindparam("p_owner"),
    _Q.arm_count == 0,
).values(
    arm_count=1,
    armed_at=bindparam("p_now"),
    after_external_id=bindparam("p_after"),
    **_NOTHING_SAID_YET,
)


@once_per_dialect
def _enqueue_statement(conn: Connection) -> Any:
    return JOB.insert(conn).on_conflict_do_nothing(index_elements=["account", "idempotency_key"])


_CLAIM_TRIES = 5
"""Two processes that claim in the same instant may meet at the unique index; one of them looks again."""


# --- coming in -------------------------------------------------------------------------------------------


def enqueue(
    conn: Connection,
    account: str,
    conversation_id: str,
    text: str,
    *,
    request_id: str | None,
    idempotency_key: str,
    status: OutboxStatus = OutboxStatus.PENDING,
    reason: str | None = None,
    replaces_id: str | None = None,
    approved: bool = False,
    kind: str = ANSWER,
    written_by: str = ASSISTANT,
    said: Said = NOTHING_SAID,
    slot: Slot = WHOLE,
    html: str | None = None,
    written_after: int | None = None,
    now: datetime,
) -> tuple[Job, bool]:
    """A new job, pending or draft, and True; or the job that already has this key, as it is, and False.

    Repeatable by its key, also by many processes at once. ``approved``: a person asks for it.
    ``written_by``: a person, if the AI did not. ``said`` is what the AI says of it. ``slot``: which part of the
    answer it is; the parts leave in their order. ``written_after``: of a person's own words, see ``Job``.
    """
    if status not in UNSENT_OUTBOX:
        raise ValueError(f"a job starts as draft or pending, not as {status}")
    values = {
        "id": new_id(),
        "account": account,
        "conversation_id": conversation_id,
        "request_id": request_id,
        "status": status,
        "reason": reason,
        "text": text,
        "html": html,
        "kind": kind,
        "written_by": written_by,
        "written_after": written_after,
        "agent": said.agent,
        "topic": said.topic,
        "confidence": said.confidence,
        "sources": said.sources,
        "idempotency_key": idempotency_key,
        "replaces_id": replaces_id,
        "approved_at": now if approved else None,
        "group_id": slot.group_id,
        "part": slot.part,
        "parts": slot.parts,
        "typing_from_at": slot.typing_from_at,
        "due_at": slot.due_at or now,
        "attempts": 0,
        "arm_count": 0,
        # Replies leave in the order of this time, so each part is a moment younger than the one before.
        "created_at": now + timedelta(microseconds=slot.part - 1),
    }
    made = one_or_none(conn, _enqueue_statement(conn), JOB, values)
    if made is not None:
        return made, True
    found = by_key(conn, account, idempotency_key)
    if found is None:
        # PostgreSQL above READ COMMITTED, in a transaction that began before the other one ended.
        raise StaleJob("enqueue: another process has just made this job")
    return found, False


def approve(
    conn: Connection, job_id: str, text: str | None, now: datetime, *, due_at: datetime | None = None
) -> Job:
    """From draft to pending, with the person's ``text`` if there is one. Due at once; its attempts start again.

    The text of the AI is kept as ``drafted_text`` if the person's is another one. Due at ``due_at`` instead, it can
    be taken back until then: the draft's reason stays.
    """
    edited: dict[str, Any] = {}
    if text is not None:
        drafted = case((_Q.text == text, None), else_=func.coalesce(_Q.drafted_text, _Q.text))
        edited = {"text": text, "drafted_text": drafted, "html": case((_Q.text == text, _Q.html))}
    if due_at is None:
        edited["reason"] = None
    return _move(
        conn,
        _from(job_id, [_S.DRAFT], _S.PENDING),
        _S.PENDING,
        due_at=due_at or now,
        approved_at=now,
        attempts=0,
        last_error=None,
        **edited,
    )


_TAKEN_BACK: ColumnElement[str] = literal_column("'approval_taken_back'")


def take_back(conn: Connection, job_id: str) -> Job:
    """From pending to draft, of what a person has approved. Its text and its reason stay. StaleJob if in hand."""
    approved = _unarmed(_from(job_id, [_S.PENDING], _S.DRAFT)).where(_Q.approved_at.is_not(None))
    reason = func.coalesce(_Q.reason, _TAKEN_BACK)
    return _move(conn, approved, _S.DRAFT, reason=reason, approved_at=None, **_UNCLAIMED)


def retry(conn: Connection, job_id: str, now: datetime) -> Job:
    """From failed to pending, when a person asks for it. Due at once; its attempts start again. Not if purged."""
    return _move(
        conn,
        _from(job_id, [_S.FAILED], _S.PENDING).where(_Q.purged_at.is_(None)),
        _S.PENDING,
        reason=None,
        due_at=now,
        approved_at=now,
        attempts=0,
        last_error=None,
        processed_at=None,
    )


def note_read(conn: Connection, job_id: str, written_after: int) -> None:
    """A person has looked again, and wants the own words sent all the same. No move. Repeatable."""
    conn.execute(update(OUTBOX).where(_Q.id == job_id).values(written_after=written_after))


# --- in a worker's hands ---------------------------------------------------------------------------------


def claim(conn: Connection, account: str, *, owner: str, lease_until: datetime, now: datetime) -> Job | None:
    """From pending to processing: the oldest job that is due and first in its conversation, None if there is none.

    One statement, safe for many processes: nobody else gets the job that this call returns.
    """
    values = {"p_account": account, "p_owner": owner, "p_lease": lease_until, "p_now": now}
    if conn.dialect.name == "sqlite":
        return one_or_none(conn, _CLAIM, JOB, values)
    for _ in range(_CLAIM_TRIES):
        try:
            with conn.begin_nested():
                return one_or_none(conn, _CLAIM, JOB, values)
        except IntegrityError:
            # The other process has taken a job of the same conversation that this one could not see yet.
            continue
    return None


def claim_many(
    conn: Connection, account: str, *, owner: str, lease_until: datetime, now: datetime, limit: int
) -> list[Job]:
    """The same for the oldest jobs that are due, at most so many and one of each conversation, oldest first."""
    values = {
        "p_account": account,
        "p_owner": owner,
        "p_lease": lease_until,
        "p_now": now,
        "p_limit": limit,
    }
    for _ in range(_CLAIM_TRIES):
        try:
            with conn.begin_nested():
                claimed = rows(conn, _CLAIM_MANY, JOB, values)
        except IntegrityError:
            continue
        return sorted(claimed, key=lambda job: (job.created_at, job.id))  # RETURNING has no order
    return []


def claim_one(conn: Connection, job_id: str, *, owner: str, lease_until: datetime) -> Job:
    """From pending to processing: this one job, whose receiver waits. StaleJob if it is not pending any more."""
    values = {"p_id": job_id, "p_owner": owner, "p_lease": lease_until}
    return moved(conn, _CLAIM_ONE, JOB, str(_S.PROCESSING), values)


def arm(conn: Connection, job_id: str, owner: str, *, after_external_id: str | None, now: datetime) -> Job:
    """Write down that Send is about to be pressed. Commit before pressing! At most once in a job's life.

    ``after_external_id`` is the newest message as seen now: ours is looked for only after it. StaleJob if the job
    is not processing, not this owner's, or armed already. NOT repeatable: after an error, do not press.
    """
    values = {"p_id": job_id, "p_owner": owner, "p_after": after_external_id, "p_now": now}
    return moved(conn, _ARM, JOB, "arm", values)


def arm_many(conn: Connection, owner: str, after: Mapping[str, str | None], now: datetime) -> list[Job]:
    """``arm`` for several jobs, by id with the newest message of each. All of them, in this order, or StaleJob."""
    values: dict[str, Any] = {"p_owner": owner, "p_now": now}
    for n, (job_id, newest) in enumerate(after.items()):
        values |= {f"p_id{n}": job_id, f"p_after{n}": newest}
    return _all_of(conn, _arm_many_statement(len(after)), values, list(after), "arm")


def disarm(conn: Connection, job_id: str, owner: str) -> Job:
    """Take ``arm`` back. Only for the process that armed it and knows that it has not pressed Send."""
    statement = JOB.update.where(
        _Q.id == job_id, _Q.status == _S.PROCESSING, _Q.claimed_by == owner, _Q.arm_count == 1
    ).values(arm_count=0, armed_at=None, after_external_id=None)
    return moved(conn, statement, JOB, "disarm")


def release(
    conn: Connection,
    job_id: str,
    owner: str,
    *,
    due_at: datetime,
    error: str | None,
    give_attempt_back: bool = False,
) -> Job:
    """From processing to pending, due again at ``due_at``. StaleJob if armed, or not this owner's any more."""
    return _move(
        conn,
        _unarmed(_owned(_from(job_id, [_S.PROCESSING], _S.PENDING), owner)),
        _S.PENDING,
        due_at=due_at,
        last_error=error,
        attempts=_Q.attempts - (1 if give_attempt_back else 0),
        **_UNCLAIMED,
    )


def put_off(conn: Connection, job_id: str, due_at: datetime) -> Job:
    """A pending job becomes due at ``due_at`` and not before. StaleJob if it is not pending. Repeatable."""
    statement = JOB.update.where(_Q.id == job_id, _Q.status == _S.PENDING).values(due_at=due_at)
    return moved(conn, statement, JOB, "put_off")


def take_over(conn: Connection, job_id: str, old_owner: str | None, owner: str, lease_until: datetime) -> Job:
    """Become the owner of a job that a dead process left in processing. It stays armed if it was."""
    statement = JOB.update.where(
        _Q.id == job_id, _Q.status == _S.PROCESSING, _Q.claimed_by.is_not_distinct_from(old_owner)
    ).values(claimed_by=owner, lease_until=lease_until)
    return moved(conn, statement, JOB, "take_over")


def hold(
    conn: Connection,
    job_id: str,
    from_statuses: Collection[OutboxStatus],
    reason: str,
    *,
    owner: str | None = None,
) -> Job:
    """From pending or processing to draft: a person has to look. StaleJob if armed."""
    held = _unarmed(_owned(_from(job_id, from_statuses, _S.DRAFT), owner))
    return _move(conn, held, _S.DRAFT, reason=reason, **_UNCLAIMED)


# --- going out -------------------------------------------------------------------------------------------


def sent(
    conn: Connection,
    job_id: str,
    from_statuses: Collection[OutboxStatus],
    receipt_external_id: str | None,
    receipt_text: str | None,
    now: datetime,
    *,
    delivery: Delivery | None = None,
    owner: str | None = None,
) -> Job:
    """From processing or unconfirmed to sent: the site has it, as message ``receipt_external_id``.

    ``receipt_text`` is the text as shown there if it differs, else None. Both are None if a person says so.
    ``delivery`` is what the remote says of it, if it says anything.
    """
    values = {
        "p_id": job_id,
        "p_receipt": receipt_external_id,
        "p_text": receipt_text,
        "p_delivery": delivery,
        "p_now": now,
    }
    if owner is not None:
        values["p_owner"] = owner
    statement = _sent_statement(frozenset(from_statuses), owned=owner is not None)
    job = moved(conn, statement, JOB, str(_S.SENT), values)
    if job.part < job.parts:
        _begin_next_part(conn, job, now)
    return job


def _begin_next_part(conn: Connection, job: Job, now: datetime) -> None:
    """The typing of the next part begins when this one is there, however late that is."""
    following = next((one for one in parts_of(conn, job) if one.part == job.part + 1), None)
    if following is None or following.status is not _S.PENDING or following.typing_from_at is None:
        return
    late = now - following.typing_from_at
    if late > timedelta(0):
        values = {"typing_from_at": now, "due_at": following.due_at + late}
        conn.execute(update(OUTBOX).where(_Q.id == following.id).values(**values))


def delivered(
    conn: Connection, job_id: str, standing: Delivery, error: str | None, external_id: str | None = None
) -> bool:
    """What became of a pressed reply at the remote; no move. It only rises: False if more is known already.

    ``error`` is the remote's code where ``standing`` is FAILED; ``external_id`` names the message where nobody has
    yet. Repeatable.
    """
    before = deliveries_before(standing)
    known = [str(one) for one in before if one is not None]
    lower = or_(_Q.delivery.in_(known), _Q.delivery.is_(None) if None in before else false())
    failed_by = error if standing is Delivery.FAILED else None
    noted = update(OUTBOX).where(_Q.id == job_id, _Q.arm_count == 1, lower)
    named = func.coalesce(_Q.receipt_external_id, external_id)
    values = {"delivery": str(standing), "delivery_error": failed_by, "receipt_external_id": named}
    return conn.execute(noted.values(values)).rowcount == 1


def sent_many(conn: Connection, owner: str, receipts: Mapping[str, Receipt], now: datetime) -> list[Job]:
    """``sent`` for several jobs in this owner's hands, by id. All of them, in this order, or StaleJob."""
    values: dict[str, Any] = {"p_owner": owner, "p_now": now}
    for n, (job_id, receipt) in enumerate(receipts.items()):
        values |= {
            f"p_id{n}": job_id,
            f"p_receipt{n}": receipt.external_id,
            f"p_delivery{n}": str(receipt.standing),
        }
    return _all_of(conn, _sent_many_statement(len(receipts)), values, list(receipts), str(_S.SENT))


def unconfirmed(
    conn: Connection,
    job_id: str,
    reason: str,
    now: datetime,
    *,
    owner: str | None = None,
    receipt_external_id: str | None = None,
) -> Job:
    """From processing to unconfirmed: Send was, or may have been, pressed without proof. StaleJob if not armed.

    ``receipt_external_id``: the message that the site named for the press but does not show; a known one stays.
    """
    pressed = _owned(_from(job_id, [_S.PROCESSING], _S.UNCONFIRMED), owner).where(_Q.arm_count == 1)
    named = {} if receipt_external_id is None else {"receipt_external_id": receipt_external_id}
    return _move(conn, pressed, _S.UNCONFIRMED, reason=reason, processed_at=now, **named, **_UNCLAIMED)


def name_message(conn: Connection, job_id: str, owner: str | None, receipt_external_id: str) -> None:
    """The site named this message for the press of an armed job: no move, it stays in processing. Repeatable.

    StaleJob if the job is not armed, or not the owner's (None asks nothing).
    """
    _note_press(conn, job_id, owner, receipt_external_id=receipt_external_id)


def send_instead(conn: Connection, job_id: str, text: str) -> None:
    """In the place of an armed job's text this one is about to be sent: no move. StaleJob if it is not armed."""
    _note_press(conn, job_id, None, receipt_text=text)


def _note_press(conn: Connection, job_id: str, owner: str | None, **values: str) -> None:
    mine = _owned(update(OUTBOX).where(_Q.id == job_id, _Q.status == _S.PROCESSING, _Q.arm_count == 1), owner)
    if conn.execute(mine.values(**values)).rowcount != 1:
        raise StaleJob(f"{job_id} is not armed by {owner}")


def failed(
    conn: Connection,
    job_id: str,
    reason: str,
    now: datetime,
    *,
    error: str | None = None,
    delivery_error: str | None = None,
    owner: str | None = None,
) -> Job:
    """From processing to failed: it cannot be delivered, Send was not pressed. StaleJob if armed.

    ``delivery_error``: the remote took it and said at once that it cannot deliver it, with this code.
    """
    lost = _unarmed(_owned(_from(job_id, [_S.PROCESSING], _S.FAILED), owner))
    said = {"delivery": Delivery.FAILED, "delivery_error": delivery_error} if delivery_error else {}
    return _move(
        conn, lost, _S.FAILED, reason=reason, last_error=error, processed_at=now, **said, **_UNCLAIMED
    )


def cancelled(
    conn: Connection,
    job_id: str,
    from_statuses: Collection[OutboxStatus],
    reason: str,
    now: datetime,
    *,
    owner: str | None = None,
) -> Job:
    """From draft, pending or processing to cancelled: no longer wanted, Send was not pressed. StaleJob if armed."""
    unwanted = _unarmed(_owned(_from(job_id, from_statuses, _S.CANCELLED), owner))
    return _move(conn, unwanted, _S.CANCELLED, reason=reason, processed_at=now, **_UNCLAIMED)


# --- the parts of a guarded move -------------------------------------------------------------------------


def _from(job_id: str, sources: Collection[OutboxStatus], to: OutboxStatus) -> Update:
    allowed = check_move(OUTBOX_TRANSITIONS, sources, to)
    return JOB.update.where(_Q.id == job_id, _Q.status.in_(allowed))


def _all_of(
    conn: Connection, statement: Update, values: Mapping[str, Any], job_ids: list[str], what: str
) -> list[Job]:
    """Run a guarded UPDATE of several rows; the caller's transaction is to be given up if it is StaleJob."""
    found = {job.id: job for job in rows(conn, statement, JOB, values)}
    if found.keys() != set(job_ids):
        raise StaleJob(f"{what}: {len(job_ids) - len(found)} rows are not where this move starts from")
    return [found[job_id] for job_id in job_ids]


def _owned(statement: Update, owner: str | None) -> Update:
    return statement if owner is None else statement.where(_Q.claimed_by == owner)


def _unarmed(statement: Update) -> Update:
    return statement.where(_Q.arm_count == 0)


def _move(conn: Connection, statement: Update, to: OutboxStatus, **values: Any) -> Job:
    return moved(conn, statement.values(status=to, **values), JOB, str(to))
