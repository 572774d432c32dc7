"""The guest hears something before the 24 hours of an inquiry are over, if nobody has answered by then.

    waits for a person ─▶ 12 h: alert ─▶ 20 h: urgent ─▶ ASSISTANT_INQUIRY_HOLDING_HOURS: holding text

The alerts are made by ``alerts.py``. Here is the last step, for accounts that the built-in assistant answers for
and whose mode is ``auto``. A draft held for its language, which its host may not be able to read, is treated
alike: its guest gets the holding text after ASSISTANT_HOLDING_HOURS.

The text is a reply as every other: SEND types it only if nobody has written since. It has the key that the holding
text of its request has, so that a guest who got one gets no second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from src.account import Account
from src.db import conversations, inbox_queue, outbox_views
from src.db.engine import Connection, Database
from src.db.waiting import RESPONSE_CLOCK, Waiting, waiting
from src.db.wakeup import Wakeup
from src.errors import StaleJob
from src.model.answer import Answer
from src.model.rows import StoredConversation, StoredMessage
from src.model.secrets import NO_SECRETS, Secrets
from src.model.statuses import OPEN_INBOX, InboxStatus
from src.model.values import HOLDING, ReplyMode
from src.services.answers.context import AnswerContext, mode_of
from src.services.answers.replies import enqueue


class HoldingTexts(Protocol):
    """The host's fixed texts. Blocking; may be asked from any thread."""

    def text_for(
        self, hard_class: str | None, guest_texts: Sequence[str], guest_name: str, listing_id: str | None
    ) -> str:
        """The text of this class in the language of the guest's texts (the newest last); '' if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Hours:
    """When the guest hears something."""

    inquiry: timedelta
    """After the first message of an inquiry or a request."""
    language: timedelta
    """After a draft was held for its language. Also the time in which a conversation gets one holding text."""


def hold_inquiries(
    db: Database,
    wakeup: Wakeup,
    account: Account,
    texts: HoldingTexts,
    *,
    hours: Hours,
    now: datetime,
    secrets: Secrets = NO_SECRETS,
) -> int:
    """Enqueue the holding texts that are due; returns how many. Blocking. Repeatable, also by several processes.

    Raises TransientError for the database: then it is done by the next call.
    """
    with db.read() as conn:
        due = [one for one in waiting(conn, account.name, now) if _is_due(one, hours, now)]
    made = 0
    for one in due:
        try:
            with db.write() as conn:
                context = AnswerContext(wakeup, {account.name: account}, lambda *_: True, now, secrets)
                made += _hold(conn, context, account.name, one.conversation_id, texts, hours)
        except StaleJob:
            continue  # another process is at it
    return made


def _is_due(one: Waiting, hours: Hours, now: datetime) -> bool:
    age = now - one.asked_at
    if one.what == "draft" and one.reason == "language" and now - one.since >= hours.language:
        return True
    return one.opens_inquiry and hours.inquiry <= age < RESPONSE_CLOCK


def _hold(
    conn: Connection,
    context: AnswerContext,
    account: str,
    external_id: str,
    texts: HoldingTexts,
    hours: Hours,
) -> bool:
    """One conversation, looked at again in the transaction that enqueues. Says whether a text was enqueued."""
    conversation = conversations.by_external_id(conn, account, external_id)
    request = inbox_queue.latest_request(conn, conversation.id) if conversation else None
    if conversation is None or request is None or request.is_too_late(context.now):
        return False
    if request.status in OPEN_INBOX or request.status in {InboxStatus.IGNORED, InboxStatus.CANCELLED}:
        return False  # the AI still has it, or nobody needs to answer
    mode = mode_of(conn, context, conversation)
    if mode is not ReplyMode.AUTO or outbox_views.had_holding_text(
        conn, conversation.id, request.id, context.now - hours.language
    ):
        return False
    carried = conversations.messages_of_request(conn, request.id)
    if not carried or _was_seen_to(conversation, carried):
        return False
    text = texts.text_for(
        request.hard_class,
        [message.text for message in carried if message.text],
        conversation.guest_name or "",
        conversation.listing_id,
    )
    if not text:
        return False
    answer = Answer(external_id, request.id, message=text)
    # The key of the holding text that an escalation brings along (answers/replies.py): there is one for a request.
    _, created = enqueue(conn, context, answer, conversation, mode, f"holding:{request.id}", HOLDING)
    return created


def _was_seen_to(conversation: StoredConversation, carried: Sequence[StoredMessage]) -> bool:
    newest = max(message.edited_at or message.sent_at for message in carried)
    return conversation.seen_to_until is not None and conversation.seen_to_until >= newest
