"""Finding conversations and replies for a person: filters, and pages that begin after a key. Read-only."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    case,
    exists,
    false,
    func,
    or_,
    select,
    true,
    tuple_,
)

from src.db.conversations import CONVERSATION, MESSAGE
from src.db.outbox_views import JOB
from src.db.statements import CONVERSATIONS, INBOX, MESSAGES, MODES, OUTBOX, Unindexed, alias, literal, rows
from src.model.rows import Job, StoredConversation, StoredMessage
from src.model.statuses import FINAL_OUTBOX, OPEN_INBOX, OutboxStatus
from src.model.values import Direction, ReplyMode

_C = CONVERSATIONS.c

Key = tuple[datetime, str]
"""Where a page ends: the time and the id of its last row."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which conversations; an empty filter asks nothing."""

    text: str = ""
    """In the guest's name, a message, or the whole id of the site; large and small letters are the same."""
    state: str = ""
    """``open`` (something is on its way), ``skipped`` (not for a machine), ``unseen`` (a callback named it)."""
    listing: str = ""
    mode: ReplyMode | None = None
    among: Collection[str] | None = None
    """Only these (the site's ids)."""


def conversations(
    conn: Connection,
    account: str,
    filters: Filters,
    *,
    default_mode: ReplyMode,
    after: Key | None,
    limit: int,
) -> list[StoredConversation]:
    """Newest activity first. Those without any come only with ``state="unseen"``."""
    wanted = CONVERSATION.select.where(
        _C.account == account, *_conditions(conn, account, filters, default_mode)
    )
    at = _C.created_at if filters.state == "unseen" else _C.last_activity_at
    if after is not None:
        wanted = wanted.where(tuple_(at, _C.id) < tuple_(*after))
    return rows(conn, wanted.order_by(at.desc(), _C.id.desc()).limit(limit), CONVERSATION)


def _conditions(
    conn: Connection, account: str, filters: Filters, default_mode: ReplyMode
) -> list[ColumnElement[bool]]:
    if filters.state == "unseen":
        found: list[ColumnElement[bool]] = [_C.last_activity_at.is_(None)]
    else:
        found = [_C.last_activity_at.is_not(None)]
    if filters.state == "open":
        asked = _homes(INBOX, account, sorted(OPEN_INBOX))
        sending = _homes(OUTBOX, account, [OutboxStatus.PENDING, OutboxStatus.PROCESSING])
        found.append(_C.id.in_(asked.union(sending)))
    if filters.state == "skipped":
        found.append(_C.skip_reason.is_not(None))
    if filters.listing:
        found.append(_C.listing_id == filters.listing)
    if filters.among is not None:
        found.append(_C.external_id.in_(list(filters.among)))
    if filters.mode is not None:
        found.append(_has_mode(account, filters.mode, default_mode))
    if filters.text:
        found.append(_says(conn, account, filters.text))
    return found


def _homes(table: Table, account: str, statuses: Collection[StrEnum]) -> Select[str]:
    """The conversations of rows in these statuses."""
    wanted = [literal(status) for status in statuses]
    return select(table.c.conversation_id).where(table.c.account == account, table.c.status.in_(wanted))


def _says(conn: Connection, account: str, text: str) -> ColumnElement[bool]:
    # LIKE without regard to case is sure of A to Z alone: on SQLite by itself (sqlite.org/lang_expr.html#like), on
    # PostgreSQL with the locale C. Other letters are looked for in either case, among what has the longest part of
    # A to Z in it, since that takes ten times as long.
    plain = max(_ASCII.findall(text), key=len, default="")
    sqlite = conn.dialect.name == "sqlite"
    operator, pattern = ("GLOB", f"*{_glob_of(text)}*") if sqlite else ("~", _regex_of(text))

    def like(column: ColumnElement[str]) -> ColumnElement[bool]:
        anywhere = _anywhere(plain)
        if not sqlite:
            column = column.collate("C")  # the same on every server, and several times as quick
        found = column.like(anywhere, escape="\\") if sqlite else column.ilike(anywhere, escape="\\")
        return found if plain == text else and_(found, column.op(operator, is_comparison=True)(pattern))

    said = select(MESSAGES.c.conversation_id).where(MESSAGES.c.account == account, like(MESSAGES.c.text))
    return or_(like(_C.guest_name), _C.external_id == text, _C.id.in_(said))


_ASCII = re.compile(r"[\x00-\x7f]+")


def _anywhere(text: str) -> str:
    """For LIKE, with a backslash as its escape."""
    return "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _glob_of(text: str) -> str:
    """For SQLite's GLOB: the text, each letter large or small."""
    return "".join(f"[{cases}]" if len(cases := _cases(char)) > 1 or char in "*?[" else char for char in text)


def _regex_of(text: str) -> str:
    """The same for PostgreSQL's regular expressions, in which whatever is no letter or digit may have a meaning."""
    return "".join(
        f"[{cases}]" if len(cases := _cases(char)) > 1 else char if char.isalnum() else f"\\{char}"
        for char in text
    )


def _cases(char: str) -> str:
    """This character, large and small. One that has several letters in the other case (ß) is itself."""
    return "".join(sorted({one for one in (char, char.lower(), char.upper()) if len(one) == 1}))


