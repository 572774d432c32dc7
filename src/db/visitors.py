"""Visitors of a site's pages (``visitors``): from where each wrote last, for the limits, and who writes now.

A row is dropped an hour after its visitor's last message: nothing counts it any more.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, or_, select, text, update

from src.db.statements import CONVERSATIONS, MESSAGES, VISITORS, insert_into, literal
from src.model.values import Direction

_V, _C, _M = VISITORS.c, CONVERSATIONS.c, MESSAGES.c


def lock(conn: Connection, account: str, what: str) -> None:
    """Keep others who ask for the same waiting until this transaction ends. On SQLite all writers do.

    ``what`` is counted behind it, so that two who count at the same time do not both find room.
    """
    if conn.dialect.name != "sqlite":
        digest = hashlib.sha256(f"visitors\0{account}\0{what}".encode()).digest()
        key = int.from_bytes(digest[:8], signed=True)
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def note(conn: Connection, account: str, conversation_id: str, address: str, now: datetime) -> None:
    """The visitor wrote from there. Repeatable."""
    values: dict[str, Any] = {"address": address, "seen_at": now, "typing_at": None}
    statement = insert_into(conn, VISITORS).values(conversation_id=conversation_id, account=account, **values)
    conn.execute(statement.on_conflict_do_update(index_elements=["conversation_id"], set_=values))


def written_from(conn: Connection, account: str, address: str, since: datetime, limit: int) -> list[datetime]:
    """When the newest messages after ``since`` of all who wrote last from there were stored, newest first."""
    values = {"p_account": account, "p_address": address, "p_since": since, "p_limit": limit}
    return list(conn.execute(_WRITTEN_FROM, values).scalars())


_WRITTEN_FROM = (
    select(_M.sent_at)
    .join(VISITORS, _V.conversation_id == _M.conversation_id)
    .where(
        _V.account == bindparam("p_account"),
        _V.address == bindparam("p_address"),
        _M.direction == literal(Direction.INBOUND),
        _M.sent_at > bindparam("p_since"),
    )
    .order_by(_M.sent_at.desc())
    .limit(bindparam("p_limit"))
)


def new_since(conn: Connection, account: str, since: datetime, limit: int) -> list[datetime]:
    """When the newest conversations that began after ``since`` began, newest first."""
    began = select(_C.created_at).where(
        _C.account == account, _C.last_activity_at > since, _C.created_at > since
    )
    return list(conn.execute(began.order_by(_C.created_at.desc()).limit(limit)).scalars())


def note_typing(conn: Connection, account: str, name: str, now: datetime, unless_after: datetime) -> None:
    """The visitor (the conversation's name) is writing. Nothing where that was noted after ``unless_after``."""
    mine = select(_C.id).where(_C.account == account, _C.external_id == name).scalar_subquery()
    long_ago = or_(_V.typing_at.is_(None), _V.typing_at < unless_after)
    conn.execute(update(VISITORS).where(_V.conversation_id == mine, long_ago).values(typing_at=now))


def is_typing(conn: Connection, conversation_id: str, since: datetime) -> bool:
    """Whether the visitor was writing after then, and has not sent it."""
    found = select(func.count()).where(_V.conversation_id == conversation_id, _V.typing_at > since)
    return bool(conn.execute(found).scalar_one())


def drop(conn: Connection, before: datetime, limit: int) -> int:
    """Drop the rows of visitors who wrote last before then; returns how many. Repeatable."""
    old = select(_V.conversation_id).where(_V.seen_at < before).limit(limit)
    return conn.execute(delete(VISITORS).where(_V.conversation_id.in_(old))).rowcount


def forget(conn: Connection, conversation_id: str) -> int:
    """Drop the row of one. Repeatable."""
    return conn.execute(delete(VISITORS).where(_V.conversation_id == conversation_id)).rowcount
