"""What nobody has answered: queued for the AI, added to a request, or left to a person with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum

from src.db import accounts, conversations, inbox_queue, outbox_views
from src.model.gate import Refusal, message_refusal
from src.model.inbox import GUEST_SIDE, SeenMessage
from src.model.rows import Job, Request
from src.model.statuses import CancelReason, InboxStatus, OutboxStatus
from src.model.values import ReplyMode
from src.services.intake.context import Intake, IntakeContext, answered_by, our_ids

_ASK_ANEW = {
    CancelReason.GUEST_WROTE_AGAIN,
    CancelReason.GUEST_CHANGED_MESSAGE,
    CancelReason.GUEST_UNSENT_MESSAGE,
}
"""A reply cancelled for one of these leaves its messages unanswered: the AI is asked again with them."""
_HELD_BY_US = {
    Refusal.NOT_THE_NEWEST,
    Refusal.CROSSED_OUR_REPLY,
    Refusal.CANNOT_BE_OPENED,
    CancelReason.NOT_THE_NEWEST,
}


class _Standing(Enum):
    OPEN = "to be given to the AI"
    GIVEN_UP = "not asked about by itself again, but goes along with a newer message"
    DONE = "answered, about to be, or a person's"


def queue_unanswered(context: IntakeContext, intake: Intake, in_hand: Job | None) -> None:
    newest = context.seen.newest
    if context.refused is not None or newest is None or not context.seen.opened:
        return
    if in_hand is not None and in_hand.request_id is None and intake.reason_to_cancel is None:
        return  # the reply in hand answers what is there, though no request ever carried it
    overtaken = in_hand.id if in_hand is not None and intake.reason_to_cancel is not None else None
    read = outbox_views.read_by_person(context.conn, context.conversation.id, overtaken)
    run, crossed = _unanswered(context, read)
    _explain_answered(context, run)
    fit = [m for m in run if message_refusal(m, now=context.now, max_age=context.rules.max_age) is None]
    standing = {m.external_id: _standing(context, m, intake, in_hand) for m in fit}
    wanted = [m for m in fit if standing[m.external_id] in (_Standing.OPEN, _Standing.GIVEN_UP)]
    if newest not in fit:
        refusal = Refusal.CROSSED_OUR_REPLY if crossed else Refusal.NOT_THE_NEWEST
        _hold(context, intake, [m for m in fit if standing[m.external_id] is _Standing.OPEN], refusal)
    elif standing[newest.external_id] is _Standing.OPEN:
        _queue(context, intake, wanted)


def hold_unopened(context: IntakeContext, intake: Intake) -> None:
    newest = context.seen.newest
    if (
        context.refused is not None
        or newest is None
        or context.stored[newest.external_id].request_id is not None
    ):
        return
    if message_refusal(newest, now=context.now, max_age=context.rules.max_age) is None:
        conversations.set_skip_reason(context.conn, our_ids(context, [newest]), Refusal.CANNOT_BE_OPENED)
        _hold(context, intake, [newest], Refusal.CANNOT_BE_OPENED)


def _queue(context: IntakeContext, intake: Intake, wanted: list[SeenMessage]) -> None:
    conversation = context.conversation
    mode = accounts.mode_for(
        context.conn, context.account, conversation.id, conversation.listing_id, context.rules.default_mode
    )
    if mode is ReplyMode.OFF:
        conversations.set_skip_reason(context.conn, our_ids(context, wanted), Refusal.MODE_OFF)
        return
    request = inbox_queue.open_request(context.conn, conversation.id)
    if request is None:
        intake.queued = _create(context, wanted)
    elif any(context.stored[m.external_id].request_id != request.id for m in wanted):
        intake.queued = _extend(context, request, wanted)
        intake.extended = True


def _unanswered(context: IntakeContext, read: int | None) -> tuple[list[SeenMessage], bool]:
    """The guest side's messages that nobody has answered, oldest first; and whether our reply stands after some.

    A reply of ours answers only what was there when it was written; a guest's message may have crossed it. What a
    person has read who then wrote here (up to the sequence ``read``) is answered by that, also before it is sent.
    """
    run: list[SeenMessage] = []
    crossed = False
    until: str | None = None
    for message in reversed(context.seen.messages):
        if until is not None and message.external_id == until:
            break
        if context.is_human_answer(message):
            break
        if context.is_ours(message) and not message.deleted:
            until = until or answered_by(context, message)
            if until is None:
                break
            crossed = True
        elif message.role in GUEST_SIDE:
            if read is not None and (context.stored[message.external_id].sequence or 0) <= read:
                break
            run.append(message)
    return run[::-1], crossed


def _standing(context: IntakeContext, message: SeenMessage, intake: Intake, in_hand: Job | None) -> _Standing:
    """How far a guest's unanswered message has come."""
    known = context.stored[message.external_id]
    request = inbox_queue.get(context.conn, known.request_id) if known.request_id else None
    if request is None:
        return _Standing.DONE if known.skip_reason == Refusal.MODE_OFF else _Standing.OPEN
    if request.status in (InboxStatus.PENDING, InboxStatus.CANCELLED):
        return _Standing.OPEN
    if request.status in (InboxStatus.EXPIRED, InboxStatus.FAILED):
        return _Standing.GIVEN_UP
    if request.status is InboxStatus.ESCALATED:
        return _Standing.GIVEN_UP if request.reason in _HELD_BY_US else _Standing.DONE
    if request.status is InboxStatus.ANSWERED and _answer_overtaken(context, request, intake, in_hand):
        return _Standing.OPEN
    return _Standing.DONE


