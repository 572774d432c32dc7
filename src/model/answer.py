"""What the AI says to a request, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from src.model.rows import NOTHING_SAID, Job, Said


class Action(StrEnum):
    """What the AI may say instead of an answer."""

    ESCALATE = "escalate"
    IGNORE = "ignore"


class Result(StrEnum):
    """What became of an answer."""

    ENQUEUED = "enqueued"
    REPEATED = "repeated"
    ESCALATED = "escalated"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the AI says: ``message`` or ``action``, not both. ``request_id`` only if it is known beyond doubt."""

    conversation_external_id: str
    request_id: str | None = None
    message: str | None = None
    parts: tuple[str, ...] = ()
    """The message as the AI gives it in several; joined they are ``message``. Empty where it is one."""
    action: Action | None = None
    reason: str | None = None
    hold: str | None = None
    """Why the message waits for a person, whatever the mode."""
    said: Said = NOTHING_SAID
    hard_class: str | None = None
    """With an escalation: what the message is about."""
    holding_message: str | None = None
    """With an escalation or a ``hold``: what the guest is told meanwhile. It goes out as a reply of its own."""
    draft: str | None = None
    """With an escalation: what a person might answer. It waits as a draft."""
    account: str | None = None
    """The account that the sender names; only needed where an id could be one of several."""
    webhook_id: str | None = None
    """The sender's own id of this delivery: the same id means the same delivery."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it. ``job`` is the reply in the outbox: the answer, or the holding text of an escalation."""

    result: Result
    conversation_external_id: str
    job: Job | None = None
