"""What may go out without a person, by listing and topic: asked before a reply, and told what became of it.

It is the same for every AI that says a topic with its answers. Each function belongs into the transaction in which
the thing that it notes happens, so that it is noted once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from loguru import logger

from src.account import Account
from src.db import accounts as account_rows
from src.db import autonomy, conversations, outbox_queue, outbox_views
from src.db.engine import Connection
from src.errors import StaleJob
from src.model.autonomy import (
    CORRECTED_WITHIN,
    DRAFT,
    FIRST,
    NEEDS_APPROVAL,
    STAY,
    TOPICS,
    Judgement,
    Loss,
    Policy,
    judge,
    permission,
)
from src.model.rows import Job, StoredConversation
from src.model.statuses import OutboxStatus
from src.model.values import ANSWER, ReplyMode

WITH_AN_ESCALATION = "with_an_escalation"
"""Why a draft waits that answers only the easy part of a message: it is no answer to be judged."""


def find_permission(
    conn: Connection, conversation: StoredConversation, topic: str | None, policy: Policy, now: datetime
) -> bool | None:
    """Whether an answer about this topic may go out by itself (``model/autonomy.py``). Changes nothing."""
    key = autonomy.key_of(conn, conversation, topic, now)
    return None if key is None else permission(autonomy.get(conn, key), policy)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of an answer about a topic that nothing else holds, in a conversation without a mode."""

    mode: ReplyMode
    allowed: bool | None
    """As ``permission`` says it; None also where there is no listing or no topic of ours."""
    set_by_person: bool
    """The mode is one that a person has set, and stands above an allowed topic."""

    @property
    def goes_out(self) -> bool:
        if self.mode is ReplyMode.DRAFT:
            return self.allowed is True and not self.set_by_person
        return self.mode is ReplyMode.AUTO and self.allowed is not False


def find_outlook(
    conn: Connection | None, account: Account, listing_id: str | None, topic: str | None, *, first: bool
) -> Outlook:
    """``first``: it would be the first answer to an inquiry or a request. Without ``conn``: nothing is stored.

    Changes nothing.
    """
    default, policy = ReplyMode(account.settings.reply_mode), account.settings.assistant_autonomy
    known = topic in TOPICS and listing_id is not None
    if conn is None:
        return Outlook(default, permission(None, policy) if known else None, set_by_person=False)
    record = None
    if known:
        stage = FIRST if first else STAY
        record = autonomy.get(conn, autonomy.Key(account.name, listing_id or "", topic or "", stage))
    rule = account_rows.rule_for(conn, account.name, "", listing_id)
    return Outlook(
        account_rows.mode_in_force(default, rule),
        permission(record, policy) if known else None,
        set_by_person=rule is not None,
    )


def note_approval(conn: Connection, draft: Job, approved: Job, now: datetime) -> None:
    """A person let a draft go out, as it was or with another text."""
    judgement = judge(draft.drafted_text or draft.text, approved.text)
    _note(conn, draft, judgement, now)


def take_back(conn: Connection, job: Job, now: datetime) -> None:
    """A person took an approval back: it does not count. A topic that a rewriting has cost stays lost."""
    where = conversations.get(conn, job.conversation_id)
    key = autonomy.key_of(conn, where, job.topic, job.created_at)
    if job.judged is not None and key is not None:
        autonomy.take_back(conn, key, job, now)


def note_refusal(conn: Connection, job: Job, now: datetime) -> None:
    """A person rejected a draft, or took back a reply that was on its way."""
    if job.status is OutboxStatus.DRAFT:
        _note(conn, job, Judgement.REJECTED, now)
    elif job.kind == ANSWER:
        _lose(conn, job, Loss.RECALLED, now)


def note_host(conn: Connection, conversation: StoredConversation, wrote_at: datetime, now: datetime) -> None:
    """A person of the host's side wrote. Soon after a reply of an AI, that corrects it."""
    job = autonomy.last_sent(conn, conversation.id, wrote_at)
    if job is None or job.processed_at is None or wrote_at - job.processed_at > CORRECTED_WITHIN:
        return
    _lose(conn, job, Loss.CORRECTED, now)


def note_complaint(conn: Connection, conversation: StoredConversation, now: datetime) -> None:
    """The guest's newest message is a complaint: what was said just before it is looked at again."""
    job = autonomy.last_sent(conn, conversation.id, now)
    if job is not None:
        _lose(conn, job, Loss.COMPLAINT, now)


def _note(conn: Connection, draft: Job, judgement: Judgement, now: datetime) -> None:
    if draft.kind != ANSWER or draft.reason == WITH_AN_ESCALATION:
        return
    key = autonomy.key_of(conn, conversations.get(conn, draft.conversation_id), draft.topic, draft.created_at)
    if key is None:
        return
    if draft.judged is None:  # else it came back from its way to the guest: each draft counts once
        autonomy.count(conn, key, draft, judgement, now)
    if judgement in {Judgement.REWRITTEN, Judgement.REJECTED}:
        _demote(conn, key, Loss(str(judgement)), now)


def _lose(conn: Connection, job: Job, loss: Loss, now: datetime) -> None:
    where = conversations.get(conn, job.conversation_id)
    key = autonomy.key_of(conn, where, job.topic, job.created_at)
    if key is not None:
        _demote(conn, key, loss, now)


def _demote(conn: Connection, key: autonomy.Key, loss: Loss, now: datetime) -> None:
    """Back to draft, and so is what is on its way about it and was approved by nobody."""
    autonomy.set_level(conn, key, DRAFT, str(loss), now)
    for job in outbox_views.on_their_way(conn, key.account):
        where = conversations.get(conn, job.conversation_id)
        same = autonomy.key_of(conn, where, job.topic, job.created_at) == key
        if not same or job.kind != ANSWER or job.approved_at is not None:
            continue
        try:
            outbox_queue.hold(conn, job.id, [OutboxStatus.PENDING, OutboxStatus.PROCESSING], NEEDS_APPROVAL)
        except StaleJob:  # armed in this instant: what was pressed cannot be taken back
            continue
    logger.bind(listing_id=key.listing_id, topic=key.topic, reason=str(loss)).info("a topic is back at draft")
