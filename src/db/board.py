"""What the overview shows: what waits for a person, and the numbers of a day. Read-only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
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
    literal_column,
    not_,
    select,
)

from src.db.conversations import waits_again, written_at
from src.db.statements import ACCOUNTS, CONVERSATIONS, INBOX, MESSAGES, OUTBOX, WORKERS, Unindexed, literal
from src.model.gate import Refusal
from src.model.statuses import FINAL_INBOX, FINAL_OUTBOX, InboxStatus, OutboxStatus
from src.model.values import Direction

LOOK_BACK = timedelta(days=7)
"""What a person has left lying for longer is not held under his nose any more; the lists still have it."""
_MOST = 200
_UNANSWERED: ColumnElement[str] = literal_column("'unanswered'")
_UNREADABLE: ColumnElement[str] = literal_column("'unreadable'")
_FOR_A_PERSON = [str(r) for r in (Refusal.MEDIA, Refusal.CARD, Refusal.UNSUPPORTED)]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that only a person can settle. ``what``: draft, unconfirmed, failed, unanswered or unreadable."""

    what: str
    reason: str | None
    conversation_id: str
    """The site's id."""
    guest_name: str | None
    asked_at: datetime
    """When the guest wrote what this is about."""
    asked: str | None
    first: bool
    """Nobody of the host's side has ever written in the conversation."""
    job_id: str | None = None
    reply: str | None = None
    reply_by: datetime | None = None
    """Of a draft: after this it cannot be sent any more."""
    written_at: datetime | None = None
    """Of what is left to a person: the newest that the guest has written of it, or changed."""

    def is_too_late(self, now: datetime) -> bool:
        """It is a draft that is of no use any more."""
        return self.what == OutboxStatus.DRAFT and self.reply_by is not None and now > self.reply_by


@dataclass(frozen=True, slots=True)
class Numbers:
    """What happened between two moments."""

    received: int
    sent: int
    escalated: int
    cancelled: dict[str, int]
    """Replies that were cancelled, and requests that ended without an answer, by reason."""


def waiting(conn: Connection, account: str, now: datetime) -> list[Waiting]:
    """Everything that waits for a person, the oldest message first."""
    since = now - LOOK_BACK
    found = [
        *_jobs_waiting(conn, account, since),
        *_requests_waiting(conn, INBOX.c.account == account, since),
        *_messages_waiting(conn, MESSAGES.c.account == account, since),
    ]
    return sorted(found, key=lambda one: one.asked_at)


def left_to_a_person(conn: Connection, conversation_id: str, now: datetime) -> list[Waiting]:
    """What of one conversation (our id) a person has to answer, or to see to. The oldest message first."""
    since = now - LOOK_BACK
    found = [
        *_requests_waiting(conn, INBOX.c.conversation_id == conversation_id, since),
        *_messages_waiting(conn, MESSAGES.c.conversation_id == conversation_id, since),
    ]
    return sorted(found, key=lambda one: one.asked_at)


def _answered_later(conversation_id: ColumnElement[Any], at: ColumnElement[Any]) -> ColumnElement[bool]:
    later = MESSAGES.alias("later")
    return exists().where(
        later.c.conversation_id == conversation_id,
        later.c.sent_at > at,
        later.c.direction == literal(Direction.OUTBOUND),
    )


def _never_answered(conversation_id: ColumnElement[Any]) -> ColumnElement[bool]:
    ever = MESSAGES.alias("ever")
    return not_(
        exists().where(
            ever.c.conversation_id == conversation_id, ever.c.direction == literal(Direction.OUTBOUND)
        )
    )


def _newest_of_request() -> ColumnElement[bool]:
    return and_(MESSAGES.c.account == INBOX.c.account, MESSAGES.c.external_id == INBOX.c.newest_external_id)


