"""What a view of a conversation overtakes: requests to the AI and replies that are not wanted any more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from src.db import conversations, inbox_queue, outbox_queue, outbox_views
from src.model.gate import Refusal, message_refusal
from src.model.inbox import GUEST_SIDE, HOST_SIDE, SeenMessage
from src.model.rows import Job, Request
from src.model.statuses import CancelReason, InboxStatus
from src.model.values import NOTICE
from src.services.intake.context import Intake, IntakeContext, answered_by


def reason_to_cancel_job(context: IntakeContext, job: Job) -> CancelReason | None:
    """Why a reply is not wanted any more as the conversation stands now; None if it still is."""
    why = _against_reply(context, job)
    newest = context.seen.newest
    if why is None and job.armed and (newest.external_id if newest else None) != job.after_external_id:
        return CancelReason.GUEST_WROTE_AGAIN
    return why


def _against_reply(context: IntakeContext, job: Job) -> CancelReason | None:
    if context.refused is not None:
        return CancelReason.NOT_ANSWERABLE
    if job.kind == NOTICE:
        return None
    if job.written_after is not None:
        return _against_person(context, job.approved_at or job.created_at, job.written_after)
    request = inbox_queue.get(context.conn, job.request_id) if job.request_id else None
    if request is not None:
        if request.is_too_late(context.now):
            return CancelReason.EXPIRED
        return _reason_to_cancel(context, request, job)
    there = _without_earlier_parts(context, context.seen.messages, job)
    newest = there[-1] if there else None
    if newest is None:
        return CancelReason.NOT_ANSWERABLE
    if context.is_human_answer(newest):
        return CancelReason.HOST_ANSWERED
    if message_refusal(newest, now=context.now, max_age=context.rules.max_age) is not None:
        return CancelReason.NOT_ANSWERABLE
    return None


def _against_person(context: IntakeContext, since: datetime, read: int) -> CancelReason | None:
    """A person's own words, wanted ``since`` then, go to what that person had read: up to the sequence ``read``."""
    if context.now - since > context.rules.max_age:
        return CancelReason.EXPIRED
    messages = context.seen.messages
    known = [(context.stored[one.external_id].sequence or 0) <= read for one in messages]
    # What stands before the newest of them, and was first seen later, is history that was read further back.
    begin = len(known) - known[::-1].index(True) if True in known else 0
    later = messages[begin:]
    if any(context.is_human_answer(one) for one in later):
        return CancelReason.HOST_ANSWERED
    if any(one.role in GUEST_SIDE for one in later):
        return CancelReason.GUEST_WROTE_AGAIN
    for one in reversed(messages[:begin]):  # what the guest wrote last, and the person answers
        if one.role in GUEST_SIDE and one.external_id in context.changed:
            return CancelReason.GUEST_UNSENT_MESSAGE if one.deleted else CancelReason.GUEST_CHANGED_MESSAGE
        if one.role in HOST_SIDE:
            break
    return None


def _without_earlier_parts(
    context: IntakeContext, messages: Sequence[SeenMessage], job: Job | None
) -> tuple[SeenMessage, ...]:
    """The messages as if the parts of the same answer that went out before this one were not there."""
    if job is None or job.part == 1:
        return tuple(messages)
    parts = {one.id for one in outbox_views.parts_of(context.conn, job) if one.part < job.part}
    return tuple(m for m in messages if context.stored[m.external_id].outbox_id not in parts)


def _reason_to_cancel(
    context: IntakeContext, request: Request, job: Job | None = None
) -> CancelReason | None:
    """Why an answer to this request is not wanted any more; None if it still is. ``job`` is it, if there is one."""
    if context.refused is not None:
        return CancelReason.NOT_ANSWERABLE
    if request.is_start:
        there = _without_earlier_parts(context, context.seen.messages, job)
        return reason_not_to_start(context, there)
    place = context.position(request.newest_external_id)
    later = context.seen.messages[place + 1 :] if place is not None else context.seen.messages
    later = _without_earlier_parts(context, later, job)
    if any(context.is_human_answer(m) for m in later):
        return CancelReason.HOST_ANSWERED
    for carried in conversations.messages_of_request(context.conn, request.id):
        if carried.deleted_at is not None:
            return CancelReason.GUEST_UNSENT_MESSAGE
        if carried.external_id in context.changed:
            return CancelReason.GUEST_CHANGED_MESSAGE
    if place is None:
        return CancelReason.GUEST_UNSENT_MESSAGE if context.seen.opened else None
    return _reason_in_later_messages(context, request, later)


