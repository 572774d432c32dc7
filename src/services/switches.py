"""What a person switches: everything on or off, what becomes of the AI's answers, and what waits no more."""

from __future__ import annotations

from datetime import datetime

from loguru import logger

from src.db import accounts, conversations, outbox_queue, outbox_views
from src.db.engine import Connection, Database
from src.db.wakeup import Wakeup
from src.errors import StaleJob
from src.model.rows import StoredConversation
from src.model.statuses import OutboxStatus
from src.model.values import ReplyMode
from src.services.refusals import Malformed, NotFound

_HELD_BY = {ReplyMode.OFF: "mode_off", ReplyMode.DRAFT: "approval_required"}


def pause(db: Database, account: str, *, now: datetime) -> None:
    """Go on reading and drafting, send nothing. What is being sent in this moment is finished. Repeatable."""
    with db.write() as conn:
        accounts.pause(conn, account, now)
    logger.info("a person paused sending")


def resume(db: Database, wakeup: Wakeup, account: str, *, now: datetime) -> None:
    """The end of ``pause``. Repeatable."""
    with db.write() as conn:
        accounts.resume(conn, account, now)
    wakeup.notify("outbox")
    logger.info("a person let sending go on")


def set_mode(
    db: Database,
    account: str,
    scope: str,
    external_id: str,
    mode: ReplyMode | None,
    *,
    default: ReplyMode,
    now: datetime,
) -> int:
    """Set the mode of the account, a listing or a conversation (the site's ids); None takes the rule away again.

    Replies on their way that the new mode would not have let go, and that no person approved, become drafts
    (``mode_off``, ``approval_required``); also one in a worker's hands, unless its Send may have been pressed.
    Returns how many. ``NotFound`` for a conversation that is not known, ``Malformed`` for a listing that is not:
    no conversation is about it. A rule of it may be taken away all the same. Repeatable.
    """
    with db.write() as conn:
        scope_id = "" if scope == "account" else external_id
        if scope == "listing" and mode is not None and not conversations.has_listing(conn, account, scope_id):
            raise Malformed("id", "is not a listing of this account: no conversation is about it")
        if scope == "conversation":
            found = conversations.by_external_id(conn, account, external_id)
            if found is None:
                raise NotFound("there is no conversation with this id")
            scope_id = found.id
        if mode is None:
            accounts.clear_mode(conn, account, scope, scope_id)
        else:
            accounts.set_mode(conn, account, scope, scope_id, mode, now)
        held = hold_what_waits(conn, account, scope, scope_id, default)
    logger.bind(scope=scope, mode=str(mode or "inherit"), held=held).info("a person set a mode")
    return held


def read_mode(db: Database, account: str, scope: str, external_id: str, default: ReplyMode) -> ReplyMode:
    """The mode that holds now for the account, a listing or a conversation (the site's ids).

    ``default`` is REPLY_MODE, which decides alone if it is off. ``NotFound`` for a conversation that is not known.
    """
    with db.read() as conn:
        if scope != "conversation":
            listing_id = external_id if scope == "listing" else None
            return accounts.mode_for(conn, account, "", listing_id, default)
        found = conversations.by_external_id(conn, account, external_id)
        if found is None:
            raise NotFound("there is no conversation with this id")
        return accounts.mode_for(conn, account, found.id, found.listing_id, default)


def see_to(
    db: Database, account: str, external_id: str, until: datetime | None, *, now: datetime
) -> StoredConversation:
    """A person saw to what guests wrote in a conversation (the site's id) up to then: no answer is needed.

    Without ``until``, to all that is known. It waits for nobody any more, here and in the alerts; what the guest
    writes later does. Nothing else changes: neither what the AI is asked nor what is sent. ``NotFound`` for a
    conversation that is not known. Repeatable.
    """
    with db.write() as conn:
        found = conversations.by_external_id(conn, account, external_id)
        if found is None:
            raise NotFound("there is no conversation with this id")
        news = conversations.mark_seen_to(conn, found.id, until, now)
        found = conversations.get(conn, found.id)
    if news:
        logger.bind(conversation_id=found.id).info("a person saw to a conversation: no answer is needed")
    return found


def hold_what_waits(conn: Connection, account: str, scope: str, scope_id: str, default: ReplyMode) -> int:
    """Replies on their way that the mode would not have let go, and no person approved, become drafts. How many."""
    held = 0
    for job in outbox_views.on_their_way(conn, account):
        where = conversations.get(conn, job.conversation_id)
        if {"account": "", "listing": where.listing_id, "conversation": where.id}[scope] != scope_id:
            continue
        reason = _HELD_BY.get(accounts.mode_for(conn, account, where.id, where.listing_id, default))
        if reason is None or job.approved_at is not None:
            continue
        try:
            outbox_queue.hold(conn, job.id, [OutboxStatus.PENDING, OutboxStatus.PROCESSING], reason)
            held += 1
        except StaleJob:  # armed in this instant: what was pressed cannot be taken back
            continue
    return held