def _jobs_waiting(conn: Connection, account: str, since: datetime) -> list[Waiting]:
    again = OUTBOX.alias("again")
    replaced = exists().where(
        again.c.conversation_id == OUTBOX.c.conversation_id, again.c.replaces_id == OUTBOX.c.id
    )
    home: FromClause = OUTBOX.join(CONVERSATIONS, CONVERSATIONS.c.id == OUTBOX.c.conversation_id)
    home = home.outerjoin(INBOX, INBOX.c.id == OUTBOX.c.request_id).outerjoin(MESSAGES, _newest_of_request())
    wanted = select(
        OUTBOX.c.status,
        OUTBOX.c.reason,
        CONVERSATIONS.c.external_id,
        CONVERSATIONS.c.guest_name,
        func.coalesce(MESSAGES.c.sent_at, OUTBOX.c.created_at, type_=MESSAGES.c.sent_at.type),
        MESSAGES.c.text,
        _never_answered(OUTBOX.c.conversation_id),
        OUTBOX.c.id,
        OUTBOX.c.text,
        INBOX.c.reply_by,
    ).select_from(home)
    found: list[Waiting] = []
    for status in (OutboxStatus.DRAFT, OutboxStatus.UNCONFIRMED, OutboxStatus.FAILED):
        mine = wanted.where(OUTBOX.c.account == account, OUTBOX.c.status == literal(status), not_(replaced))
        if status in FINAL_OUTBOX:
            mine = mine.where(OUTBOX.c.processed_at >= since)
        if status is OutboxStatus.FAILED:
            mine = mine.where(not_(_answered_later(OUTBOX.c.conversation_id, OUTBOX.c.created_at)))
        found += _made(conn, mine.order_by(Unindexed(OUTBOX.c.created_at)), "job_id", "reply", "reply_by")
    return found


def _requests_waiting(conn: Connection, where: ColumnElement[bool], since: datetime) -> list[Waiting]:
    """Requests that ended without an answer, and that nobody has answered, or seen to, since."""
    newer = INBOX.alias("newer")
    overtaken = exists().where(
        newer.c.conversation_id == INBOX.c.conversation_id, newer.c.created_at > INBOX.c.created_at
    )
    home = INBOX.join(CONVERSATIONS, CONVERSATIONS.c.id == INBOX.c.conversation_id).join(
        MESSAGES, _newest_of_request()
    )
    carried = MESSAGES.alias("carried")
    written = select(func.max(written_at(carried))).where(carried.c.request_id == INBOX.c.id)
    newest = func.coalesce(written.scalar_subquery(), MESSAGES.c.sent_at, type_=MESSAGES.c.sent_at.type)
    found: list[Waiting] = []
    for status in (InboxStatus.ESCALATED, InboxStatus.FAILED, InboxStatus.EXPIRED):
        wanted = (
            select(
                _UNANSWERED,
                func.coalesce(INBOX.c.reason, str(status)),
                CONVERSATIONS.c.external_id,
                CONVERSATIONS.c.guest_name,
                MESSAGES.c.sent_at,
                MESSAGES.c.text,
                _never_answered(INBOX.c.conversation_id),
                newest,
            )
            .select_from(home)
            .where(
                where,
                INBOX.c.status == literal(status),
                INBOX.c.processed_at >= since,
                not_(overtaken),
                not_(_answered_later(INBOX.c.conversation_id, MESSAGES.c.sent_at)),
                waits_again(newest),
            )
        )
        found += _made(conn, wanted.order_by(Unindexed(INBOX.c.processed_at).desc()), "written_at")
    return found


def _messages_waiting(conn: Connection, where: ColumnElement[bool], since: datetime) -> list[Waiting]:
    """Guests' photos and cards that nobody has answered, or seen to, and that no machine reads."""
    later = MESSAGES.alias("next")
    followed = exists().where(
        later.c.conversation_id == MESSAGES.c.conversation_id, later.c.sent_at > MESSAGES.c.sent_at
    )
    wanted = (
        select(
            _UNREADABLE,
            MESSAGES.c.skip_reason,
            CONVERSATIONS.c.external_id,
            CONVERSATIONS.c.guest_name,
            MESSAGES.c.sent_at,
            MESSAGES.c.text,
            _never_answered(MESSAGES.c.conversation_id),
            written_at(MESSAGES),
        )
        .select_from(MESSAGES.join(CONVERSATIONS, CONVERSATIONS.c.id == MESSAGES.c.conversation_id))
        .where(
            where,
            MESSAGES.c.sent_at >= since,
            MESSAGES.c.direction == literal(Direction.INBOUND),
            MESSAGES.c.skip_reason.in_(_FOR_A_PERSON),
            Unindexed(MESSAGES.c.request_id).is_(None),
            Unindexed(CONVERSATIONS.c.skip_reason).is_(None),
            not_(followed),
            waits_again(written_at(MESSAGES)),
        )
    )
    return _made(conn, wanted.order_by(MESSAGES.c.sent_at.desc()), "written_at")


