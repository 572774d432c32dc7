"""Conversations and their messages as last seen."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, bindparam, func, or_, select, update

from src.db.statements import (
    CONVERSATIONS,
    MESSAGES,
    RowShape,
    Unindexed,
    literal,
    once_per_dialect,
    one_or_none,
    rows,
)
from src.model.inbox import SeenConversation, SeenMessage
from src.model.rows import Job, StoredConversation, StoredMessage
from src.model.stages import may_be_same_stay
from src.model.values import PERSON, Direction, new_id

_C = CONVERSATIONS.c
_M = MESSAGES.c
ROLES = {
    "guest": "user",
    "cotraveller": "user",
    "host": "host",
    "team": "host",
    "assistant": "assistant",
    "site": "system",
}
"""``messages.role`` for each ``messages.origin``."""
_AT_A_TIME = 500
"""Ids in one statement; SQLite and PostgreSQL take far more, but the text of the statement grows with them."""


def _stored_conversation(*row: Any) -> StoredConversation:
    values = dict(zip(StoredConversation.__dataclass_fields__, row, strict=True))
    values["stay"] = json.loads(values["stay"])
    return StoredConversation(**values)


CONVERSATION = RowShape.of(StoredConversation, CONVERSATIONS, _stored_conversation)
MESSAGE = RowShape.of(StoredMessage, MESSAGES)


# --- conversations ---------------------------------------------------------------------------------------


def upsert_seen(
    conn: Connection,
    account: str,
    seen: SeenConversation,
    *,
    skip_reason: str | None,
    fingerprint: str | None,
    now: datetime,
) -> StoredConversation:
    """Store what the site shows of a conversation (not its messages). Repeatable.

    ``fingerprint`` None leaves the stored one as it is. Names and facts that this look did not show (None, empty)
    leave the stored ones as they are, too: the list shows less than the opened conversation. So do the
    code of a booking, the listing's name and the number of guests, which are soon out of sight.
    """
    stay = _keep_facts(conn, account, seen)
    shown: dict[str, Any] = {
        "guest_name": seen.guest_name,
        "listing_id": seen.listing_id,
        "stay": json.dumps(stay, ensure_ascii=False, sort_keys=True) if stay else None,
        "newest_fingerprint": fingerprint,
    }
    values: dict[str, Any] = {
        "kind": seen.kind,
        "skip_reason": skip_reason,
        "last_activity_at": seen.last_activity_at,
        "seen_at": now,
        "updated_at": now,
        **{name: value for name, value in shown.items() if value is not None},
    }
    first = {"stay": "{}", **values}
    statement = (
        CONVERSATION.insert(conn)
        .values(id=new_id(), account=account, external_id=seen.external_id, created_at=now, **first)
        .on_conflict_do_update(index_elements=["account", "external_id"], set_=values)
    )
    return CONVERSATION.make(*conn.execute(statement).one())


def _keep_facts(conn: Connection, account: str, seen: SeenConversation) -> dict[str, str]:
    """The facts of the stay that were seen, with those of before that are seldom in sight and still hold.

    The listing's name for as long as it is that listing; the code, and how many guests that booking has, for as
    long as it can be the same stay.
    """
    if not seen.stay or all(name in seen.stay for name in (_CODE, _NAME, _GUESTS)):
        return seen.stay
    before = by_external_id(conn, account, seen.external_id)
    if before is None:
        return seen.stay
    kept = dict[str, str]()
    if _NAME in before.stay and (seen.listing_id or before.listing_id) == before.listing_id:
        kept[_NAME] = before.stay[_NAME]
    if may_be_same_stay(before.stay, seen.stay) and seen.stay.get(
        _CODE, before.stay.get(_CODE)
    ) == before.stay.get(_CODE):
        kept |= {name: before.stay[name] for name in (_CODE, _GUESTS) if name in before.stay}
    return {**kept, **seen.stay}


_CODE, _NAME, _GUESTS = "confirmation_code", "listing_name", "guests"


def ensure_named(conn: Connection, account: str, external_id: str, now: datetime) -> StoredConversation:
    """The conversation with the site's id, made (unseen) if it is not there yet. Repeatable."""
    values = {
        "id": new_id(),
        "account": account,
        "external_id": external_id,
        "stay": "{}",
        "created_at": now,
        "updated_at": now,
    }
    made = one_or_none(conn, _insert_named(conn), CONVERSATION, values)
    found = made or by_external_id(conn, account, external_id)
    assert found is not None  # noqa: S101 - the INSERT has just met it
    return found


