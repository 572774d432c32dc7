"""A person of our side writes to a guest here: the words go the way of every reply.

They answer what that person had read. What the AI was asked, or had answered, in the conversation is not wanted any
more, as if the person had written in the app itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NoReturn

from loguru import logger

from src.account import Account
from src.channels import registry
from src.db import conversations, inbox_queue, outbox_queue, outbox_views
from src.db.engine import Connection, Database
from src.db.wakeup import Wakeup
from src.model.pace import Slot
from src.model.retry import again_if_stale
from src.model.rows import Job, Request, StoredConversation
from src.model.secrets import NO_SECRETS, Secrets
from src.model.statuses import CancelReason, InboxStatus, OutboxStatus
from src.model.values import PERSON, new_id
from src.services import autonomy
from src.services.refusals import Conflict, Malformed, NotFound
from src.services.texts import clean_message

SAME_FOR = timedelta(minutes=10)
"""How long the same text without a key counts as the same message, while nobody has written since."""
_GIVEN_UP = frozenset({OutboxStatus.CANCELLED, OutboxStatus.FAILED})


def write_message(
    db: Database,
    wakeup: Wakeup,
    account: Account,
    external_id: str,
    message: str,
    *,
    key: str | None = None,
    read: int | None = None,
    now: datetime,
    secrets: Secrets = NO_SECRETS,
) -> Job:
    """A reply with a person's own words, due at once; whatever the mode, and past the caps. Blocks.

    ``read``: up to which ``sequence`` of the conversation the person has read; None: all that is stored. An open
    request, and every reply of the AI that waits, is cancelled (host_answered). Repeatable by ``key``; without
    one, by the same text for 10 minutes while it is the newest.

    Raises ``Malformed``, ``NotFound`` for a conversation that is not known, and ``Conflict``: ``cannot_write``,
    ``reply_mode_off``, ``not_answerable``, ``guest_wrote_again`` (after ``read``), ``being_sent`` (a reply of the
    AI), ``caller_has_answer`` (where only a call takes replies).
    """
    text = clean_message(message)
    if reason := why_not(account):
        _refuse(reason)

    def write() -> Job:
        with db.write() as conn:
            found = conversations.by_external_id(conn, account.name, external_id)
            if found is None:
                raise NotFound("there is no conversation with this id")
            conversations.lock(conn, found.id)
            mine = secrets.mask(text, found.listing_id)
            job = _same(conn, found, mine, key, now)
            if job is None:
                job = _enqueue(conn, account, conversations.get(conn, found.id), mine, key, read, now)
                wakeup.notify_in(conn, "outbox")
                logger.bind(job_id=job.id, conversation_id=found.id).info("a person wrote a message here")
            return job

    return again_if_stale(write)


def why_not(account: Account) -> str | None:
    """Why nobody can write from here in any conversation of it: a reason of ``Conflict``; None: one can."""
    if not registry.find(account.channel).CAPABILITIES.takes_operator:
        return "cannot_write"
    if account.settings.reply_mode == "off" and not account.is_called_for:
        return "reply_mode_off"  # no worker sends then
    return None


_WHY = {
    "cannot_write": "nobody can write there from here",
    "reply_mode_off": "REPLY_MODE is off for this account: nothing is sent",
    "not_answerable": "this conversation is none in which guests are answered",
    "guest_wrote_again": "the guest wrote again meanwhile; read it first",
    "being_sent": "a reply of the AI is being sent in this moment; look at it first",
    "caller_has_answer": "whoever asked has got the reply; nothing can be sent before they ask again",
}


def _refuse(reason: str) -> NoReturn:
    raise Conflict(reason, _WHY[reason])


def _same(
    conn: Connection, conversation: StoredConversation, text: str, key: str | None, now: datetime
) -> Job | None:
    """The message that this call made before; None if it is a new one."""
    if key is not None:
        known = outbox_views.by_key(conn, conversation.account, _key(conversation, key))
        if known is not None and text not in (known.text, known.drafted_text) and not known.purged_at:
            raise Malformed("idempotency-key", "was used with another text")
        return known
    last = outbox_views.newest(conn, conversation.id)
    if last is None or last.written_after is None or last.text != text or last.status in _GIVEN_UP:
        return None
    if now - last.created_at >= SAME_FOR:
        return None
    return None if conversations.guest_wrote_after(conn, conversation.id, last.written_after) else last


def _key(conversation: StoredConversation, key: str) -> str:
    return f"person:{conversation.id}:{key}"


def _enqueue(
    conn: Connection,
    account: Account,
    conversation: StoredConversation,
    text: str,
    key: str | None,
    read: int | None,
    now: datetime,
) -> Job:
    if conversation.skip_reason is not None:
        _refuse("not_answerable")
    last = conversations.last_sequence(conn, conversation.id)
    read = last if read is None else min(read, last)
    if conversations.guest_wrote_after(conn, conversation.id, read):
        _refuse("guest_wrote_again")
    request = _answered(conn, account, conversation)
    asked = _take_over(conn, conversation, now)
    # A call that waits takes the reply; a worker sends it only when nobody can be waiting any more.
    due_at = now + account.kept_for_caller if asked else now
    return outbox_queue.enqueue(
        conn,
        conversation.account,
        conversation.id,
        text,
        request_id=request.id if request is not None else None,
        idempotency_key=_key(conversation, key or new_id()),
        approved=True,
        written_by=PERSON,
        written_after=read,
        slot=Slot(due_at=due_at),
        now=now,
    )[0]


def _answered(conn: Connection, account: Account, conversation: StoredConversation) -> Request | None:
    """The request that the words answer, if it is about what the guest wrote last. Who calls, waits with it."""
    request = inbox_queue.latest_request(conn, conversation.id)
    if request is not None and not request.is_start:
        asked = conversations.message_by_external_id(conn, conversation.account, request.newest_external_id)
        about_newest = asked is not None and not conversations.guest_wrote_after(
            conn, conversation.id, asked.sequence or 0
        )
        if not about_newest:
            request = None
    if account.is_called_for and (request is None or outbox_views.answered_among(conn, [request.id])):
        _refuse("caller_has_answer")
    return request


def _take_over(conn: Connection, conversation: StoredConversation, now: datetime) -> bool:
    """The AI is out of it: what it was asked, and what it has said and was not sent, is not wanted any more.

    Whether it was being asked.
    """
    why = CancelReason.HOST_ANSWERED
    request = inbox_queue.open_request(conn, conversation.id)
    if request is not None:
        inbox_queue.finish(conn, request.id, [request.status], InboxStatus.CANCELLED, why, now)
    in_hand = outbox_views.in_hand(conn, conversation.id)
    replies = [*outbox_views.unsent(conn, conversation.id), *([in_hand] if in_hand is not None else [])]
    for job in replies:
        if job.written_by == PERSON:
            continue
        if job.armed:
            _refuse("being_sent")
        outbox_queue.cancelled(conn, job.id, [job.status], why, now)
    conversations.mark_host_wrote(conn, conversation.id, now)
    autonomy.note_host(conn, conversation, now, now)
    return request is not None