def _made(conn: Connection, wanted: Select[Any], *more: str) -> list[Waiting]:
    """``more``: what the last columns are called in a ``Waiting``."""
    return [
        Waiting(
            *(str(what), reason, conversation, guest, asked_at, asked, bool(first)),
            **dict(zip(more, rest, strict=True)),
        )
        for what, reason, conversation, guest, asked_at, asked, first, *rest in conn.execute(
            wanted.limit(_MOST)
        )
    ]


# --- numbers ---------------------------------------------------------------------------------------------


def numbers(conn: Connection, account: str, since: datetime, until: datetime) -> Numbers:
    """What happened from ``since`` on, before ``until``."""
    done = _between(OUTBOX, account, since, until)
    over = _between(INBOX, account, since, until)
    cancelled: dict[str, int] = {}
    ends = (
        (OUTBOX, done, (OutboxStatus.CANCELLED,)),
        (INBOX, over, (InboxStatus.CANCELLED, InboxStatus.EXPIRED, InboxStatus.FAILED)),
    )
    for table, there, statuses in ends:
        counted = (
            select(func.coalesce(table.c.reason, table.c.status), func.count())
            .where(there, table.c.status.in_([literal(s) for s in statuses]))
            .group_by(func.coalesce(table.c.reason, table.c.status))
        )
        for reason, number in conn.execute(counted):
            cancelled[reason] = cancelled.get(reason, 0) + number
    escalated = select(func.count()).where(over, INBOX.c.status == literal(InboxStatus.ESCALATED))
    sent = select(func.count()).where(done, OUTBOX.c.status == literal(OutboxStatus.SENT))
    return Numbers(
        received(conn, account, since, until),
        conn.execute(sent).scalar_one(),
        conn.execute(escalated).scalar_one(),
        cancelled,
    )


def received(conn: Connection, account: str, since: datetime, until: datetime) -> int:
    """Messages from the guests' side that were sent in that time."""
    counted = select(func.count()).where(
        MESSAGES.c.account == account,
        MESSAGES.c.sent_at >= since,
        MESSAGES.c.sent_at < until,
        MESSAGES.c.direction == literal(Direction.INBOUND),
    )
    return int(conn.execute(counted).scalar_one())


def answer_times(
    conn: Connection, account: str, since: datetime, until: datetime
) -> list[tuple[datetime, float]]:
    """Of each reply sent in that time to a guest's message: when, and how many seconds after the message."""
    home = OUTBOX.join(INBOX, INBOX.c.id == OUTBOX.c.request_id).join(MESSAGES, _newest_of_request())
    wanted = (
        select(OUTBOX.c.processed_at, MESSAGES.c.sent_at)
        .select_from(home)
        .where(_between(OUTBOX, account, since, until), OUTBOX.c.status == literal(OutboxStatus.SENT))
    )
    return [(done, max(0.0, (done - asked).total_seconds())) for done, asked in conn.execute(wanted)]


def _between(table: FromClause, account: str, since: datetime, until: datetime) -> ColumnElement[bool]:
    return and_(table.c.account == account, table.c.processed_at >= since, table.c.processed_at < until)


# --- is there anything new? ------------------------------------------------------------------------------


def stamp(conn: Connection, account: str) -> str:
    """A short text that is another one when something of the account has changed. A few index look-ups."""
    seen = [conn.execute(asked, {"p_account": account}).all() for asked in _STAMP]
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]


def _stamp_statements() -> list[Select[Any]]:
    """Made once: each open dashboard has them asked every few seconds."""
    mine: BindParameter[str] = bindparam("p_account")
    state = select(ACCOUNTS.c.link_state, ACCOUNTS.c.halted_at, ACCOUNTS.c.paused_at)
    workers = select(WORKERS.c.worker, WORKERS.c.stopped_at, WORKERS.c.failures_in_a_row > 0)
    ends = [select(func.max(MESSAGES.c.sent_at)).where(MESSAGES.c.account == mine).scalar_subquery()]
    for table, statuses, final in ((OUTBOX, OutboxStatus, FINAL_OUTBOX), (INBOX, InboxStatus, FINAL_INBOX)):
        for status in statuses:
            # What is done grows without end: its newest end says enough. What is open is few, and counted.
            what = func.max(table.c.processed_at) if status in final else func.count()
            there = (table.c.account == mine, table.c.status == literal(status))
            ends.append(select(what).select_from(table).where(*there).scalar_subquery())
    return [
        state.where(ACCOUNTS.c.account == mine),
        workers.where(WORKERS.c.account == mine).order_by(WORKERS.c.worker),
        select(*ends),
    ]


_STAMP = _stamp_statements()
