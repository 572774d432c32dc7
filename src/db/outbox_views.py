"""Looking at the queue of replies (``queue_outbox``) without moving anything."""

from __future__ import annotations

from collections.abc import Callable, Collection
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
    exists,
    func,
    not_,
    or_,
    select,
    tuple_,
)

from src.db.statements import INBOX, OUTBOX, RowShape, Unindexed, literal, one_or_none, rows
from src.model.caps import Replies
from src.model.columns import UtcDateTime
from src.model.rows import Job
from src.model.statuses import FINAL_OUTBOX, UNSENT_OUTBOX, OutboxStatus
from src.model.values import HOLDING

JOB = RowShape.of(Job, OUTBOX)
_Q = OUTBOX.c
_S = OutboxStatus


def get(conn: Connection, job_id: str) -> Job | None:
    """By our id."""
    return one_or_none(conn, _BY_ID, JOB, {"p_id": job_id})


_BY_ID = JOB.select.where(_Q.id == bindparam("p_id"))


def by_key(conn: Connection, account: str, idempotency_key: str) -> Job | None:
    """By the key that makes enqueueing repeatable."""
    return one_or_none(conn, _BY_KEY, JOB, {"p_account": account, "p_key": idempotency_key})


_BY_KEY = JOB.select.where(_Q.account == bindparam("p_account"), _Q.idempotency_key == bindparam("p_key"))


def by_receipt(conn: Connection, account: str, external_id: str) -> Job | None:
    """The reply that became this message at the remote."""
    found = JOB.select.where(_Q.account == account, _Q.receipt_external_id == external_id)
    return one_or_none(conn, found.order_by(_Q.created_at.desc()).limit(1), JOB)


def is_unnamed_in_hand(conn: Connection, account: str) -> bool:
    """Whether a press is under way of which nobody has said yet which message came of it."""
    pressed = select(_Q.id).where(
        _Q.account == account,
        _Q.status == literal(_S.PROCESSING),
        _Q.arm_count == 1,
        _Q.receipt_external_id.is_(None),
    )
    return conn.execute(pressed.limit(1)).first() is not None


def for_request(conn: Connection, request_id: str) -> list[Job]:
    """The jobs made for a request to the AI, oldest first; more than one if a person sent again."""
    return rows(conn, _FOR_REQUEST, JOB, {"p_request": request_id})


_FOR_REQUEST = JOB.select.where(_Q.request_id == bindparam("p_request")).order_by(_Q.created_at, _Q.id)


def answered_among(conn: Connection, request_ids: Collection[str]) -> set[str]:
    """Of these requests those whose answer has been sent; a holding text does not count."""
    sent = conn.execute(_ANSWERED_AMONG, {"p_requests": list(request_ids)})
    return {one for one in sent.scalars() if one is not None}


_ANSWERED_AMONG = select(_Q.request_id).where(
    _Q.request_id.in_(bindparam("p_requests", expanding=True)),
    _Q.status == literal(_S.SENT),
    _Q.kind != HOLDING,
)


def parts_of(conn: Connection, job: Job) -> list[Job]:
    """All parts of the answer that the job is a part of, in their order; the job alone if it is the whole."""
    if job.group_id is None:
        return [job]
    return rows(conn, _PARTS, JOB, {"p_group": job.group_id})


_PARTS = JOB.select.where(_Q.group_id == bindparam("p_group")).order_by(_Q.part)


def later_part_ids(conn: Connection, conversation_id: str) -> set[str]:
    """Our ids of the conversation's replies that are the second or a later part of an answer."""
    return set(conn.execute(_LATER_PARTS, {"p_conversation": conversation_id}).scalars())


_LATER_PARTS = select(_Q.id).where(_Q.conversation_id == bindparam("p_conversation"), Unindexed(_Q.part) > 1)


def was_ever_pressed(conn: Connection, conversation_id: str) -> bool:
    """Whether anything of an AI of ours was, or may have been, written in the conversation."""
    return conn.execute(_EVER_PRESSED, {"p_conversation": conversation_id}).first() is not None


_EVER_PRESSED = (
    select(_Q.id)
    .where(
        _Q.conversation_id == bindparam("p_conversation"),
        _Q.arm_count == 1,
        Unindexed(_Q.written_after).is_(None),
    )
    .limit(1)
)


