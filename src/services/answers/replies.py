"""An answer becomes a reply in the outbox: on its way, or held for a person."""

from __future__ import annotations

from dataclasses import replace

from src.db import accounts as account_rows
from src.db import outbox_queue
from src.db.engine import Connection
from src.model.answer import Answer
from src.model.autonomy import NEEDS_APPROVAL
from src.model.disclosure import DENIES_BEING_AI, denies_being_ai
from src.model.rows import Job, StoredConversation
from src.model.statuses import OutboxStatus
from src.model.values import ANSWER, HOLDING, ReplyMode
from src.services import autonomy
from src.services.answers.context import AnswerContext, mode_of, say_after_commit, shown_id
from src.services.answers.outgoing import Outgoing, in_one, in_parts
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
    if reason is None and denies_being_ai(text):
        reason = DENIES_BEING_AI
    going, reason = _going(conn, context, answer, conversation, kind, key, reason)
    made = [
        outbox_queue.enqueue(
            conn,
            conversation.account,
            conversation.id,
            one.text,
            request_id=answer.request_id,
            idempotency_key=key if one.slot.part == 1 else f"{key}:{one.slot.part}",
            status=OutboxStatus.DRAFT if reason else OutboxStatus.PENDING,
            reason=reason,
            kind=kind,
            said=answer.said,
            slot=one.slot,
            now=context.now,
        )
        for one in going
    ]
    job, created = made[0]
    if created:
        context.wakeup.notify_in(conn, "outbox")
        shown = shown_id(context, conversation)
        about = {"conversation_id": shown, "job_id": job.id, "request_id": job.request_id}
        waits = f"waits for a person ({reason})" if reason else "is on its way"
        level = "WARNING" if reason and mode is not ReplyMode.DRAFT else "INFO"
        say_after_commit(conn, level, f"an answer of {len(text)} characters {waits}", **about)
    return job, created


def _going(
    conn: Connection,
    context: AnswerContext,
    answer: Answer,
    conversation: StoredConversation,
    kind: str,
    key: str,
    reason: str | None,
) -> tuple[list[Outgoing], str | None]:
    """The messages of the answer, and why they wait for a person: ``reason``, else the caps.

    What waits for a person is one text, so that it is approved as a whole.
    """
    account, home, now = context.accounts[conversation.account], conversation.id, context.now
    mask = context.secrets.mask
    parts = [mask(part, conversation.listing_id) for part in answer.parts if kind == ANSWER]
    parts = parts or [mask(answer.message or "", conversation.listing_id)]
    if reason is None:
        asked = answer.request_id
        going = (
            in_parts(conn, account, home, parts, request_id=asked, key=key, now=now)
            if kind == ANSWER
            else [in_one(conn, account, home, parts)]
        )
        caps = caps_of(account.settings)
        reason = hold_before_enqueue(conn, caps, account.name, home, going[0].text, now)
        if reason is None:
            if account.kept_for_caller:
                slot = replace(going[0].slot, due_at=now + account.kept_for_caller)
                going = [replace(going[0], slot=slot), *going[1:]]
            return going, None
    return [in_one(conn, account, home, parts)], reason


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
    return enqueue_holding(conn, context, answer, conversation, mode)


def enqueue_holding(
    conn: Connection,
    context: AnswerContext,
    answer: Answer,
    conversation: StoredConversation,
    mode: ReplyMode,
) -> Job | None:
    """The text that the guest gets meanwhile: with an escalation, or with an answer that the AI itself holds."""
    if answer.holding_message is None:
        return None
    holding = replace(answer, message=answer.holding_message, hold=None)
    job, _ = enqueue(conn, context, holding, conversation, mode, f"holding:{answer.request_id}", HOLDING)
    return job
