"""The state machines of the two queues: every status with its sentence, every allowed move.

A status is written only by the functions of ``src/db`` that make exactly one of these moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class InboxStatus(StrEnum):
    """Where a request to the AI stands (one row of ``queue_inbox``)."""

    PENDING = "pending"
    """Waits until it is due: for the rest of a burst, for the end of the host's pause, or for the next try."""
    PROCESSING = "processing"
    """A worker is posting it to the AI right now."""
    WAITING = "waiting"
    """The AI accepted it; its answer is expected at the callback until ``reply_by``."""
    ANSWERED = "answered"
    """Final. The answer is in ``queue_outbox``."""
    IGNORED = "ignored"
    """Final. The AI said that no answer is needed."""
    ESCALATED = "escalated"
    """Final. The AI said that a person must answer, or the mode asks for one."""
    CANCELLED = "cancelled"
    """Final. No answer is wanted any more: the host answered, the guest wrote again, changed or unsent."""
    EXPIRED = "expired"
    """Final. No answer came while it would have been of use."""
    FAILED = "failed"
    """Final. The AI could not be reached or refused the request."""


class OutboxStatus(StrEnum):
    """Where a reply stands (one row of ``queue_outbox``)."""

    DRAFT = "draft"
    """Waits for a person, with a reason."""
    PENDING = "pending"
    """Waits for the SEND worker."""
    PROCESSING = "processing"
    """Claimed by a SEND worker; once ``armed_at`` is set, Send may have been pressed."""
    SENT = "sent"
    """Final. The site shows it in its thread."""
    UNCONFIRMED = "unconfirmed"
    """Final for the worker. Send was (or may have been) pressed, the proof is missing; never pressed again."""
    FAILED = "failed"
    """Final. It could not be delivered; Send was not pressed."""
    CANCELLED = "cancelled"
    """Final. It was no longer wanted; Send was not pressed."""


INBOX_TRANSITIONS: Mapping[InboxStatus, frozenset[InboxStatus]] = {
    InboxStatus.PENDING: frozenset(
        {
            InboxStatus.PROCESSING,
            # The first post may have reached the AI although it looked failed: its answer is as good as any.
            InboxStatus.ANSWERED,
            InboxStatus.IGNORED,
            InboxStatus.ESCALATED,
            InboxStatus.CANCELLED,
            InboxStatus.EXPIRED,
        }
    ),
    InboxStatus.PROCESSING: frozenset(
        {
            InboxStatus.PENDING,
            InboxStatus.WAITING,
            InboxStatus.ANSWERED,
            InboxStatus.IGNORED,
            InboxStatus.ESCALATED,
            InboxStatus.CANCELLED,
            InboxStatus.EXPIRED,
            InboxStatus.FAILED,
        }
    ),
    InboxStatus.WAITING: frozenset(
        {
            InboxStatus.ANSWERED,
            InboxStatus.IGNORED,
            InboxStatus.ESCALATED,
            InboxStatus.CANCELLED,
            InboxStatus.EXPIRED,
        }
    ),
    InboxStatus.ANSWERED: frozenset(),
    InboxStatus.IGNORED: frozenset(),
    InboxStatus.ESCALATED: frozenset(),
    InboxStatus.CANCELLED: frozenset(),
    InboxStatus.EXPIRED: frozenset(),
    InboxStatus.FAILED: frozenset(),
}

OUTBOX_TRANSITIONS: Mapping[OutboxStatus, frozenset[OutboxStatus]] = {
    OutboxStatus.DRAFT: frozenset({OutboxStatus.PENDING, OutboxStatus.CANCELLED}),
    OutboxStatus.PENDING: frozenset({OutboxStatus.PROCESSING, OutboxStatus.DRAFT, OutboxStatus.CANCELLED}),
    OutboxStatus.PROCESSING: frozenset(
        {
            OutboxStatus.PENDING,
            OutboxStatus.DRAFT,
            OutboxStatus.SENT,
            OutboxStatus.UNCONFIRMED,
            OutboxStatus.FAILED,
            OutboxStatus.CANCELLED,
        }
    ),
    OutboxStatus.UNCONFIRMED: frozenset({OutboxStatus.SENT}),
    OutboxStatus.FAILED: frozenset({OutboxStatus.PENDING}),
    OutboxStatus.SENT: frozenset(),
    OutboxStatus.CANCELLED: frozenset(),
}

OPEN_INBOX = frozenset({InboxStatus.PENDING, InboxStatus.PROCESSING, InboxStatus.WAITING})
"""A conversation has at most one request in these."""

FINAL_INBOX = frozenset(InboxStatus) - OPEN_INBOX

UNSENT_OUTBOX = frozenset({OutboxStatus.DRAFT, OutboxStatus.PENDING})
"""Replies that a newer event may still cancel without asking the SEND worker."""

FINAL_OUTBOX = frozenset(
    {OutboxStatus.SENT, OutboxStatus.UNCONFIRMED, OutboxStatus.FAILED, OutboxStatus.CANCELLED}
)
"""``processed_at`` is set exactly in these."""

UNFINISHED_OUTBOX = frozenset(OutboxStatus) - FINAL_OUTBOX | {OutboxStatus.UNCONFIRMED}
"""Replies that somebody still has to see to; they are few, what is done grows without end."""


class CancelReason(StrEnum):
    """Why a request or a reply is no longer wanted."""

    HOST_ANSWERED = "host_answered"
    """The host, or a co-host, wrote in the conversation after the guest."""
    GUEST_WROTE_AGAIN = "guest_wrote_again"
    """A newer message of the guest is there; the AI is asked again with all of them."""
    GUEST_WROTE_FIRST = "guest_wrote_first"
    """The person wrote before our first message did; that is answered in its place."""
    GUEST_CHANGED_MESSAGE = "guest_changed_message"
    """The guest edited a message that the reply answers; the AI is asked again."""
    GUEST_UNSENT_MESSAGE = "guest_unsent_message"
    """The guest took back a message that the reply answers."""
    NOT_THE_NEWEST = "not_the_newest"
    """Something that is not a guest's text (a card, a photo, a bulletin) now comes after the message."""
    NOT_ANSWERABLE = "not_answerable"
    """The conversation or its newest message does not pass the gate (see ``model/gate.py``)."""
    ALREADY_ANSWERED = "already_answered"
    """Another reply of ours to the same message is there."""
    EXPIRED = "expired"
    """The answer would come too late to be of use."""
    REJECTED = "rejected"
    """A person rejected the draft."""
    CANCELLED_BY_PERSON = "cancelled_by_person"
    """A person cancelled the job."""
    FORGOTTEN = "forgotten"
    """A person had the conversation's texts and names taken out of the database."""
