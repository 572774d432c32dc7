"""The queue of requests to the AI (``queue_inbox``): one function for each move; nobody else writes its status.

A move that no longer fits the row's state raises StaleJob: drop the work quietly. The moves are written down in
``INBOX_TRANSITIONS`` and drawn in ``docs/state-machines.md``.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, Update, bindparam, case, func, literal_column, select
from sqlalchemy import text as sql

from src.db.statements import (
    INBOX,
    MESSAGES,
    RowShape,
    check_move,
    literal,
    moved,
    once_per_dialect,
    one_or_none,
    rows,
)
from src.errors import StaleJob
from src.model.rows import Request
from src.model.statuses import INBOX_TRANSITIONS, InboxStatus
from src.model.values import MESSAGE, OPEN_INBOX_SQL, START, new_id

_Q = INBOX.c
REQUEST = RowShape.of(Request, INBOX)
_S = InboxStatus
_UNCLAIMED: dict[str, None] = {"claimed_by": None, "lease_until": None}

# What is asked at every call or look is made once: that takes longer than its execution.
_BY_ID = REQUEST.select.where(_Q.id == bindparam("p_id"))
_OPEN = REQUEST.select.where(_Q.conversation_id == bindparam("p_conversation"), sql(OPEN_INBOX_SQL))
_LATEST = (
    REQUEST.select.where(_Q.conversation_id == bindparam("p_conversation"))
    .order_by(_Q.created_at.desc(), _Q.id.desc())
    .limit(1)
)


def _earliest(column: Column[datetime], *statuses: InboxStatus) -> Any:
    there = _Q.status.in_([literal(status) for status in statuses])
    return select(func.min(column)).where(_Q.account == bindparam("p_account"), there).scalar_subquery()


_NEXT_EVENTS = select(
    _earliest(_Q.due_at, _S.PENDING),
    _earliest(_Q.lease_until, _S.PROCESSING),
    _earliest(_Q.reply_by, _S.PENDING, _S.WAITING),
)


def _claim_due_statement() -> Update:
    due = (
        select(_Q.id)
        .where(
            _Q.account == bindparam("p_account"),
            _Q.status == literal(_S.PENDING),
            _Q.due_at <= bindparam("p_now"),
        )
        .order_by(_Q.due_at, _Q.id)
        .limit(bindparam("p_limit"))
        .with_for_update(skip_locked=True)  # SQLite, which has one writer at a time, leaves it out
        .cte("due")
        # PostgreSQL might otherwise run the inner SELECT more than once, and lock more rows than it returns.
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    return REQUEST.update.where(_Q.id.in_(select(due.c.id))).values(
        status=_S.PROCESSING,
        claimed_by=bindparam("p_owner"),
        lease_until=bindparam("p_lease"),
        attempts=_Q.attempts + 1,
    )


_CLAIM_DUE = _claim_due_statement()
_RELEASE_STALE = REQUEST.update.where(
    _Q.account == bindparam("p_account"),
    _Q.status == literal(_S.PROCESSING),
    _Q.lease_until < bindparam("p_now"),
).values(status=_S.PENDING, due_at=bindparam("p_now"), last_error="lease_over", **_UNCLAIMED)
_EXPIRE = REQUEST.update.where(
    _Q.account == bindparam("p_account"),
    _Q.status.in_([literal(_S.PENDING), literal(_S.WAITING)]),
    _Q.reply_by < bindparam("p_now"),
).values(
    status=_S.EXPIRED,
    reason=case((_Q.status == literal(_S.WAITING), "no_answer_in_time"), else_="not_accepted_in_time"),
    processed_at=bindparam("p_now"),
    **_UNCLAIMED,
)


@cache
def _final_statement(sources: frozenset[InboxStatus], to: InboxStatus) -> Update:
    return REQUEST.update.where(
        _Q.id == bindparam("p_id"), _Q.status.in_(check_move(INBOX_TRANSITIONS, sources, to))
    ).values(
        status=to,
        reason=bindparam("p_reason"),
        hard_class=func.coalesce(bindparam("p_class"), _Q.hard_class),
        processed_at=bindparam("p_now"),
        **_UNCLAIMED,
    )


# --- looking ---------------------------------------------------------------------------------------------


def get(conn: Connection, request_id: str) -> Request | None:
    """By our id, which is the request id that the AI sees."""
    return one_or_none(conn, _BY_ID, REQUEST, {"p_id": request_id})


def still_asked(conn: Connection, message_ids: Collection[str]) -> set[str]:
    """Of these messages (our ids) those that an AI is being, or will be, asked about."""
    return set(conn.execute(_STILL_ASKED, {"p_ids": list(message_ids)}).scalars())


_STILL_ASKED = (
    select(MESSAGES.c.id)
    .join(INBOX, INBOX.c.id == MESSAGES.c.request_id)
    .where(MESSAGES.c.id.in_(bindparam("p_ids", expanding=True)), sql(OPEN_INBOX_SQL))
)


def ids_of(conn: Connection, conversation_id: str) -> list[str]:
    """Every request that the conversation ever had."""
    return list(conn.execute(select(_Q.id).where(_Q.conversation_id == conversation_id)).scalars())


def open_request(conn: Connection, conversation_id: str) -> Request | None:
    """The conversation's request that is not final yet; there is at most one."""
    return one_or_none(conn, _OPEN, REQUEST, {"p_conversation": conversation_id})


