"""The transaction that takes a view in."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from src.db import conversations, outbox_queue, outbox_views
from src.db.engine import Connection, Database
from src.model.gate import message_refusal
from src.model.inbox import GUEST_SIDE, HOST_SIDE, AuthorRole, MessageKind, SeenConversation, SeenMessage
from src.model.retry import again_if_stale
from src.model.rows import Job, StoredMessage
from src.model.same_reply import normalised, same_reply
from src.model.statuses import OutboxStatus
from src.model.values import Direction
from src.services import autonomy
from src.services.intake.context import (
    Intake,
    IntakeContext,
    Rules,
    leave_out_holding_texts,
    leave_out_reactions,
    load_intake,
    put_in_order_of_arrival,
)
from src.services.intake.overtaken import cancel_overtaken, reason_to_cancel_job
from src.services.intake.starting import queue_start
from src.services.intake.unanswered import hold_unopened, queue_unanswered


def take_in_now(
    db: Database,
    account: str,
    seen: SeenConversation,
    *,
    rules: Rules,
    now: datetime,
    fingerprint: str | None = None,
    cannot_be_opened: bool = False,
) -> Intake:
    """``take_in`` in a transaction of its own, made again if another process moved a row in the same instant.

    Raises TransientError (the database); nothing happened then.
    """

    def take() -> Intake:
        with db.write() as conn:
            return take_in(
                conn,
                account,
                seen,
                rules=rules,
                now=now,
                fingerprint=fingerprint,
                cannot_be_opened=cannot_be_opened,
            )

    return again_if_stale(take)


def take_in(
    conn: Connection,
    account: str,
    seen: SeenConversation,
    *,
    rules: Rules,
    now: datetime,
    in_hand: Job | None = None,
    fingerprint: str | None = None,
    cannot_be_opened: bool = False,
) -> Intake:
    """Store a view of a conversation and bring both queues in line with it. Repeatable: a second time does nothing.

    ``fingerprint`` is how the list names the newest message, where that may differ from the opened view's.
    ``in_hand`` is the job that the caller is about to send; ``Intake.reason_to_cancel`` says why it is not wanted.
    ``cannot_be_opened``: this is all that there will be to see; what would be answered is left to a person.
    StaleJob if another process (the AI's callback) moves a row in the same instant: to be made again.
    """
    context = load_intake(conn, account, seen, rules, now, fingerprint)
    intake = Intake(context.conversation)
    _store_messages(context, intake)
    _settle_own_replies(context, intake)
    leave_out_reactions(context)
    leave_out_holding_texts(context)
    put_in_order_of_arrival(context)
    intake.newest_external_id = context.seen.newest.external_id if context.seen.newest else None
    _note_host(context, intake)
    if in_hand is not None:
        intake.reason_to_cancel = reason_to_cancel_job(context, in_hand)
    cancel_overtaken(context, intake, in_hand)
    queue_unanswered(context, intake, in_hand)
    queue_start(context, intake)
    if cannot_be_opened:
        hold_unopened(context, intake)
    return intake


def _store_messages(context: IntakeContext, intake: Intake) -> None:
    forgotten: set[str] = set()  # told again, of a conversation that was forgotten meanwhile
    for message in context.seen.messages:
        known = context.stored.get(message.external_id)
        if known is None:
            refusal = context.refused or message_refusal(
                message, now=context.now, max_age=context.rules.max_age
            )
            stored = conversations.insert_message(
                context.conn,
                context.account,
                context.conversation.id,
                message,
                direction=_direction(message),
                origin=str(message.role),
                skip_reason=None if message.role in HOST_SIDE else refusal,
                arrival=context.arrival,
                now=context.now,
            )
            if stored.conversation_id != context.conversation.id:
                forgotten.add(message.external_id)
                continue
            context.stored[message.external_id] = stored
            context.new.add(message.external_id)
            intake.new_guest_messages += message.role in GUEST_SIDE and refusal is None
        elif _differs(known, message):
            conversations.update_message(context.conn, known.id, message, now=context.now)
            if message.role in GUEST_SIDE and not _only_masked(context, known, message):
                context.changed.add(message.external_id)
    if forgotten:
        kept = tuple(m for m in context.seen.messages if m.external_id not in forgotten)
        context.seen = replace(context.seen, messages=kept)


def _differs(known: StoredMessage, message: SeenMessage) -> bool:
    if message.deleted:
        return known.deleted_at is None
    if known.purged_at is not None:
        return False  # its text was taken out and stays out
    if known.transcribed_at is not None and message.text is None:
        return False  # a copy of the voice message
    if message.detail == "PREVIEW" or (message.kind is MessageKind.TEXT and message.text is None):
        return False  # an answer that does not show the text yet says nothing about it
    return known.text != message.text or (
        message.edited_at is not None and known.edited_at != message.edited_at
    )


def _only_masked(context: IntakeContext, known: StoredMessage, message: SeenMessage) -> bool:
    """Whether nothing changed but that a value in it is known to be a secret by now."""
    if known.text is None or known.deleted_at is not None or message.deleted:
        return False
    return context.rules.secrets.mask(known.text, context.conversation.listing_id) == message.text


def _direction(message: SeenMessage) -> Direction:
    if message.kind is MessageKind.REACTION:
        return Direction.SYSTEM  # else the message before it would not be the newest that waits
    if message.role in GUEST_SIDE:
        return Direction.INBOUND
    return Direction.OUTBOUND if message.role in HOST_SIDE else Direction.SYSTEM


def _settle_own_replies(context: IntakeContext, intake: Intake) -> None:
    """A new message of the account that is one of our replies proves that reply; it is not the host's answer."""
    # The reply that was just pressed goes before an old unconfirmed one, the same text before a similar one.
    waiting = sorted(
        outbox_views.awaiting_proof(context.conn, context.conversation.id),
        key=lambda job: job.status is not OutboxStatus.PROCESSING,
    )
    for message in context.seen.messages:
        if message.role is not AuthorRole.HOST or message.deleted or context.is_ours(message):
            continue
        fits = [job for job in waiting if _proves(context, message, job)]
        if not fits:
            continue
        named = (j for j in fits if message.external_id == _named(context, j))
        equal = (j for j in fits if normalised(j.text) == normalised(message.text or ""))
        job = next(named, None) or next(equal, fits[0])
        waiting.remove(job)
        known = context.stored[message.external_id]
        conversations.attach_receipt(context.conn, known.id, job)
        context.stored[message.external_id] = _with_outbox(known, job.id)
        shown = f"({message.detail})" if message.text is None else message.text
        altered = shown if shown != job.text else None
        sources = (OutboxStatus.PROCESSING, OutboxStatus.UNCONFIRMED)
        intake.settled.append(
            outbox_queue.sent(context.conn, job.id, sources, message.external_id, altered, context.now)
        )


def _named(context: IntakeContext, job: Job) -> str | None:
    """The message that the site itself named for the press of this reply."""
    return context.seen.made.get(job.id, job.receipt_external_id)


def _proves(context: IntakeContext, message: SeenMessage, job: Job) -> bool:
    known = context.stored[message.external_id]
    if message.external_id not in context.new and (job.armed_at is None or known.seen_at < job.armed_at):
        return False  # it was there before Send was armed
    after, place = context.position(job.after_external_id), context.position(message.external_id)
    if after is not None and place is not None and place < after:
        return False
    if message.detail == "PREVIEW" or (message.kind is MessageKind.TEXT and message.text is None):
        return False  # what it says is not told yet
    if message.external_id == _named(context, job):
        return True
    return message.kind is MessageKind.TEXT and same_reply(job.text, message.text)


def _with_outbox(known: StoredMessage, job_id: str) -> StoredMessage:
    return replace(known, outbox_id=job_id, origin="assistant")


def _note_host(context: IntakeContext, intake: Intake) -> None:
    if context.refused is not None:
        return
    answers = [m for m in context.seen.messages if context.is_human_answer(m)]
    pause_from = context.now - context.rules.human_pause
    intake.host_wrote = any(m.sent_at > pause_from and m.external_id in context.new for m in answers)
    latest, known = max((m.sent_at for m in answers), default=None), context.conversation.host_wrote_at
    if latest is not None and (known is None or known < latest):
        conversations.mark_host_wrote(context.conn, context.conversation.id, latest)
        intake.conversation = context.conversation = replace(context.conversation, host_wrote_at=latest)
        autonomy.note_host(context.conn, context.conversation, latest, context.now)
