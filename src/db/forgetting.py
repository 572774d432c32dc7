"""Taking guests' words and names out of the tables. The rows stay: by its id an answered message is still known.

A text that is gone is NULL (``messages``) or empty (``queue_outbox``), and ``purged_at`` says since when.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    exists,
    literal_column,
    not_,
    or_,
    select,
    update,
)

from src.db.statements import CONVERSATIONS, INBOX, MESSAGES, OUTBOX, literal
from src.model.reasons import OUR_REASONS, PURGED
from src.model.statuses import FINAL_INBOX, FINAL_OUTBOX, UNSENT_OUTBOX, OutboxStatus

_M, _C, _I, _O = MESSAGES.c, CONVERSATIONS.c, INBOX.c, OUTBOX.c
_Where = Sequence[ColumnElement[bool]]

FORGOTTEN = "forgotten-"
"""Begins the id that a conversation has instead of a person's number or name."""
_TOLD_OF_A_REPLY = (
    *("html", "drafted_text", "receipt_text", "last_error", "delivery_error"),
    *("agent", "topic", "sources"),  # what an AI says beside its answer is in its own words
)


def purge_messages(conn: Connection, account: str, before: datetime, now: datetime, limit: int) -> int:
    """Messages sent before ``before`` lose text and sender; returns how many. Repeatable, ``limit`` at a time."""
    old = (_M.account == account, _M.sent_at < before)
    return _messages(conn, old, now, limit)


def purge_replies(conn: Connection, account: str, before: datetime, now: datetime, limit: int) -> int:
    """The same for replies that reached a final status before ``before``. A draft keeps its text: it waits."""
    old = (_O.account == account, _O.processed_at < before, _O.status.in_(list(FINAL_OUTBOX)))
    return _replies(conn, old, now, limit)


def purge_requests(conn: Connection, account: str, before: datetime, limit: int) -> int:
    """What the AI said about requests that were final before ``before`` (its words may quote the guest)."""
    old = (_I.account == account, _I.processed_at < before, _I.status.in_(list(FINAL_INBOX)))
    return _requests(conn, old, limit)


def purge_people(
    conn: Connection, account: str, before: datetime, limit: int, *, personal_ids: bool = False
) -> int:
    """Names and facts of the stay in conversations without activity since ``before``. Repeatable.

    ``personal_ids``: the remote's id of a conversation is a person's number or name, and is taken out, too, unless
    a reply still waits there.
    """
    quiet = or_(_C.last_activity_at < before, _C.last_activity_at.is_(None) & (_C.created_at < before))
    mine = (_C.account == account, quiet)
    return _people(conn, mine, limit) + (_ids(conn, mine, limit) if personal_ids else 0)


def forget(conn: Connection, conversation_id: str, now: datetime, *, personal_ids: bool = False) -> int:
    """All of that for one conversation (our id), whatever its age; returns how many rows held something.

    Only for a conversation of which nothing is open or in a worker's hands (``is_busy``).
    """
    return (
        _messages(conn, (_M.conversation_id == conversation_id,), now, None)
        + _replies(conn, (_O.conversation_id == conversation_id,), now, None)
        + _requests(conn, (_I.conversation_id == conversation_id,), None)
        + _people(conn, (_C.id == conversation_id,), None)
        + (_ids(conn, (_C.id == conversation_id,), None) if personal_ids else 0)
    )


def is_busy(conn: Connection, conversation_id: str) -> bool:
    """Whether a reply of the conversation is in a SEND worker's hands."""
    in_hand = exists().where(
        _O.conversation_id == conversation_id, _O.status == literal(OutboxStatus.PROCESSING)
    )
    return bool(conn.execute(select(in_hand)).scalar_one())


def _messages(conn: Connection, which: _Where, now: datetime, limit: int | None) -> int:
    holds = (_M.purged_at.is_(None),)
    gone = {"text": None, "sender_name": None, "agent": None, "purged_at": now}
    return _blank(conn, MESSAGES, (*which, *holds), limit, **gone)


def _replies(conn: Connection, which: _Where, now: datetime, limit: int | None) -> int:
    gone = dict.fromkeys(_TOLD_OF_A_REPLY) | {"text": "", "purged_at": now}
    done = _blank(conn, OUTBOX, (*which, _O.purged_at.is_(None)), limit, **gone)
    _blank(conn, OUTBOX, (*which, _said(_O.reason)), limit, reason=PURGED)
    return done


def _requests(conn: Connection, which: _Where, limit: int | None) -> int:
    done = _blank(conn, INBOX, (*which, _said(_I.reason)), limit, reason=PURGED)
    told = or_(_I.last_error.is_not(None), _I.hard_class.is_not(None))
    return done + _blank(conn, INBOX, (*which, told), limit, last_error=None, hard_class=None)


def _people(conn: Connection, which: _Where, limit: int | None) -> int:
    holds = or_(_C.guest_name.is_not(None), _C.user_id.is_not(None), _C.stay != "{}")
    return _blank(conn, CONVERSATIONS, (*which, holds), limit, guest_name=None, user_id=None, stay="{}")


def _ids(conn: Connection, which: _Where, limit: int | None) -> int:
    """A person who writes again from there begins a new conversation."""
    waits = exists().where(_O.conversation_id == _C.id, _O.status.in_(list(UNSENT_OUTBOX)))
    holds = (not_(_C.external_id.startswith(FORGOTTEN)), not_(waits))
    return _blank(
        conn, CONVERSATIONS, (*which, *holds), limit, external_id=literal_column(f"'{FORGOTTEN}' || id")
    )


def _said(reason: Any) -> ColumnElement[bool]:
    """Somebody's own words: a name, a code, one word, in any language. What is not ours is theirs."""
    return and_(reason.is_not(None), reason.not_in(sorted(OUR_REASONS)))


def _blank(conn: Connection, table: Table, which: _Where, limit: int | None, **values: Any) -> int:
    some = select(table.c.id).where(*which)
    if limit is not None:
        some = some.limit(limit)
    return conn.execute(update(table).where(table.c.id.in_(some)).values(**values)).rowcount