def next_typing(conn: Connection, account: str) -> list[Job]:
    """The pending jobs for which somebody is to be shown typing, now or later, the earliest first."""
    return rows(conn, _TYPING, JOB, {"p_account": account})


_TYPING = (
    JOB.select.where(
        _Q.account == bindparam("p_account"),
        _Q.status == literal(_S.PENDING),
        _Q.typing_from_at.is_not(None),
    )
    .order_by(Unindexed(_Q.typing_from_at))
    .limit(50)
)


def overdue(conn: Connection, account: str, now: datetime) -> list[Job]:
    """Pending jobs that come too late to be of use, by what they answer."""
    late = exists().where(INBOX.c.id == _Q.request_id, INBOX.c.reply_by < now)
    return rows(conn, JOB.select.where(_Q.account == account, _Q.status == literal(_S.PENDING), late), JOB)


def first_in_line(job: FromClause) -> ColumnElement[bool]:
    """That no job of the same conversation is processing, and that none pending is older.

    Replies leave a conversation in their order and one at a time. A draft blocks nothing: it may wait for ever.
    """
    other = OUTBOX.alias("other")
    same = other.c.conversation_id == job.c.conversation_id
    busy = exists().where(same, other.c.status == literal(_S.PROCESSING))
    older = exists().where(
        same,
        other.c.status == literal(_S.PENDING),
        tuple_(other.c.created_at, other.c.id) < tuple_(job.c.created_at, job.c.id),
    )
    return and_(not_(busy), not_(older))


def peek_due(conn: Connection, account: str, limit: int, now: datetime) -> list[Job]:
    """The next due pending jobs, oldest first. Claims nothing, changes nothing."""
    due = (
        JOB.select.where(_Q.account == account, _Q.status == literal(_S.PENDING), Unindexed(_Q.due_at) <= now)
        .order_by(_Q.created_at, _Q.id)
        .limit(limit)
    )
    return rows(conn, due, JOB)


def next_due_at(conn: Connection, account: str) -> datetime | None:
    """When the next job that could be claimed is due, maybe in the past; None if there is none.

    A job behind another one of its conversation does not count, so that nobody is sent round in circles by it.
    """
    return conn.execute(_NEXT_DUE, {"p_account": account}).scalar_one_or_none()


def _next_due_statement() -> Select[datetime]:
    job = OUTBOX.alias("job")
    return (
        select(job.c.due_at)
        .where(
            job.c.account == bindparam("p_account"),
            job.c.status == literal(_S.PENDING),
            first_in_line(job),
        )
        .order_by(job.c.due_at)
        .limit(1)
    )


_NEXT_DUE = _next_due_statement()
"""Put together once: it is asked at every look, and aliases are slow to make."""


def list_jobs(conn: Connection, account: str, status: OutboxStatus | None, limit: int) -> list[Job]:
    """Jobs in a status, or all. The work that waits comes oldest first, what is done (and all) newest first."""
    wanted = JOB.select.where(_Q.account == account)
    if status is None:
        wanted = wanted.order_by(_Q.created_at.desc(), _Q.id)
    elif status in FINAL_OUTBOX:
        wanted = wanted.where(_Q.status == status).order_by(_Q.processed_at.desc(), _Q.id)
    else:
        wanted = wanted.where(_Q.status == literal(status)).order_by(Unindexed(_Q.created_at), _Q.id)
    return rows(conn, wanted.limit(limit), JOB)


def automatic_replies(
    conn: Connection, account: str, conversation_id: str, *, hour: datetime, day: datetime
) -> Replies:
    """How many replies were enqueued since then that no person asked for and that are not given up."""
    return _replies(conn, _AUTOMATIC, account, conversation_id, hour, day)


def pressed_replies(
    conn: Connection, account: str, conversation_id: str, *, hour: datetime, day: datetime
) -> Replies:
    """The same by when Send was, or may have been, pressed."""
    return _replies(conn, _PRESSED, account, conversation_id, hour, day)


def _replies(
    conn: Connection, counted: Select[Any], account: str, conversation_id: str, hour: datetime, day: datetime
) -> Replies:
    values = {"p_account": account, "p_conversation": conversation_id, "p_hour": hour, "p_day": day}
    return Replies(*conn.execute(counted, values).one())