def lock(conn: Connection, conversation_id: str) -> None:
    """Keep others who ask for this lock waiting until this transaction ends. On SQLite all writers do.

    A reply may be enqueued meanwhile: its foreign key does not wait for this.
    """
    if conn.dialect.name != "sqlite":
        conn.execute(_LOCK, {"p_id": conversation_id})


_LOCK = select(_C.id).where(_C.id == bindparam("p_id")).with_for_update(key_share=True)


def get(conn: Connection, conversation_id: str) -> StoredConversation:
    """By our id. KeyError if there is none."""
    found = one_or_none(conn, _BY_ID, CONVERSATION, {"p_id": conversation_id})
    if found is None:
        raise KeyError(conversation_id)
    return found


_BY_ID = CONVERSATION.select.where(_C.id == bindparam("p_id"))


def by_external_id(conn: Connection, account: str, external_id: str) -> StoredConversation | None:
    """By the site's id."""
    return one_or_none(conn, _BY_NAME, CONVERSATION, {"p_account": account, "p_external": external_id})


_BY_NAME = CONVERSATION.select.where(
    _C.account == bindparam("p_account"), _C.external_id == bindparam("p_external")
)


def fingerprints(conn: Connection, account: str, external_ids: Collection[str]) -> dict[str, str]:
    """External id → fingerprint of the newest message that was taken in; left out where there is none.

    Only these are looked up, so that a cycle costs what the list is long, not what the inbox has ever held.
    """
    wanted = select(_C.external_id, _C.newest_fingerprint).where(
        _C.account == account, _C.newest_fingerprint.is_not(None)
    )
    found: dict[str, str] = {}
    for some in _batches(external_ids):
        found.update((row[0], row[1]) for row in conn.execute(wanted.where(_C.external_id.in_(some))))
    return found


def mark_host_wrote(conn: Connection, conversation_id: str, at: datetime) -> None:
    """A person of the host's side wrote at this time. Never moves back. Repeatable."""
    conn.execute(
        update(CONVERSATIONS)
        .where(_C.id == conversation_id, or_(_C.host_wrote_at.is_(None), _C.host_wrote_at < at))
        .values(host_wrote_at=at)
    )


def end_human_pause(conn: Connection, conversation_id: str) -> None:
    """The AI need not keep quiet any more for what a person of our side wrote. Repeatable."""
    conn.execute(update(CONVERSATIONS).where(_C.id == conversation_id).values(host_wrote_at=None))


def note_user(conn: Connection, conversation_id: str, user_id: str) -> None:
    """Who writes there, by the caller's own name. Repeatable."""
    conn.execute(_NOTE_USER, {"p_id": conversation_id, "p_user": user_id})


_NOTE_USER = update(CONVERSATIONS).where(_C.id == bindparam("p_id")).values(user_id=bindparam("p_user"))


def mark_seen_to(conn: Connection, conversation_id: str, until: datetime | None, now: datetime) -> bool:
    """A person has seen what guests wrote up to then (None: all that is stored), and no answer is needed.

    Only that is noted which is there: a message that is read later was not seen by anybody. Never moves back.
    Says whether it was news. Repeatable.
    """
    there = select(func.max(written_at(MESSAGES))).where(
        _M.conversation_id == conversation_id, _M.direction == literal(Direction.INBOUND)
    )
    if until is not None:
        there = there.where(written_at(MESSAGES) <= until)
    newest: datetime | None = conn.execute(there).scalar_one()
    if newest is None:
        return False
    noted = (
        update(CONVERSATIONS)
        .where(_C.id == conversation_id, waits_again(newest))
        .values(seen_to_at=now, seen_to_until=newest)
    )
    return conn.execute(noted).rowcount > 0


def written_at(messages: FromClause) -> ColumnElement[datetime]:
    """When the text of a message came to be as it is."""
    return func.coalesce(messages.c.edited_at, messages.c.sent_at, type_=messages.c.sent_at.type)


def waits_again(written: ColumnElement[datetime] | datetime) -> ColumnElement[bool]:
    """That nobody has seen to what was written then in a conversation (of the statement)."""
    return or_(_C.seen_to_until.is_(None), _C.seen_to_until < written)


def list_recent(conn: Connection, account: str, limit: int) -> list[StoredConversation]:
    """Newest activity first; those that were never seen come last."""
    return rows(
        conn,
        CONVERSATION.select.where(_C.account == account)
        .order_by(_C.last_activity_at.desc().nulls_last(), _C.created_at.desc(), _C.id)
        .limit(limit),
        CONVERSATION,
    )


def has_listing(conn: Connection, account: str, listing_id: str) -> bool:
    """Whether there is a conversation about this listing (the site's id)."""
    found = select(_C.id).where(_C.account == account, _C.listing_id == listing_id).limit(1)
    return conn.execute(found).first() is not None


