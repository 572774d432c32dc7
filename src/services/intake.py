"""Taking in what was seen of a conversation: one transaction stores it, queues it and cancels what it overtakes.

SYNC calls it for what the list and an opened conversation show, SEND for what it sees before and after the press.
So the same rules decide everywhere, and a message is stored together with its place in ``queue_inbox``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from src.db import accounts, conversations, inbox_queue, outbox_queue, outbox_views
from src.db.engine import Connection, Database
from src.errors import StaleJob, TransientError
from src.model.caps import Caps
from src.model.gate import Refusal, conversation_refusal, message_refusal
from src.model.inbox import GUEST_SIDE, HOST_SIDE, AuthorRole, MessageKind, SeenConversation, SeenMessage
from src.model.rows import Job, Request, StoredConversation, StoredMessage
from src.model.same_reply import normalised, same_reply
from src.model.statuses import CancelReason, InboxStatus, OutboxStatus
from src.model.tables import Direction, ReplyMode

_MESSAGES_LOOKED_AT = 500
_ASK_ANEW = {
    CancelReason.GUEST_WROTE_AGAIN,
    CancelReason.GUEST_CHANGED_MESSAGE,
    CancelReason.GUEST_UNSENT_MESSAGE,
}
"""A reply cancelled for one of these leaves its messages unanswered: the AI is asked anew with them."""
_HELD_BY_US = {
    Refusal.NOT_THE_NEWEST,
    Refusal.CROSSED_OUR_REPLY,
    Refusal.CANNOT_BE_OPENED,
    CancelReason.NOT_THE_NEWEST,
}
_TRIES = 3


class _Standing(Enum):
    OPEN = "to be given to the AI"
    GIVEN_UP = "not asked about by itself again, but goes along with a newer message"
    DONE = "answered, about to be, or a person's"


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that decide here."""

    max_age: timedelta
    grouping_delay: timedelta
    grouping_max: timedelta
    human_pause: timedelta
    default_mode: ReplyMode
    caps: Caps = field(default_factory=Caps)


@dataclass(slots=True)
class Intake:
    """What taking in has done, for the log and for the SEND worker."""

    conversation: StoredConversation
    new_guest_messages: int = 0
    queued: Request | None = None
    extended: bool = False
    escalated: Refusal | None = None
    cancelled_requests: list[Request] = field(default_factory=list)
    cancelled_replies: list[Job] = field(default_factory=list)
    settled: list[Job] = field(default_factory=list)
    host_wrote: bool = False
    against: CancelReason | None = None
    """Why the job in hand is not wanted any more, or None."""