def automatic_texts(conn: Connection, conversation_id: str, since: datetime) -> list[str]:
    """What the automatic replies of a conversation say that were enqueued since then and are not given up."""
    return _texts(conn, _AUTOMATIC_TEXTS, conversation_id, since)


def pressed_texts(conn: Connection, conversation_id: str, since: datetime) -> list[str]:
    """The same by when Send was, or may have been, pressed."""
    return _texts(conn, _PRESSED_TEXTS, conversation_id, since)


def _texts(conn: Connection, wanted: Select[Any], conversation_id: str, since: datetime) -> list[str]:
    values = {"p_conversation": conversation_id, "p_since": since}
    return list(conn.execute(wanted, values).scalars())


_Condition = Callable[[BindParameter[Any]], ColumnElement[bool]]


def _counted(*conditions: _Condition) -> Select[Any]:
    """The three numbers of ``Replies`` in one statement; each condition is given the time to count from."""

    def count(whose: ColumnElement[bool], since: BindParameter[Any]) -> Any:
        wanted = (condition(since) for condition in conditions)
        return select(func.count()).select_from(OUTBOX).where(whose, *wanted).scalar_subquery()

    here = _Q.conversation_id == bindparam("p_conversation")
    hour, day = bindparam("p_hour", type_=UtcDateTime), bindparam("p_day", type_=UtcDateTime)
    return select(count(here, hour), count(here, day), count(_Q.account == bindparam("p_account"), hour))


def _said(*conditions: _Condition) -> Select[Any]:
    """The texts of a conversation's replies that fulfil the same conditions."""
    since = bindparam("p_since", type_=UtcDateTime)
    here = _Q.conversation_id == bindparam("p_conversation")
    return select(_Q.text).where(here, *(condition(since) for condition in conditions))


# An answer in several parts is one reply: its first part stands for it.
_IS_AUTOMATIC: tuple[_Condition, ...] = (
    lambda _: Unindexed(_Q.part) == 1,
    lambda since: _Q.created_at >= since,
    lambda _: Unindexed(_Q.status).in_(
        [literal(s) for s in (_S.PENDING, _S.PROCESSING, _S.SENT, _S.UNCONFIRMED)]
    ),
    lambda _: _Q.approved_at.is_(None),
)
_IS_PRESSED: tuple[_Condition, ...] = (
    lambda _: Unindexed(_Q.part) == 1,
    # A job is settled after its arm; the one in hand is not armed yet.
    lambda since: _Q.processed_at >= since,
    lambda since: _Q.armed_at >= since,
    lambda _: _Q.approved_at.is_(None),
    lambda _: _Q.status.in_([literal(_S.SENT), literal(_S.UNCONFIRMED)]),
)
_AUTOMATIC, _AUTOMATIC_TEXTS = _counted(*_IS_AUTOMATIC), _said(*_IS_AUTOMATIC)
_PRESSED, _PRESSED_TEXTS = _counted(*_IS_PRESSED), _said(*_IS_PRESSED)


def approved_ids(conn: Connection, conversation_id: str) -> set[str]:
    """Our ids of the conversation's replies that a person asked for."""
    return set(conn.execute(_APPROVED, {"p_conversation": conversation_id}).scalars())


_APPROVED = select(_Q.id).where(
    _Q.conversation_id == bindparam("p_conversation"), _Q.approved_at.is_not(None)
)


def left_behind(conn: Connection, account: str) -> list[Job]:
    """Jobs in `processing`. If you hold the account's turn and have no job yourself, a dead worker left these."""
    return rows(conn, _LEFT_BEHIND, JOB, {"p_account": account})


_LEFT_BEHIND = JOB.select.where(
    _Q.account == bindparam("p_account"), _Q.status == literal(_S.PROCESSING)
).order_by(Unindexed(_Q.created_at), _Q.id)


def awaiting_proof(conn: Connection, conversation_id: str) -> list[Job]:
    """Jobs whose Send was, or may have been, pressed and whose message has not been found yet, oldest first.

    Without those whose text was taken out: nothing could be recognised by it.
    """
    return rows(conn, _AWAITING_PROOF, JOB, {"p_conversation": conversation_id})


_AWAITING_PROOF = JOB.select.where(
    _Q.conversation_id == bindparam("p_conversation"),
    _Q.purged_at.is_(None),
    or_(
        _Q.status == literal(_S.UNCONFIRMED),
        and_(_Q.status == literal(_S.PROCESSING), _Q.arm_count == 1),
    ),
).order_by(_Q.created_at, _Q.id)