def listing_ids(conn: Connection, account: str, since: datetime) -> set[str]:
    """The listings (the site's ids) that conversations with activity since then are about."""
    found = select(_C.listing_id).where(
        _C.account == account, _C.listing_id.is_not(None), _C.last_activity_at >= since
    )
    return set(conn.execute(found.distinct()).scalars())


def active_since(conn: Connection, account: str, since: datetime) -> list[StoredConversation]:
    """Those with activity since then, newest first."""
    found = CONVERSATION.select.where(_C.account == account, _C.last_activity_at >= since)
    return rows(conn, found.order_by(_C.last_activity_at.desc(), _C.id), CONVERSATION)


# --- messages --------------------------------------------------------------------------------------------


def messages_of(conn: Connection, conversation_id: str, limit: int) -> list[StoredMessage]:
    """The newest ``limit`` messages, oldest of them first; deleted ones included."""
    return rows(conn, _NEWEST, MESSAGE, {"p_conversation": conversation_id, "p_limit": limit})[::-1]


_NEWEST = (
    MESSAGE.select.where(_M.conversation_id == bindparam("p_conversation"))
    .order_by(_M.sent_at.desc(), _M.external_id.desc())
    .limit(bindparam("p_limit"))
)


def messages_of_request(conn: Connection, request_id: str) -> list[StoredMessage]:
    """The guest's messages that a request carries to the AI, oldest first; deleted ones included."""
    return rows(conn, _OF_REQUEST, MESSAGE, {"p_request": request_id})


_OF_REQUEST = MESSAGE.select.where(_M.request_id == bindparam("p_request")).order_by(
    _M.sent_at, _M.external_id
)


def message(conn: Connection, message_id: str) -> StoredMessage | None:
    """By our id."""
    return one_or_none(conn, _MESSAGE_BY_ID, MESSAGE, {"p_id": message_id})


_MESSAGE_BY_ID = MESSAGE.select.where(_M.id == bindparam("p_id"))


def inbound_since(conn: Connection, conversation_id: str, since: datetime, limit: int) -> list[datetime]:
    """When the newest messages of the person's side after ``since`` were written, newest first."""
    values = {"p_conversation": conversation_id, "p_since": since, "p_limit": limit}
    return list(conn.execute(_INBOUND_SINCE, values).scalars())


_INBOUND_SINCE = (
    select(_M.sent_at)
    .where(
        _M.conversation_id == bindparam("p_conversation"),
        _M.direction == literal(Direction.INBOUND),
        _M.sent_at > bindparam("p_since"),
    )
    .order_by(_M.sent_at.desc())
    .limit(bindparam("p_limit"))
)


def message_by_external_id(conn: Connection, account: str, external_id: str) -> StoredMessage | None:
    """By the site's id."""
    values = {"p_account": account, "p_external": external_id}
    return one_or_none(conn, _BY_SITES_ID, MESSAGE, values)


_BY_SITES_ID = MESSAGE.select.where(
    _M.account == bindparam("p_account"), _M.external_id == bindparam("p_external")
)


def known_external_ids(conn: Connection, conversation_id: str) -> set[str]:
    """The site's ids of every stored message of the conversation."""
    return set(conn.execute(select(_M.external_id).where(_M.conversation_id == conversation_id)).scalars())


def insert_message(
    conn: Connection,
    account: str,
    conversation_id: str,
    seen: SeenMessage,
    *,
    direction: Direction,
    origin: str,
    skip_reason: str | None,
    arrival: int = 0,
    now: datetime,
) -> StoredMessage:
    """Store a message. Repeatable: one that is already there is returned as it is stored, unchanged.

    ``arrival``: in which look at its conversation it is first seen (``next_arrival``).
    """
    values = {
        "id": new_id(),
        "account": account,
        "conversation_id": conversation_id,
        "external_id": seen.external_id,
        "direction": direction,
        "origin": origin,
        "role": ROLES[origin],
        "sender_name": seen.author_name,
        "kind": str(seen.kind),
        "detail": seen.detail,
        "text": seen.text,
        "media": seen.media,
        "sent_at": seen.sent_at,
        "edited_at": seen.edited_at,
        "deleted_at": now if seen.deleted else None,
        "skip_reason": skip_reason,
        "seen_at": now,
        "arrival": arrival,
        "p_conversation": conversation_id,
    }
    made = one_or_none(conn, _insert_message(conn), MESSAGE, values)
    found = made or message_by_external_id(conn, account, seen.external_id)
    assert found is not None  # noqa: S101 - the INSERT has just met it
    return found


