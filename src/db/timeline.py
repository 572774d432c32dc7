"""All that is known about a stretch of a conversation: messages, requests to the AI, replies. Read-only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, tuple_

from src.db.conversations import MESSAGE
from src.db.inbox_queue import REQUEST
from src.db.outbox_views import JOB
from src.db.search import Key
from src.db.statements import INBOX, MESSAGES, OUTBOX, rows
from src.model.rows import Job, Request, StoredMessage

_M = MESSAGES.c


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a conversation, in the order of time."""

    messages: list[StoredMessage]
    requests: dict[str, Request]
    """By id: those that carried one of the messages."""
    jobs: list[Job]
    """Those of the requests, those that became one of the messages, and all others of this time."""
    older: bool
    """There are older messages."""


def stretch(conn: Connection, conversation_id: str, *, before: Key | None, limit: int) -> Stretch:
    """The newest ``limit`` messages of a conversation (our id) before a key, with all that hangs on them."""
    wanted = MESSAGE.select.where(_M.conversation_id == conversation_id)
    if before is not None:
        wanted = wanted.where(tuple_(_M.sent_at, _M.id) < tuple_(*before))
    found = rows(conn, wanted.order_by(_M.sent_at.desc(), _M.id.desc()).limit(limit + 1), MESSAGE)
    older = len(found) > limit
    messages = found[:limit][::-1]
    requests = requests_by_id(conn, {m.request_id for m in messages if m.request_id})
    made = JOB.select.where(OUTBOX.c.conversation_id == conversation_id)
    if older and messages:
        made = made.where(OUTBOX.c.created_at >= messages[0].sent_at)
    if before is not None:
        made = made.where(OUTBOX.c.created_at < before[0])
    jobs = {job.id: job for job in rows(conn, made.order_by(OUTBOX.c.created_at.desc()).limit(limit), JOB)}
    missing = {m.outbox_id for m in messages if m.outbox_id and m.outbox_id not in jobs}
    for column, ids in ((OUTBOX.c.id, missing), (OUTBOX.c.request_id, set(requests))):
        if ids:
            jobs |= {job.id: job for job in rows(conn, JOB.select.where(column.in_(list(ids))), JOB)}
    requests |= requests_by_id(
        conn, {j.request_id for j in jobs.values() if j.request_id and j.request_id not in requests}
    )
    ordered = sorted(jobs.values(), key=lambda job: (job.created_at, job.id))
    return Stretch(messages, requests, ordered, older)


def requests_by_id(conn: Connection, ids: Collection[str]) -> dict[str, Request]:
    """Requests to the AI by id."""
    if not ids:
        return {}
    wanted = REQUEST.select.where(INBOX.c.id.in_(list(ids)))
    return {request.id: request for request in rows(conn, wanted, REQUEST)}


def messages_of_requests(conn: Connection, ids: Collection[str]) -> dict[str, list[StoredMessage]]:
    """By request: the guest's messages that it carried to the AI, oldest first."""
    if not ids:
        return {}
    wanted = MESSAGE.select.where(_M.request_id.in_(list(ids))).order_by(_M.sent_at, _M.id)
    found: dict[str, list[StoredMessage]] = {}
    for message in rows(conn, wanted, MESSAGE):
        found.setdefault(message.request_id or "", []).append(message)
    return found