def holding_ids(conn: Connection, conversation_id: str) -> set[str]:
    """Our ids of the conversation's holding texts that the guest may have got."""
    return set(conn.execute(_HOLDING, {"p_conversation": conversation_id}).scalars())


_HOLDING = select(_Q.id).where(
    _Q.conversation_id == bindparam("p_conversation"), _Q.kind == HOLDING, _Q.arm_count == 1
)


def had_holding_text(conn: Connection, conversation_id: str, request_id: str, since: datetime) -> bool:
    """Whether there is a holding text for this request, or one of the conversation that was made since then."""
    made = select(_Q.id).where(
        _Q.conversation_id == conversation_id,
        _Q.kind == HOLDING,
        or_(_Q.request_id == request_id, _Q.created_at >= since),
    )
    return conn.execute(made.limit(1)).first() is not None


def held_at(conn: Connection, account: str, moment: datetime, limit: int) -> list[Job]:
    """The replies that waited at that moment (a draft not), as they are now, oldest first."""
    held = (
        JOB.select.where(
            _Q.account == account,
            Unindexed(_Q.created_at) < moment,
            or_(
                _Q.status.in_([literal(_S.PENDING), literal(_S.PROCESSING)]),
                and_(_Q.status.in_([literal(s) for s in sorted(FINAL_OUTBOX)]), _Q.processed_at >= moment),
            ),
        )
        .order_by(_Q.created_at, _Q.id)
        .limit(limit)
    )
    return rows(conn, held, JOB)


def on_their_way(conn: Connection, account: str) -> list[Job]:
    """Pending jobs, and those in a worker's hands whose Send was not pressed yet, oldest first."""
    going = JOB.select.where(
        _Q.account == account,
        _Q.status.in_([literal(_S.PENDING), literal(_S.PROCESSING)]),
        _Q.arm_count == 0,
    ).order_by(_Q.created_at, _Q.id)
    return rows(conn, going, JOB)


def unproven_since(conn: Connection, account: str, since: datetime) -> datetime | None:
    """When the oldest reply was armed that became unconfirmed at or after ``since``; None if there is none."""
    unproven = select(func.min(_Q.armed_at)).where(
        _Q.account == account, _Q.status == literal(_S.UNCONFIRMED), _Q.processed_at >= since
    )
    return conn.execute(unproven).scalar_one_or_none()


def unsent(conn: Connection, conversation_id: str) -> list[Job]:
    """Replies of the conversation that may be cancelled without asking SEND (draft, pending), oldest first."""
    return rows(conn, _UNSENT, JOB, {"p_conversation": conversation_id})


_UNSENT = JOB.select.where(
    _Q.conversation_id == bindparam("p_conversation"),
    _Q.status.in_([literal(s) for s in sorted(UNSENT_OUTBOX)]),
).order_by(_Q.created_at, _Q.id)


def in_hand(conn: Connection, conversation_id: str) -> Job | None:
    """The reply of the conversation that a worker has in hand; None if there is none."""
    mine = JOB.select.where(_Q.conversation_id == conversation_id, _Q.status == literal(_S.PROCESSING))
    return one_or_none(conn, mine, JOB)


def newest(conn: Connection, conversation_id: str) -> Job | None:
    """The reply of the conversation that was made last."""
    mine = JOB.select.where(_Q.conversation_id == conversation_id)
    return one_or_none(conn, mine.order_by(_Q.created_at.desc(), _Q.id.desc()).limit(1), JOB)


def read_by_person(conn: Connection, conversation_id: str, but: str | None = None) -> int | None:
    """Up to which ``sequence`` of the conversation a person had read who then wrote; None if nobody did.

    A cancelled reply does not count, nor does the job ``but``.
    """
    values = {"p_conversation": conversation_id, "p_but": but or ""}
    return conn.execute(_READ_BY_PERSON, values).scalar_one_or_none()


_READ_BY_PERSON = select(func.max(_Q.written_after)).where(
    _Q.conversation_id == bindparam("p_conversation"),
    Unindexed(_Q.status) != literal(_S.CANCELLED),
    _Q.id != bindparam("p_but"),
)
