"""Rows of the two queues: requests to the AI, and replies to guests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from src.model.statuses import InboxStatus, OutboxStatus
from src.model.values import HOLDING, START


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the AI (table ``queue_inbox``). ``id`` is the request id that the AI sees."""

    id: str
    account: str
    conversation_id: str
    status: InboxStatus
    kind: str
    """``message``: somebody wrote; ``start``: nobody did yet, and the AI is to write the first message."""
    reason: str | None
    hard_class: str | None
    """What it is about, where the AI handed it over because of that (refund, safety, …)."""
    newest_external_id: str
    """The newest guest message in it: the one that the reply answers. Empty for a ``start``."""
    due_at: datetime
    """Not posted before: end of the burst, of the host's pause, or of the back-off."""
    burst_until: datetime
    """A message later than this does not move ``due_at`` any more (GROUPING_MAX_SEC)."""
    reply_by: datetime
    """After this an answer is of no use."""
    attempts: int
    last_error: str | None
    claimed_by: str | None
    lease_until: datetime | None
    accepted_at: datetime | None
    created_at: datetime
    processed_at: datetime | None

    @property
    def is_start(self) -> bool:
        """Nobody has written yet: the AI is asked for the first message."""
        return self.kind == START

    def is_too_late(self, now: datetime) -> bool:
        """An answer is of no use any more."""
        return now > self.reply_by


@dataclass(frozen=True, slots=True)
class Said:
    """What an AI says of its own answer. ``sources`` is JSON: a list of ``{title, id}``."""

    agent: str | None = None
    topic: str | None = None
    confidence: float | None = None
    sources: str | None = None


NOTHING_SAID = Said()


@dataclass(frozen=True, slots=True)
class Job:
    """A reply on its way to the guest (table ``queue_outbox``)."""

    id: str
    account: str
    conversation_id: str
    request_id: str | None
    status: OutboxStatus
    reason: str | None
    text: str
    kind: str
    """``answer``; ``holding``: says only that the message has arrived, while a person is asked; ``notice``: a
    confirmation, which answers nobody."""
    written_by: str
    """``assistant``; or ``person``: somebody of our side wrote it here instead of the AI."""
    group_id: str | None
    """The same for all parts of an answer that goes out as several messages; null where it is one message."""
    part: int
    """Which of the ``parts`` it is, counted from 1. Each goes out when the one before is there."""
    parts: int
    typing_from_at: datetime | None
    """From then until ``due_at`` the person is shown that somebody types, where the remote can show it."""
    agent: str | None
    """Which voice of the AI wrote it, as the AI says."""
    topic: str | None
    confidence: float | None
    """0 to 1, as the AI says."""
    sources: str | None
    """JSON: a list of ``{title, id}``, what the AI's answer rests on."""
    html: str | None
    """The same as a page, for a mail; null where a person has changed the text."""
    drafted_text: str | None
    """What the AI wrote, where a person has changed it before the approval; else null."""
    idempotency_key: str
    replaces_id: str | None
    """The job that a person asked to send again."""
    due_at: datetime
    attempts: int
    last_error: str | None
    claimed_by: str | None
    lease_until: datetime | None
    arm_count: int
    armed_at: datetime | None
    after_external_id: str | None
    """The newest message when Send was armed: our message is looked for only after it."""
    receipt_external_id: str | None
    """The message that our reply became on the site."""
    receipt_text: str | None
    """The text as the site shows it, when it differs from ``text``."""
    delivery: str | None
    """What became of it at the remote, where the remote says it (``Delivery`` in ``model/sending.py``)."""
    delivery_error: str | None
    """Why it could not be delivered, by the remote's own code."""
    approved_at: datetime | None
    """A person wants it sent (approved, retried, sent again): the caps on automatic replies do not hold for it."""
    judged: str | None
    """What a person made of the AI's draft: unchanged, edited, rewritten or rejected (``model/autonomy.py``)."""
    purged_at: datetime | None
    """The text was taken out (``purge``, ``forget``) and is empty since."""
    created_at: datetime
    processed_at: datetime | None
    written_after: int | None = None
    """Of what a person wrote here: the highest ``sequence`` in the conversation that the person had read. What a
    guest writes after it overtakes the reply. Null for everything else."""

    @property
    def is_from_person(self) -> bool:
        """A person wrote it here, in words of their own; a notice is not."""
        return self.written_after is not None

    @property
    def present_reason(self) -> str | None:
        """``reason``; None where it is still that of the draft which an approval has ended."""
        return None if self.status is OutboxStatus.PENDING and self.approved_at else self.reason

    @property
    def is_holding(self) -> bool:
        """It only says that the guest's message has arrived."""
        return self.kind == HOLDING

    @property
    def armed(self) -> bool:
        """Send may have been pressed."""
        return self.arm_count > 0
