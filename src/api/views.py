"""Rows as the operator's JSON shows them. ``conversation_id`` is the site's id everywhere, as for the AI."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from src.account import Account
from src.api.fields import show
from src.db import accounts as account_rows
from src.db import conversations, inbox_queue, outbox_views, search
from src.db.engine import Database
from src.model.rows import Job, Request, StoredConversation, StoredMessage
from src.model.statuses import FINAL_OUTBOX, OutboxStatus
from src.model.values import ReplyMode
from src.services.refusals import NotFound

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def _order_of(status: OutboxStatus | None) -> Callable[[Job], float]:
    """As ``list_jobs`` has them; sorting keeps what is equal in order."""
    if status is None:
        return lambda job: -job.created_at.timestamp()
    if status in FINAL_OUTBOX:
        return lambda job: -(job.processed_at or NEVER).timestamp()
    return lambda job: job.created_at.timestamp()


def jobs(
    db: Database, accounts: Sequence[Account], status: OutboxStatus | None, limit: int
) -> list[dict[str, Any]]:
    """Replies of these accounts: those that wait oldest first, final ones newest first."""
    with db.read() as conn:
        found = [
            job for account in accounts for job in outbox_views.list_jobs(conn, account.name, status, limit)
        ]
        found = sorted(found, key=_order_of(status))[:limit]
        homes = search.by_ids(conn, {one.conversation_id for one in found})
    return [_job(one, homes[one.conversation_id].external_id) for one in found]


def job(db: Database, one: Job) -> dict[str, Any]:
    with db.read() as conn:
        return _job(one, conversations.get(conn, one.conversation_id).external_id)


def recent(db: Database, accounts: Sequence[Account], limit: int) -> list[dict[str, Any]]:
    with db.read() as conn:
        found = [one for account in accounts for one in conversations.list_recent(conn, account.name, limit)]
    newest_first = sorted(found, key=lambda one: -(one.last_activity_at or NEVER).timestamp())
    return [_conversation(one) for one in newest_first[:limit]]


def seen_to(one: StoredConversation) -> dict[str, Any]:
    return {"success": True, "conversation": _conversation(one)}


def conversation(db: Database, account: Account, external_id: str, limit: int) -> dict[str, Any]:
    """One conversation, its newest messages (oldest of them first), its latest request and that one's replies."""
    with db.read() as conn:
        found = conversations.by_external_id(conn, account.name, external_id)
        if found is None:
            raise NotFound("there is no conversation with this id")
        request = inbox_queue.latest_request(conn, found.id)
        replies = outbox_views.for_request(conn, request.id) if request else []
        default = ReplyMode(account.settings.reply_mode)
        mode = account_rows.mode_for(conn, found.account, found.id, found.listing_id, default)
        messages = conversations.messages_of(conn, found.id, limit)
    return {
        "conversation": {**_conversation(found), "mode": str(mode)},
        "messages": [_message(one) for one in messages],
        "request": _request(request) if request else None,
        "jobs": [_job(one, external_id) for one in replies],
    }


def _job(one: Job, external_id: str) -> dict[str, Any]:
    return {
        **show(
            one,
            "id account request_id status reason text written_by agent confidence attempts last_error"
            " replaces_id receipt_text created_at due_at processed_at",
        ),
        "conversation_id": external_id,
        "receipt_message_id": one.receipt_external_id,
    }


def _conversation(one: StoredConversation) -> dict[str, Any]:
    return {
        **show(
            one,
            "account user_id guest_name listing_id stay skip_reason last_activity_at host_wrote_at"
            " seen_to_at seen_to_until seen_at",
        ),
        "conversation_id": one.external_id,
    }


def _message(one: StoredMessage) -> dict[str, Any]:
    return {
        **show(
            one,
            "direction origin role agent kind text sent_at edited_at deleted_at skip_reason request_id outbox_id",
        ),
        "id": one.external_id,
        "sender": one.sender_name,
    }


def _request(one: Request) -> dict[str, Any]:
    return show(one, "id status reason attempts last_error due_at reply_by created_at processed_at")