def _has_mode(account: str, mode: ReplyMode, default: ReplyMode) -> ColumnElement[bool]:
    """That this mode holds for the conversation, as ``accounts.mode_in_force`` says."""
    if default is ReplyMode.OFF:
        return true() if mode is default else false()

    def rules(scope: str, *more: ColumnElement[bool]) -> ColumnElement[bool]:
        return and_(MODES.c.account == account, MODES.c.scope == scope, *more)

    own = select(MODES.c.scope_id).where(rules("conversation"))
    listings = select(MODES.c.scope_id).where(rules("listing"))
    no_own = _C.id.not_in(own)
    no_listing = or_(_C.listing_id.is_(None), _C.listing_id.not_in(listings))
    whole = select(MODES.c.mode).where(rules("account")).scalar_subquery()
    return or_(
        _C.id.in_(own.where(MODES.c.mode == mode)),
        and_(no_own, _C.listing_id.in_(listings.where(MODES.c.mode == mode))),
        and_(no_own, no_listing, func.coalesce(whole, str(default)) == str(mode)),
    )


def listings(conn: Connection, account: str) -> list[str]:
    """The site's ids of the listings that conversations are about."""
    found = select(_C.listing_id).where(_C.account == account, _C.listing_id.is_not(None)).distinct()
    return sorted(conn.execute(found).scalars())


def newest_messages(conn: Connection, conversation_ids: Collection[str]) -> dict[str, StoredMessage]:
    """Of each conversation (our ids) the newest message that was not taken back."""
    newest = (
        select(func.max(MESSAGES.c.sent_at))
        .where(MESSAGES.c.conversation_id == CONVERSATIONS.c.id, MESSAGES.c.deleted_at.is_(None))
        .correlate(CONVERSATIONS)
        .scalar_subquery()
    )
    wanted = (
        MESSAGE.select.select_from(CONVERSATIONS)
        .join(
            MESSAGES,
            and_(MESSAGES.c.conversation_id == CONVERSATIONS.c.id, MESSAGES.c.sent_at == newest),
        )
        .where(CONVERSATIONS.c.id.in_(list(conversation_ids)))
    )
    return {message.conversation_id: message for message in rows(conn, wanted, MESSAGE)}


def open_jobs(conn: Connection, conversation_ids: Collection[str]) -> dict[str, list[Job]]:
    """Of each conversation (our ids) the replies that are not settled."""
    unsettled = [literal(s) for s in OutboxStatus if s not in FINAL_OUTBOX or s is OutboxStatus.UNCONFIRMED]
    wanted = JOB.select.where(
        OUTBOX.c.conversation_id.in_(list(conversation_ids)), OUTBOX.c.status.in_(unsettled)
    )
    found: dict[str, list[Job]] = {}
    for job in rows(conn, wanted.order_by(OUTBOX.c.created_at), JOB):
        found.setdefault(job.conversation_id, []).append(job)
    return found


def jobs(
    conn: Connection, account: str, status: OutboxStatus, *, after: Key | None, limit: int, now: datetime
) -> list[Job]:
    """Replies in a status: what is done newest first, what waits oldest first, late drafts at the end."""
    final = status in FINAL_OUTBOX
    # What waits is little: found by its status, and put in order then.
    at: ColumnElement[Any] = OUTBOX.c.processed_at if final else Unindexed(OUTBOX.c.created_at)
    wanted = JOB.select.where(OUTBOX.c.account == account, OUTBOX.c.status == literal(status))
    if status is OutboxStatus.DRAFT:
        last = alias(OUTBOX, "last_shown")
        order = (_is_late(OUTBOX, now), at, OUTBOX.c.id)
        if after is not None:
            of_last = select(_is_late(last, now)).where(last.c.id == after[1]).scalar_subquery()
            wanted = wanted.where(tuple_(*order) > tuple_(func.coalesce(of_last, 0), *after))
        return rows(conn, wanted.order_by(*order).limit(limit), JOB)
    if after is not None:
        here, there = tuple_(at, OUTBOX.c.id), tuple_(*after)
        wanted = wanted.where(here < there if final else here > there)
    return rows(
        conn,
        wanted.order_by(*((at.desc(), OUTBOX.c.id.desc()) if final else (at, OUTBOX.c.id))).limit(limit),
        JOB,
    )


def _is_late(job: Any, now: datetime) -> ColumnElement[int]:
    """1 of a reply whose request has ended without it, else 0."""
    over = exists().where(INBOX.c.id == job.c.request_id, INBOX.c.reply_by < now)
    return case((over, 1), else_=0)


def last_heard(conn: Connection, conversation_ids: Collection[str]) -> dict[str, datetime]:
    """When the person of each of these conversations last wrote, by our ids; nothing where nobody did."""
    found = conn.execute(
        select(MESSAGES.c.conversation_id, func.max(MESSAGES.c.sent_at))
        .where(
            MESSAGES.c.conversation_id.in_(list(conversation_ids)),
            MESSAGES.c.direction == Direction.INBOUND.value,
        )
        .group_by(MESSAGES.c.conversation_id)
    )
    return {row[0]: row[1] for row in found}


def by_ids(conn: Connection, conversation_ids: Collection[str]) -> dict[str, StoredConversation]:
    """Conversations by our ids."""
    wanted = CONVERSATION.select.where(_C.id.in_(list(conversation_ids)))
    return {one.id: one for one in rows(conn, wanted, CONVERSATION)}