def start_of(conn: Connection, conversation_id: str) -> Request | None:
    """The conversation's request for a first message, whatever its status; there is at most one, ever."""
    return one_or_none(conn, _START, REQUEST, {"p_conversation": conversation_id})


_START = REQUEST.select.where(
    _Q.conversation_id == bindparam("p_conversation"), _Q.kind == literal_column(f"'{START}'")
)


def latest_request(conn: Connection, conversation_id: str) -> Request | None:
    """The conversation's newest request, whatever its status."""
    return one_or_none(conn, _LATEST, REQUEST, {"p_conversation": conversation_id})


def next_event_at(conn: Connection, account: str) -> datetime | None:
    """When a request becomes due, loses its lease or expires next, maybe in the past; None if none will."""
    times = conn.execute(_NEXT_EVENTS, {"p_account": account}).one()
    return min((at for at in times if at is not None), default=None)


# --- coming in -------------------------------------------------------------------------------------------


def create(
    conn: Connection,
    account: str,
    conversation_id: str,
    *,
    kind: str = MESSAGE,
    newest_external_id: str,
    due_at: datetime,
    burst_until: datetime,
    reply_by: datetime,
    now: datetime,
) -> Request:
    """A new pending request. StaleJob if the conversation has an open one already.

    A second ``start`` of a conversation is refused by the table: look first (``start_of``).
    """
    values = {
        "id": new_id(),
        "account": account,
        "conversation_id": conversation_id,
        "status": _S.PENDING,
        "kind": kind,
        "newest_external_id": newest_external_id,
        "due_at": due_at,
        "burst_until": burst_until,
        "reply_by": reply_by,
        "attempts": 0,
        "created_at": now,
    }
    made = one_or_none(conn, _create_statement(conn), REQUEST, values)
    if made is None:
        raise StaleJob("create: the conversation has an open request")
    return made


@once_per_dialect
def _create_statement(conn: Connection) -> Any:
    return REQUEST.insert(conn).on_conflict_do_nothing(
        index_elements=["conversation_id"], index_where=sql(OPEN_INBOX_SQL)
    )


def extend_burst(
    conn: Connection, request_id: str, *, newest_external_id: str, due_at: datetime, reply_by: datetime
) -> Request:
    """The guest wrote more before it was posted. Only while pending, else StaleJob. Repeatable."""
    statement = REQUEST.update.where(_Q.id == request_id, _Q.status == _S.PENDING).values(
        newest_external_id=newest_external_id, due_at=due_at, reply_by=reply_by
    )
    return moved(conn, statement, REQUEST, "extend_burst")


# --- on the way ------------------------------------------------------------------------------------------