_NUMBERED = MESSAGES.alias("numbered")
_NEXT_SEQUENCE = (
    select(func.coalesce(func.max(_NUMBERED.c.sequence), 0) + 1)
    .where(_NUMBERED.c.conversation_id == bindparam("p_conversation"))
    .scalar_subquery()
)
"""Right because every writer of a message holds the lock of its conversation's row."""


@once_per_dialect
def _insert_message(conn: Connection) -> Any:
    numbered = MESSAGE.insert(conn).values({_M.sequence: _NEXT_SEQUENCE})
    return numbered.on_conflict_do_nothing(index_elements=["account", "external_id"])


@once_per_dialect
def _insert_named(conn: Connection) -> Any:
    return CONVERSATION.insert(conn).on_conflict_do_nothing(index_elements=["account", "external_id"])


def last_sequence(conn: Connection, conversation_id: str) -> int:
    """The number of the message that was stored last in the conversation; 0 if there is none."""
    last = select(func.coalesce(func.max(_M.sequence), 0)).where(_M.conversation_id == conversation_id)
    return int(conn.execute(last).scalar_one())


def next_arrival(conn: Connection, conversation_id: str) -> int:
    """The number of the look that is made now at a conversation."""
    return int(conn.execute(_LAST_ARRIVAL, {"p_conversation": conversation_id}).scalar_one()) + 1


_LAST_ARRIVAL = select(func.coalesce(func.max(_M.arrival), 0)).where(
    _M.conversation_id == bindparam("p_conversation")
)


def guest_wrote_after(conn: Connection, conversation_id: str, sequence: int) -> bool:
    """Whether something of the guest's side was stored after the message with this number."""
    later = select(_M.id).where(
        _M.conversation_id == conversation_id,
        _M.sequence > sequence,
        Unindexed(_M.direction) == literal(Direction.INBOUND),
    )
    return conn.execute(later.limit(1)).first() is not None


def update_message(conn: Connection, message_id: str, seen: SeenMessage, *, now: datetime) -> None:
    """Store that a message was edited or deleted. A deleted one keeps the text that was last seen. Repeatable."""
    if seen.deleted:
        gone = update(MESSAGES).where(_M.id == message_id, _M.deleted_at.is_(None))
        conn.execute(gone.values(deleted_at=now))
        return
    conn.execute(
        update(MESSAGES)
        .where(_M.id == message_id)
        .values(kind=str(seen.kind), detail=seen.detail, text=seen.text, edited_at=seen.edited_at)
    )


def write_down(conn: Connection, message_id: str, text: str, now: datetime) -> None:
    """What a voice message says. Not of one that was taken back or purged meanwhile. Repeatable."""
    there = update(MESSAGES).where(_M.id == message_id, _M.deleted_at.is_(None), _M.purged_at.is_(None))
    conn.execute(there.values(text=text, transcribed_at=now))


def set_skip_reason(conn: Connection, message_ids: Collection[str], reason: str | None) -> None:
    """Say why these messages (our ids) are not given to the AI. Repeatable."""
    _set(conn, message_ids, skip_reason=reason)


def attach_to_request(conn: Connection, message_ids: Collection[str], request_id: str) -> None:
    """These messages (our ids) go to the AI with this request. Repeatable."""
    _set(conn, message_ids, request_id=request_id, skip_reason=None)


def attach_receipt(conn: Connection, message_id: str, job: Job) -> None:
    """This message is our own reply, from that job: its origin becomes ``assistant``. Repeatable."""
    role = ROLES["host"] if job.written_by == PERSON else ROLES["assistant"]
    _set(
        conn,
        [message_id],
        origin="assistant",
        role=role,
        agent=job.agent,
        outbox_id=job.id,
        skip_reason=None,
    )


def note_agent(conn: Connection, request_id: str, agent: str) -> None:
    """The messages of this request were given to that voice of the AI, as the AI says. Repeatable."""
    conn.execute(update(MESSAGES).where(_M.request_id == request_id).values(agent=agent))


def _set(conn: Connection, message_ids: Collection[str], **values: str | None) -> None:
    statement = _set_statement(tuple(values))
    given = {f"p_{name}": value for name, value in values.items()}
    for some in _batches(message_ids):
        conn.execute(statement, {"p_ids": some, **given})


@cache
def _set_statement(names: tuple[str, ...]) -> Any:
    mine = update(MESSAGES).where(_M.id.in_(bindparam("p_ids", expanding=True)))
    return mine.values({name: bindparam(f"p_{name}") for name in names})


def _batches(ids: Collection[str]) -> Iterator[list[str]]:
    every = list(ids)
    return (every[start : start + _AT_A_TIME] for start in range(0, len(every), _AT_A_TIME))
