"""One conversation while it is taken in: what is seen, what is stored, what has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

from src.account import Account, AccountSettings
from src.db import conversations, inbox_queue, outbox_views
from src.db.engine import Connection
from src.model.caps import Caps
from src.model.gate import Refusal, conversation_refusal
from src.model.inbox import HOST_SIDE, MessageKind, SeenConversation, SeenMessage
from src.model.rows import Job, Request, StoredConversation, StoredMessage
from src.model.secrets import NO_SECRETS, Secrets, is_filled_in
from src.model.statuses import CancelReason
from src.model.values import ReplyMode
from src.services.caps import caps_of

_MESSAGES_LOOKED_AT = 500


@dataclass(frozen=True, slots=True)
class StartRules:
    """When the first message of a conversation is written."""

    delay_min: timedelta
    delay_max: timedelta
    max_age: timedelta
    """A conversation that began longer ago gets none."""
    needs_confirmation: bool
    """Not before a person has confirmed that people are told there of the AI."""

    @classmethod
    def of(cls, account: Account) -> Self | None:
        """As the account's channel has it; None where nobody is written to first."""
        own = account.own
        if not getattr(own, "start", False) or account.disclosure is None:
            return None
        return cls(
            timedelta(seconds=getattr(own, "start_delay_min_sec", 0.0)),
            timedelta(seconds=getattr(own, "start_delay_max_sec", 60.0)),
            timedelta(minutes=getattr(own, "start_max_age_min", 10.0)),
            account.disclosure == "label",
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that decide here."""

    max_age: timedelta
    grouping_delay: timedelta
    grouping_max: timedelta
    human_pause: timedelta
    default_mode: ReplyMode
    caps: Caps = field(default_factory=Caps)
    secrets: Secrets = NO_SECRETS
    start: StartRules | None = None
    """None: nobody is written to first."""

    @classmethod
    def of(cls, settings: AccountSettings, secrets: Secrets = NO_SECRETS) -> Self:
        """As an account has them."""
        return cls(
            max_age=timedelta(hours=settings.max_message_age_hours),
            grouping_delay=timedelta(seconds=settings.grouping_delay_sec),
            grouping_max=timedelta(seconds=settings.grouping_max_sec),
            human_pause=timedelta(minutes=settings.human_pause_min),
            default_mode=ReplyMode(settings.reply_mode),
            caps=caps_of(settings),
            secrets=secrets,
        )


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
    reason_to_cancel: CancelReason | None = None
    """Why the job in hand is not wanted any more, or None."""
    newest_external_id: str | None = None
    """The newest message, in the order in which they came."""


@dataclass(slots=True)
class IntakeContext:
    """One conversation during its intake: what is seen, what is stored, what has changed since."""

    conn: Connection
    account: str
    rules: Rules
    now: datetime
    seen: SeenConversation
    conversation: StoredConversation
    stored: dict[str, StoredMessage]
    arrival: int
    """The number of this look (``put_in_order_of_arrival``)."""
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


def load_intake(
    conn: Connection,
    account: str,
    seen: SeenConversation,
    rules: Rules,
    now: datetime,
    fingerprint: str | None,
) -> IntakeContext:
    refused = conversation_refusal(seen)
    if fingerprint is None and seen.gapless:
        fingerprint = seen.fingerprint  # else SYNC still takes it for changed, and opens the conversation
    conversation = conversations.upsert_seen(
        conn, account, seen, skip_reason=refused, fingerprint=fingerprint, now=now
    )
    stored = conversations.messages_of(conn, conversation.id, _MESSAGES_LOOKED_AT)
    arrival = 1 + max((m.arrival for m in stored), default=0)
    known = {m.external_id: m for m in stored}
    seen = _without_secrets(seen, known, rules.secrets, conversation.listing_id)
    return IntakeContext(conn, account, rules, now, seen, conversation, known, arrival, refused)


def leave_out_reactions(context: IntakeContext) -> None:
    """They ask for nothing and answer nothing: what stands before them is still the newest."""
    kept = tuple(m for m in context.seen.messages if m.kind is not MessageKind.REACTION)
    if len(kept) < len(context.seen.messages):
        context.seen = replace(context.seen, messages=kept)


def leave_out_holding_texts(context: IntakeContext) -> None:
    """Our own holding texts answer nothing: they count as not there, so that the answer can still follow them."""
    if not any(context.is_ours(message) for message in context.seen.messages):
        return
    holding = outbox_views.holding_ids(context.conn, context.conversation.id)
    if holding:
        kept = [m for m in context.seen.messages if context.stored[m.external_id].outbox_id not in holding]
        context.seen = replace(context.seen, messages=tuple(kept))


def _without_secrets(
    seen: SeenConversation, known: Mapping[str, StoredMessage], secrets: Secrets, listing_id: str | None
) -> SeenConversation:
    """The view as it may be stored: what SEND filled in, or anybody wrote of it, is a placeholder again."""

    def masked(message: SeenMessage) -> SeenMessage:
        if message.text is None:
            return message
        text = secrets.mask(message.text, listing_id)
        before = known.get(message.external_id)
        if message.role in HOST_SIDE and before and before.text and is_filled_in(before.text, text):
            text = before.text  # with a value that has been changed since
        return message if text == message.text else replace(message, text=text)

    return replace(seen, messages=tuple(masked(message) for message in seen.messages))


def put_in_order_of_arrival(context: IntakeContext) -> None:
    """What was first seen later came later, whatever its date says; our own reply comes before what came with it.

    Only where a reply is sent if nothing stands unread (``SeenConversation.compared``): a message that is first
    seen after a reply was not there when the reply was sent, so it is not answered by it. Its date may be older
    all the same: that of a transaction that took its time, or of another clock.
    """
    seen, messages = context.seen, context.seen.messages
    if not (seen.compared and seen.opened):
        return
    arrivals = [context.stored[m.external_id].arrival for m in messages]
    # Where older messages are only now read further back, they are history and stay in front.
    start = arrivals.index(min(arrivals)) if seen.has_older and arrivals else 0
    later = sorted(
        messages[start:], key=lambda m: (context.stored[m.external_id].arrival, not context.is_ours(m))
    )
    context.seen = replace(seen, messages=(*messages[:start], *later))


def answered_by(context: IntakeContext, message: SeenMessage) -> str | None:
    """The newest message that our reply answers (the site's id)."""
    job_id = context.stored[message.external_id].outbox_id
    job = outbox_views.get(context.conn, job_id) if job_id else None
    if job is None:
        return None
    if job.is_from_person:
        return job.after_external_id
    request = inbox_queue.get(context.conn, job.request_id) if job.request_id else None
    return request.newest_external_id or None if request else job.after_external_id


def our_ids(context: IntakeContext, messages: list[SeenMessage]) -> list[str]:
    return [context.stored[m.external_id].id for m in messages]