def claim_due(
    conn: Connection, account: str, *, owner: str, lease_until: datetime, now: datetime, limit: int
) -> list[Request]:
    """From pending to processing for the requests that are due, oldest due first, each with one attempt more.

    One statement, safe for many processes: nobody else gets a request that this call returns.
    """
    values = {"p_account": account, "p_owner": owner, "p_lease": lease_until, "p_now": now, "p_limit": limit}
    claimed = rows(conn, _CLAIM_DUE, REQUEST, values)
    return sorted(claimed, key=lambda request: (request.due_at, request.id))  # RETURNING has no order


def release(conn: Connection, request_id: str, owner: str, *, due_at: datetime, error: str) -> Request:
    """From processing to pending, to be tried again at ``due_at``. StaleJob if it is not this owner's any more."""
    statement = _in_hand(request_id, owner).values(
        status=_S.PENDING, due_at=due_at, last_error=error, **_UNCLAIMED
    )
    return moved(conn, statement, REQUEST, "release")


def renew(conn: Connection, request_ids: Collection[str], owner: str, *, lease_until: datetime) -> None:
    """Keep what is still in this owner's hands. What is not any more is left out. Repeatable."""
    mine = REQUEST.update.where(
        _Q.id.in_(list(request_ids)), _Q.status == _S.PROCESSING, _Q.claimed_by == owner
    )
    conn.execute(mine.values(lease_until=lease_until))


def accepted(conn: Connection, request_id: str, owner: str, now: datetime) -> Request:
    """From processing to waiting: the AI took it. StaleJob if it is not this owner's any more."""
    statement = _in_hand(request_id, owner).values(
        status=_S.WAITING, accepted_at=now, last_error=None, **_UNCLAIMED
    )
    return moved(conn, statement, REQUEST, "accepted")


def _in_hand(request_id: str, owner: str) -> Update:
    return REQUEST.update.where(_Q.id == request_id, _Q.status == _S.PROCESSING, _Q.claimed_by == owner)


def release_stale(conn: Connection, account: str, now: datetime) -> list[Request]:
    """From processing to pending for every request whose lease is over: its worker died. Due at once. Repeatable.

    Posting twice is safe: the AI sees the same request id, and an answer closes the request once.
    """
    return rows(conn, _RELEASE_STALE, REQUEST, {"p_account": account, "p_now": now})


def expire_overdue(conn: Connection, account: str, now: datetime) -> list[Request]:
    """From pending or waiting to expired for every request whose ``reply_by`` is past. Repeatable.

    The reason says which: ``not_accepted_in_time`` or ``no_answer_in_time``.
    """
    return rows(conn, _EXPIRE, REQUEST, {"p_account": account, "p_now": now})


def owners_at_work(conn: Connection, account: str) -> set[str]:
    """Who holds requests of the account in hand, by the names they were claimed with."""
    found = select(_Q.claimed_by).where(_Q.account == account, _Q.status == literal(_S.PROCESSING)).distinct()
    return {owner for owner in conn.execute(found).scalars() if owner is not None}


def take_back(conn: Connection, account: str, owners: Collection[str], now: datetime) -> list[Request]:
    """From processing to pending for all that these owners held: their processes are dead. Due at once."""
    statement = REQUEST.update.where(
        _Q.account == account, _Q.status == literal(_S.PROCESSING), _Q.claimed_by.in_(list(owners))
    ).values(status=_S.PENDING, due_at=now, last_error="process_ended", **_UNCLAIMED)
    return rows(conn, statement, REQUEST)


# --- going out -------------------------------------------------------------------------------------------


def finish(
    conn: Connection,
    request_id: str,
    from_statuses: Collection[InboxStatus],
    to: InboxStatus,
    reason: str | None,
    now: datetime,
    *,
    hard_class: str | None = None,
) -> Request:
    """To a final status, from one of those that the caller has in mind: a subset of what INBOX_TRANSITIONS allows.

    Answered: in the transaction that enqueues the answer. ``hard_class`` says what an escalated one is about, where
    that is why. StaleJob if it is in none of ``from_statuses``; ValueError for a move that is not allowed.
    """
    values = {"p_id": request_id, "p_reason": reason, "p_now": now, "p_class": hard_class}
    return moved(conn, _final_statement(frozenset(from_statuses), to), REQUEST, str(to), values)
