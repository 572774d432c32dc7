"""An answer becomes a reply in the outbox: on its way, or held for a person."""

from __future__ import annotations

from dataclasses import replace

from src.db import accounts as account_rows
from src.db import outbox_queue
from src.db.engine import Connection
from src.model.answer import Answer
from src.model.autonomy import NEEDS_APPROVAL
from src.model.rows import Job, StoredConversation
from src.model.statuses import OutboxStatus
from src.model.values import ANSWER, HOLDING, ReplyMode
from src.services import autonomy
from src.services.answers.context import AnswerContext, mode_of, say_after_commit, shown_id
from src.services.caps import caps_of, hold_before_enqueue


def enqueue(
    conn: Connection,
    context: AnswerContext,
    answer: Answer,
    conversation: StoredConversation,
    mode: ReplyMode,
    key: str,
    kind: str = ANSWER,
) -> tuple[Job, bool]:
    text = context.secrets.mask(answer.message or "", conversation.listing_id)
    reason = answer.hold or _held_by_mode(conn, context, answer, conversation, mode, kind)
    if reason is None:
        reason = hold_before_enqueue(
            conn,
            caps_of(context.accounts[conversation.account].settings),
            conversation.account,
            conversation.id,
            text,
            context.now,
        )
    job, created = outbox_queue.enqueue(
        conn,
        conversation.account,
        conversation.id,
        text,
        request_id=answer.request_id,
        idempotency_key=key,
        status=OutboxStatus.DRAFT if reason else OutboxStatus.PENDING,
        reason=reason,
        kind=kind,
        said=answer.said,
        now=context.now,
    )
    if created:
        context.wakeup.notify_in(conn, "outbox")
        shown = shown_id(context, conversation)
        about = {"conversation_id": shown, "job_id": job.id, "request_id": job.request_id}
        waits = f"waits for a person ({reason})" if reason else "is on its way"
        level = "WARNING" if reason and mode is not ReplyMode.DRAFT else "INFO"
        say_after_commit(conn, level, f"an answer of {len(text)} characters {waits}", **about)
    return job, created


def _held_by_mode(
    conn: Connection,
    context: AnswerContext,
    answer: Answer,
    conversation: StoredConversation,
    mode: ReplyMode,
    kind: str,
) -> str | None:
    """Why an answer waits that nothing else holds: the mode, and what is allowed for its topic.

    An allowed topic goes out where the mode is the account's default; a mode that a person has set stands above it.
    """
    allowed = None
    if kind == ANSWER:
        policy = context.accounts[conversation.account].settings.assistant_autonomy
        allowed = autonomy.find_permission(conn, conversation, answer.said.topic, policy, context.now)
    if mode is not ReplyMode.DRAFT:
        return NEEDS_APPROVAL if allowed is False else None
    set_by_person = account_rows.rule_for(
        conn, conversation.account, conversation.id, conversation.listing_id
    )
    return None if allowed and set_by_person is None else "approval_required"


def enqueue_meanwhile(
    conn: Connection, context: AnswerContext, answer: Answer, conversation: StoredConversation
) -> Job | None:
    """What an escalation brings along: the holding text, under every rule of a reply, and a draft for the host."""
    mode = mode_of(conn, context, conversation)
    if mode is ReplyMode.OFF:
        return None
    if answer.draft is not None:
        note = replace(answer, message=answer.draft, hold=autonomy.WITH_AN_ESCALATION)
        enqueue(conn, context, note, conversation, mode, f"draft:{answer.request_id}")
    if answer.holding_message is None:
        return None
    holding = replace(answer, message=answer.holding_message, hold=None)
    job, _ = enqueue(conn, context, holding, conversation, mode, f"holding:{answer.request_id}", HOLDING)
    return job