@dataclass(slots=True)
class _Scene:
    """One conversation during its intake: what is seen, what is stored, what has changed since."""

    conn: Connection
    account: str
    rules: Rules
    now: datetime
    seen: SeenConversation
    conversation: StoredConversation
    stored: dict[str, StoredMessage]
    refused: Refusal | None
    changed: set[str] = field(default_factory=set)
    new: set[str] = field(default_factory=set)

    def position(self, external_id: str | None) -> int | None:
        return next((i for i, m in enumerate(self.seen.messages) if m.external_id == external_id), None)

    def is_ours(self, message: SeenMessage) -> bool:
        known = self.stored.get(message.external_id)
        return known is not None and known.outbox_id is not None

    def is_human_answer(self, message: SeenMessage) -> bool:
        """Written by a person of the host's side: text or photo, not a card, not taken back, not our own reply."""
        return (
            message.role in HOST_SIDE
            and message.kind in (MessageKind.TEXT, MessageKind.MEDIA)
            and not message.deleted
            and not self.is_ours(message)
        )


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
    for _ in range(_TRIES):
        try:
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
        except StaleJob:
            continue
    raise TransientError("others move the conversation's rows again and again")


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
    ``in_hand`` is the job that the caller is about to send; whether it is still wanted is in ``Intake.against``.
    ``cannot_be_opened``: this is all that there will be to see; what would be answered is left to a person.
    StaleJob if another process (the AI's callback) moves a row in the same instant: to be made again.
    """
    scene = _set_scene(conn, account, seen, rules, now, fingerprint)
    intake = Intake(scene.conversation)
    _store_messages(scene, intake)
    _settle_own_replies(scene, intake)
    _note_host(scene, intake)
    if in_hand is not None:
        intake.against = against_job(scene, in_hand)
    _cancel_overtaken(scene, intake, in_hand)
    _queue_unanswered(scene, intake, in_hand)
    if cannot_be_opened:
        _hold_unopened(scene, intake)
    return intake


def _set_scene(
    conn: Connection,
    account: str,
    seen: SeenConversation,
    rules: Rules,
    now: datetime,
    fingerprint: str | None,
) -> _Scene:
    refused = conversation_refusal(seen)
    newest = seen.newest
    if fingerprint is None and newest is not None and seen.gapless:
        fingerprint = newest.fingerprint  # else SYNC still takes it for changed, and opens the conversation
    conversation = conversations.upsert_seen(
        conn, account, seen, skip_reason=refused, fingerprint=fingerprint, now=now
    )
    stored = conversations.messages_of(conn, conversation.id, _MESSAGES_LOOKED_AT)
    return _Scene(conn, account, rules, now, seen, conversation, {m.external_id: m for m in stored}, refused)


def _store_messages(scene: _Scene, intake: Intake) -> None:
    for message in scene.seen.messages:
        known = scene.stored.get(message.external_id)
        if known is None:
            refusal = scene.refused or message_refusal(message, now=scene.now, max_age=scene.rules.max_age)
            stored = conversations.insert_message(
                scene.conn,
                scene.account,
                scene.conversation.id,
                message,
                direction=_direction(message),
                origin=str(message.role),
                skip_reason=None if message.role in HOST_SIDE else refusal,
                now=scene.now,
            )
            scene.stored[message.external_id] = stored
            scene.new.add(message.external_id)
            intake.new_guest_messages += message.role in GUEST_SIDE and refusal is None
        elif _differs(known, message):
            conversations.update_message(scene.conn, known.id, message, now=scene.now)
            if message.role in GUEST_SIDE:
                scene.changed.add(message.external_id)


def _differs(known: StoredMessage, message: SeenMessage) -> bool:
    if message.deleted:
        return known.deleted_at is None
    if known.purged_at is not None:
        return False  # its text was taken out and stays out
    if message.detail == "PREVIEW" or (message.kind is MessageKind.TEXT and message.text is None):
        return False  # an answer that does not show the text yet says nothing about it
    return known.text != message.text or (
        message.edited_at is not None and known.edited_at != message.edited_at
    )


def _direction(message: SeenMessage) -> Direction:
    if message.role in GUEST_SIDE:
        return Direction.INBOUND
    return Direction.OUTBOUND if message.role in HOST_SIDE else Direction.SYSTEM


def _settle_own_replies(scene: _Scene, intake: Intake) -> None:
    """A new message of the account that is one of our replies proves that reply; it is not the host's answer."""
    # The reply that was just pressed goes before an old unconfirmed one, the same text before a similar one.
    waiting = sorted(
        outbox_views.awaiting_proof(scene.conn, scene.conversation.id),
        key=lambda job: job.status is not OutboxStatus.PROCESSING,
    )
    for message in scene.seen.messages:
        if message.role is not AuthorRole.HOST or message.deleted or scene.is_ours(message):
            continue
        fits = [job for job in waiting if _proves(scene, message, job)]
        if not fits:
            continue
        job = next((j for j in fits if normalised(j.text) == normalised(message.text or "")), fits[0])
        waiting.remove(job)
        known = scene.stored[message.external_id]
        conversations.attach_receipt(scene.conn, known.id, job.id)
        scene.stored[message.external_id] = _with_outbox(known, job.id)
        altered = message.text if message.text != job.text else None
        sources = (OutboxStatus.PROCESSING, OutboxStatus.UNCONFIRMED)
        intake.settled.append(
            outbox_queue.sent(scene.conn, job.id, sources, message.external_id, altered, scene.now)
        )


def _proves(scene: _Scene, message: SeenMessage, job: Job) -> bool:
    if message.kind is not MessageKind.TEXT:
        return False
    known = scene.stored[message.external_id]
    if message.external_id not in scene.new and (job.armed_at is None or known.seen_at < job.armed_at):
        return False  # it was there before Send was armed
    after, place = scene.position(job.after_external_id), scene.position(message.external_id)
    if after is not None and place is not None and place < after:
        return False
    return same_reply(job.text, message.text)


def _with_outbox(known: StoredMessage, job_id: str) -> StoredMessage:
    return replace(known, outbox_id=job_id, origin="assistant")


def _note_host(scene: _Scene, intake: Intake) -> None:
    if scene.refused is not None:
        return
    for message in scene.seen.messages:
        if scene.is_human_answer(message):
            conversations.mark_host_wrote(scene.conn, scene.conversation.id, message.sent_at)
            recent = scene.now - message.sent_at < scene.rules.human_pause
            intake.host_wrote = intake.host_wrote or (recent and message.external_id in scene.new)
    intake.conversation = scene.conversation = conversations.get(scene.conn, scene.conversation.id)


# -- what is overtaken -----------------------------------------------------------------------------------------


def against_job(scene: _Scene, job: Job) -> CancelReason | None:
    """Why a reply is not wanted any more as the conversation stands now; None if it still is."""
    why = _against_reply(scene, job)
    newest = scene.seen.newest
    if why is None and job.armed and (newest is None or newest.external_id != job.after_external_id):
        return CancelReason.GUEST_WROTE_AGAIN
    return why


def _against_reply(scene: _Scene, job: Job) -> CancelReason | None:
    if scene.refused is not None:
        return CancelReason.NOT_ANSWERABLE
    request = inbox_queue.get(scene.conn, job.request_id) if job.request_id else None
    if request is not None:
        if scene.now > request.reply_by:
            return CancelReason.EXPIRED
        return _against(scene, request)
    newest = scene.seen.newest
    if newest is None:
        return CancelReason.NOT_ANSWERABLE
    if scene.is_human_answer(newest):
        return CancelReason.HOST_ANSWERED
    if message_refusal(newest, now=scene.now, max_age=scene.rules.max_age) is not None:
        return CancelReason.NOT_ANSWERABLE
    return None


def _against(scene: _Scene, request: Request) -> CancelReason | None:
    """Why an answer to this request is not wanted any more; None if it still is."""
    if scene.refused is not None:
        return CancelReason.NOT_ANSWERABLE
    place = scene.position(request.newest_external_id)
    later = scene.seen.messages[place + 1 :] if place is not None else scene.seen.messages
    if any(scene.is_human_answer(m) for m in later):
        return CancelReason.HOST_ANSWERED
    for carried in conversations.messages_of_request(scene.conn, request.id):
        if carried.deleted_at is not None:
            return CancelReason.GUEST_UNSENT_MESSAGE
        if carried.external_id in scene.changed:
            return CancelReason.GUEST_CHANGED_MESSAGE
    if place is None:
        return CancelReason.GUEST_UNSENT_MESSAGE if scene.seen.opened else None
    return _against_what_follows(scene, request, later)


def _against_what_follows(
    scene: _Scene, request: Request, later: Sequence[SeenMessage]
) -> CancelReason | None:
    if not later:
        return None
    newest = later[-1]
    if message_refusal(newest, now=scene.now, max_age=scene.rules.max_age) is None:
        return CancelReason.GUEST_WROTE_AGAIN
    if scene.is_ours(newest) and _answered_by(scene, newest) == request.newest_external_id:
        return CancelReason.ALREADY_ANSWERED
    return CancelReason.NOT_THE_NEWEST


def _left_unarmed(scene: _Scene, in_hand: Job | None) -> list[Job]:
    """Claimed by a worker that ended before the arm: who takes in has the turn, so nobody is at work on it."""
    return [
        job
        for job in outbox_views.left_behind(scene.conn, scene.account, "")
        if job.conversation_id == scene.conversation.id
        and not job.armed
        and (in_hand is None or job.id != in_hand.id)
    ]


def _cancel_overtaken(scene: _Scene, intake: Intake, in_hand: Job | None) -> None:
    conn, conversation_id = scene.conn, scene.conversation.id
    request = inbox_queue.open_request(conn, conversation_id)
    if request is not None:
        why = _against(scene, request)
        # A post that looked failed may have reached the AI: what it answers then is not the whole burst.
        unasked = request.status is InboxStatus.PENDING and request.attempts == 0
        extends = why is CancelReason.GUEST_WROTE_AGAIN and unasked
        if why is CancelReason.NOT_THE_NEWEST:
            inbox_queue.escalated(conn, request.id, [request.status], why, scene.now)
            intake.escalated = Refusal.NOT_THE_NEWEST
        elif why is not None and not extends:
            done = inbox_queue.cancelled(conn, request.id, [request.status], why, scene.now)
            intake.cancelled_requests.append(done)
    for job in [*outbox_views.unsent(conn, conversation_id), *_left_unarmed(scene, in_hand)]:
        why = against_job(scene, job)
        if why is not None:
            intake.cancelled_replies.append(
                outbox_queue.cancelled(conn, job.id, [job.status], why, scene.now)
            )


# -- what is queued --------------------------------------------------------------------------------------------


def _queue_unanswered(scene: _Scene, intake: Intake, in_hand: Job | None) -> None:
    newest = scene.seen.newest
    if scene.refused is not None or newest is None or not scene.seen.opened:
        return
    if in_hand is not None and in_hand.request_id is None and intake.against is None:
        return  # the reply in hand answers what is there, though no request ever carried it
    run, crossed = _unanswered(scene)
    _explain_answered(scene, run)
    fit = [m for m in run if message_refusal(m, now=scene.now, max_age=scene.rules.max_age) is None]
    standing = {m.external_id: _standing(scene, m, intake, in_hand) for m in fit}
    wanted = [m for m in fit if standing[m.external_id] in (_Standing.OPEN, _Standing.GIVEN_UP)]
    if newest not in fit:
        refusal = Refusal.CROSSED_OUR_REPLY if crossed else Refusal.NOT_THE_NEWEST
        _hold(scene, intake, [m for m in fit if standing[m.external_id] is _Standing.OPEN], refusal)
    elif standing[newest.external_id] is _Standing.OPEN:
        _queue(scene, intake, wanted)


def _queue(scene: _Scene, intake: Intake, wanted: list[SeenMessage]) -> None:
    conversation = scene.conversation
    mode = accounts.mode_for(
        scene.conn, scene.account, conversation.id, conversation.listing_id, scene.rules.default_mode
    )
    # REPLY_MODE=off means: only read. A narrower rule cannot switch on what does not run.
    if ReplyMode.OFF in (mode, scene.rules.default_mode):
        conversations.set_skip_reason(scene.conn, _our_ids(scene, wanted), Refusal.MODE_OFF)
        return
    request = inbox_queue.open_request(scene.conn, conversation.id)
    if request is None:
        intake.queued = _create(scene, wanted)
    elif any(scene.stored[m.external_id].request_id != request.id for m in wanted):
        intake.queued = _extend(scene, request, wanted)
        intake.extended = True


def _unanswered(scene: _Scene) -> tuple[list[SeenMessage], bool]:
    """The guest side's messages that nobody has answered, oldest first; and whether our reply stands after some.

    A reply of ours answers only what was there when it was written; a guest's message may have crossed it.
    """
    run: list[SeenMessage] = []
    crossed = False
    until: str | None = None
    for message in reversed(scene.seen.messages):
        if until is not None and message.external_id == until:
            break
        if scene.is_human_answer(message):
            break
        if scene.is_ours(message) and not message.deleted:
            until = until or _answered_by(scene, message)
            if until is None:
                break
            crossed = True
        elif message.role in GUEST_SIDE:
            run.append(message)
    return run[::-1], crossed


def _answered_by(scene: _Scene, message: SeenMessage) -> str | None:
    """The newest message that our reply answers (the site's id)."""
    job_id = scene.stored[message.external_id].outbox_id
    job = outbox_views.get(scene.conn, job_id) if job_id else None
    if job is None:
        return None
    request = inbox_queue.get(scene.conn, job.request_id) if job.request_id else None
    return request.newest_external_id if request else job.after_external_id


def _standing(scene: _Scene, message: SeenMessage, intake: Intake, in_hand: Job | None) -> _Standing:
    """How far a guest's unanswered message has come."""
    known = scene.stored[message.external_id]
    request = inbox_queue.get(scene.conn, known.request_id) if known.request_id else None
    if request is None:
        return _Standing.DONE if known.skip_reason == Refusal.MODE_OFF else _Standing.OPEN
    if request.status in (InboxStatus.PENDING, InboxStatus.CANCELLED):
        return _Standing.OPEN
    if request.status in (InboxStatus.EXPIRED, InboxStatus.FAILED):
        return _Standing.GIVEN_UP
    if request.status is InboxStatus.ESCALATED:
        return _Standing.GIVEN_UP if request.reason in _HELD_BY_US else _Standing.DONE
    if request.status is InboxStatus.ANSWERED and _answer_overtaken(scene, request, intake, in_hand):
        return _Standing.OPEN
    return _Standing.DONE


def _answer_overtaken(scene: _Scene, request: Request, intake: Intake, in_hand: Job | None) -> bool:
    """Whether every answer to the request was cancelled, or is about to be, in a way that asks for another."""
    jobs = outbox_views.for_request(scene.conn, request.id)
    return bool(jobs) and all(
        (job.status is OutboxStatus.CANCELLED and job.reason in _ASK_ANEW)
        or (in_hand is not None and job.id == in_hand.id and intake.against in _ASK_ANEW)
        for job in jobs
    )


def _explain_answered(scene: _Scene, run: Sequence[SeenMessage]) -> None:
    """A guest's text that is not in the run any more and was never queued: the host has answered it."""
    open_ids = {m.external_id for m in run}
    answered = [
        scene.stored[m.external_id].id
        for m in scene.seen.messages
        if m.role in GUEST_SIDE
        and m.external_id not in open_ids
        and scene.stored[m.external_id].request_id is None
        and scene.stored[m.external_id].skip_reason is None
    ]
    conversations.set_skip_reason(scene.conn, answered, Refusal.HOST_ANSWERED)


def _hold(scene: _Scene, intake: Intake, messages: list[SeenMessage], refusal: Refusal) -> None:
    """These are not answered by machine; a person finds them as an escalated request."""
    if not messages or inbox_queue.open_request(scene.conn, scene.conversation.id) is not None:
        return
    request = _create(scene, messages)
    inbox_queue.escalated(scene.conn, request.id, [InboxStatus.PENDING], refusal, scene.now)
    conversations.set_skip_reason(scene.conn, _our_ids(scene, messages), refusal)
    intake.escalated = refusal


def _hold_unopened(scene: _Scene, intake: Intake) -> None:
    newest = scene.seen.newest
    if scene.refused is not None or newest is None or scene.stored[newest.external_id].request_id is not None:
        return
    if message_refusal(newest, now=scene.now, max_age=scene.rules.max_age) is None:
        conversations.set_skip_reason(scene.conn, _our_ids(scene, [newest]), Refusal.CANNOT_BE_OPENED)
        _hold(scene, intake, [newest], Refusal.CANNOT_BE_OPENED)


def _extend(scene: _Scene, request: Request, wanted: list[SeenMessage]) -> Request:
    newest = wanted[-1]
    conversations.attach_to_request(scene.conn, _our_ids(scene, wanted), request.id)
    return inbox_queue.extend_burst(
        scene.conn,
        request.id,
        newest_external_id=newest.external_id,
        due_at=_due(scene, newest, request.burst_until),
        reply_by=newest.sent_at + scene.rules.max_age,
    )


def _create(scene: _Scene, messages: list[SeenMessage]) -> Request:
    oldest, newest = messages[0], messages[-1]
    now, rules = scene.now, scene.rules
    burst_until = max(now, min(now, oldest.sent_at) + rules.grouping_max)
    request = inbox_queue.create(
        scene.conn,
        scene.account,
        scene.conversation.id,
        newest_external_id=newest.external_id,
        due_at=_due(scene, newest, burst_until),
        burst_until=burst_until,
        reply_by=newest.sent_at + rules.max_age,
        now=now,
    )
    conversations.attach_to_request(scene.conn, _our_ids(scene, messages), request.id)
    return request


def _due(scene: _Scene, newest: SeenMessage, burst_until: datetime) -> datetime:
    """When the burst is over, and the host has been quiet for long enough.

    The delay counts from now, not from when the message was written: a look that comes late has not seen the rest
    of the burst either. A message that is older than any burst (found at a start) waits for nothing.
    """
    now, rules = scene.now, scene.rules
    in_burst = now - newest.sent_at < rules.grouping_max
    due = min(now + rules.grouping_delay, max(now, burst_until)) if in_burst else now
    wrote = scene.conversation.host_wrote_at
    return max(due, wrote + rules.human_pause) if wrote is not None else due


def _our_ids(scene: _Scene, messages: list[SeenMessage]) -> list[str]:
    return [scene.stored[m.external_id].id for m in messages]