def _reason_in_later_messages(
    context: IntakeContext, request: Request, later: Sequence[SeenMessage]
) -> CancelReason | None:
    if not later:
        return None
    newest = later[-1]
    if message_refusal(newest, now=context.now, max_age=context.rules.max_age) is None:
        return CancelReason.GUEST_WROTE_AGAIN
    if context.is_ours(newest) and answered_by(context, newest) == request.newest_external_id:
        return CancelReason.ALREADY_ANSWERED
    if all(_was_written_without_it(context, message, request) for message in later):
        return None
    return CancelReason.NOT_THE_NEWEST


def _was_written_without_it(context: IntakeContext, ours: SeenMessage, request: Request) -> bool:
    """Whether it is a reply of ours that was armed before we knew of what the request asks about.

    A service may tell of a message late, after a reply to the one before. The message's own time is then earlier
    than the reply's, but the reply is no answer to it: the guest still waits.
    """
    asked = context.stored.get(request.newest_external_id or "")
    known = context.stored.get(ours.external_id)
    if asked is None or known is None or known.outbox_id is None:
        return False
    job = outbox_views.get(context.conn, known.outbox_id)
    return job is not None and job.armed_at is not None and asked.seen_at > job.armed_at


def reason_not_to_start(context: IntakeContext, messages: Sequence[SeenMessage]) -> CancelReason | None:
    """Why the first message of a conversation is not wanted (any more); None if nobody has written."""
    if any(message.role in GUEST_SIDE and not message.deleted for message in messages):
        return CancelReason.GUEST_WROTE_FIRST
    if any(context.is_human_answer(message) for message in messages):
        return CancelReason.HOST_ANSWERED
    return CancelReason.ALREADY_ANSWERED if any(map(context.is_ours, messages)) else None


def _left_unarmed(context: IntakeContext, in_hand: Job | None) -> list[Job]:
    """Claimed by a worker that died before arming. Safe to cancel: our caller holds the turn."""
    return [
        job
        for job in outbox_views.left_behind(context.conn, context.account)
        if job.conversation_id == context.conversation.id
        and not job.armed
        and (in_hand is None or job.id != in_hand.id)
    ]


def cancel_overtaken(context: IntakeContext, intake: Intake, in_hand: Job | None) -> None:
    conn, conversation_id = context.conn, context.conversation.id
    request = inbox_queue.open_request(conn, conversation_id)
    if request is not None:
        why = _reason_to_cancel(context, request)
        # A post that looked failed may have reached the AI: what it answers then is not the whole burst.
        unasked = request.status is InboxStatus.PENDING and request.attempts == 0
        extends = why is CancelReason.GUEST_WROTE_AGAIN and unasked
        if why is CancelReason.NOT_THE_NEWEST:
            inbox_queue.finish(conn, request.id, [request.status], InboxStatus.ESCALATED, why, context.now)
            intake.escalated = Refusal.NOT_THE_NEWEST
        elif why is not None and not extends:
            done = inbox_queue.finish(
                conn, request.id, [request.status], InboxStatus.CANCELLED, why, context.now
            )
            intake.cancelled_requests.append(done)
    for job in [*outbox_views.unsent(conn, conversation_id), *_left_unarmed(context, in_hand)]:
        why = reason_to_cancel_job(context, job)
        if why is not None:
            intake.cancelled_replies.append(
                outbox_queue.cancelled(conn, job.id, [job.status], why, context.now)
            )