def _answer_overtaken(context: IntakeContext, request: Request, intake: Intake, in_hand: Job | None) -> bool:
    """Whether every answer to the request was cancelled, or is about to be, in a way that asks for another."""
    jobs = outbox_views.for_request(context.conn, request.id)
    return bool(jobs) and all(
        (job.status is OutboxStatus.CANCELLED and job.reason in _ASK_ANEW)
        or (in_hand is not None and job.id == in_hand.id and intake.reason_to_cancel in _ASK_ANEW)
        for job in jobs
    )


def _explain_answered(context: IntakeContext, run: Sequence[SeenMessage]) -> None:
    """A guest's text that is not in the run any more and was never queued: the host has answered it."""
    open_ids = {m.external_id for m in run}
    answered = [
        context.stored[m.external_id].id
        for m in context.seen.messages
        if m.role in GUEST_SIDE
        and m.external_id not in open_ids
        and context.stored[m.external_id].request_id is None
        and context.stored[m.external_id].skip_reason is None
    ]
    conversations.set_skip_reason(context.conn, answered, Refusal.HOST_ANSWERED)


def _hold(context: IntakeContext, intake: Intake, messages: list[SeenMessage], refusal: Refusal) -> None:
    """These are not answered by machine; a person finds them as an escalated request."""
    if not messages or inbox_queue.open_request(context.conn, context.conversation.id) is not None:
        return
    request = _create(context, messages)
    inbox_queue.finish(
        context.conn, request.id, [InboxStatus.PENDING], InboxStatus.ESCALATED, refusal, context.now
    )
    conversations.set_skip_reason(context.conn, our_ids(context, messages), refusal)
    intake.escalated = refusal


def _extend(context: IntakeContext, request: Request, wanted: list[SeenMessage]) -> Request:
    newest = wanted[-1]
    conversations.attach_to_request(context.conn, our_ids(context, wanted), request.id)
    return inbox_queue.extend_burst(
        context.conn,
        request.id,
        newest_external_id=newest.external_id,
        due_at=_due(context, newest, request.burst_until),
        reply_by=newest.sent_at + context.rules.max_age,
    )


def _create(context: IntakeContext, messages: list[SeenMessage]) -> Request:
    oldest, newest = messages[0], messages[-1]
    now, rules = context.now, context.rules
    burst_until = max(now, min(now, oldest.sent_at) + rules.grouping_max)
    request = inbox_queue.create(
        context.conn,
        context.account,
        context.conversation.id,
        newest_external_id=newest.external_id,
        due_at=_due(context, newest, burst_until),
        burst_until=burst_until,
        reply_by=newest.sent_at + rules.max_age,
        now=now,
    )
    conversations.attach_to_request(context.conn, our_ids(context, messages), request.id)
    return request


def _due(context: IntakeContext, newest: SeenMessage, burst_until: datetime) -> datetime:
    """When the burst is over, and the host has been quiet for long enough.

    The delay counts from now, not from when the message was written: a look that comes late has not seen the rest
    of the burst either. A message that is older than any burst (found at a start) waits for nothing.
    """
    now, rules = context.now, context.rules
    in_burst = now - newest.sent_at < rules.grouping_max
    due = min(now + rules.grouping_delay, max(now, burst_until)) if in_burst else now
    wrote = context.conversation.host_wrote_at
    return max(due, wrote + rules.human_pause) if wrote is not None else due
