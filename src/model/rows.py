"""Rows as the rest of the code sees them: frozen copies, made by ``src/db``. Every ``*_at`` is UTC-aware.

The fields are called as the columns of the table are; what they mean is said in ``tables.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from src.model.statuses import InboxStatus, OutboxStatus
from src.model.values import HOLDING, START, Direction, LinkState, ReplyMode


@dataclass(frozen=True, slots=True)
class AccountState:
    """One inbox (table ``accounts``)."""

    account: str
    channel: str | None
    external_id: str | None
    link_state: LinkState
    halt_kind: str | None
    halt_detail: str | None
    halt_exit_code: int | None
    halt_evidence: str | None
    halted_at: datetime | None
    halt_cleared_at: datetime | None
    paused_at: datetime | None
    disclosed_at: datetime | None
    swept_through: datetime | None
    bell: str | None
    updated_at: datetime

    @property
    def halted(self) -> bool:
        return self.link_state is LinkState.HALTED

    @property
    def paused(self) -> bool:
        return self.paused_at is not None


@dataclass(frozen=True, slots=True)
class WorkerBeat:
    """The last signs of life of a worker (table ``workers``)."""

    account: str
    worker: str
    process_id: int
    hostname: str
    started_at: datetime
    beat_at: datetime
    last_cycle_at: datetime | None
    last_duration_ms: int | None
    last_outcome: str | None
    last_good_at: datetime | None
    rows_seen: int | None
    cycles: int
    failures_in_a_row: int
    stopped_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredIncident:
    """Something that a person should know (table ``incidents``)."""

    id: str
    account: str
    kind: str
    subject: str
    detail: str
    opened_at: datetime
    last_seen_at: datetime
    closed_at: datetime | None
    tell_at: datetime | None
    told: int
    failures: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A reply mode that a person has set (table ``reply_modes``)."""

    account: str
    scope: str
    scope_id: str
    mode: ReplyMode
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A conversation (table ``conversations``). ``seen_at`` is None if only a callback has named it so far."""

    id: str
    account: str
    external_id: str
    user_id: str | None
    kind: str | None
    guest_name: str | None
    listing_id: str | None
    stay: dict[str, str]
    skip_reason: str | None
    newest_fingerprint: str | None
    host_wrote_at: datetime | None
    seen_to_at: datetime | None
    seen_to_until: datetime | None
    last_activity_at: datetime | None
    seen_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as last seen (table ``messages``, without ``created_at``, which repeats ``sent_at``)."""

    id: str
    account: str
    conversation_id: str
    external_id: str
    direction: Direction
    origin: str
    role: str | None
    agent: str | None
    sender_name: str | None
    kind: str
    detail: str
    text: str | None
    sent_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    request_id: str | None
    outbox_id: str | None
    skip_reason: str | None
    purged_at: datetime | None
    seen_at: datetime
    arrival: int
    sequence: int | None

    @property
    def written_at(self) -> datetime:
        """When its text came to be as it is."""
        return self.edited_at or self.sent_at


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the AI (table ``queue_inbox``). ``id`` is the request id that the AI sees."""

    id: str
    account: str
    conversation_id: str
    status: InboxStatus
    kind: str
    reason: str | None
    hard_class: str | None
    newest_external_id: str
    due_at: datetime
    burst_until: datetime
    reply_by: datetime
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
    written_by: str
    group_id: str | None
    part: int
    parts: int
    typing_from_at: datetime | None
    agent: str | None
    topic: str | None
    confidence: float | None
    sources: str | None
    drafted_text: str | None
    idempotency_key: str
    replaces_id: str | None
    due_at: datetime
    attempts: int
    last_error: str | None
    claimed_by: str | None
    lease_until: datetime | None
    arm_count: int
    armed_at: datetime | None
    after_external_id: str | None
    receipt_external_id: str | None
    receipt_text: str | None
    delivery: str | None
    delivery_error: str | None
    approved_at: datetime | None
    judged: str | None
    purged_at: datetime | None
    created_at: datetime
    processed_at: datetime | None

    @property
    def is_holding(self) -> bool:
        """It only says that the guest's message has arrived."""
        return self.kind == HOLDING

    @property
    def armed(self) -> bool:
        """Send may have been pressed."""
        return self.arm_count > 0


@dataclass(frozen=True, slots=True)
class TopicRecord:
    """What became of the drafts about a topic in a listing (table ``assistant_autonomy``)."""

    account: str
    listing_id: str
    topic: str
    stage: str
    level: str
    reason: str | None
    unchanged: int
    edited: int
    rewritten: int
    rejected: int
    in_a_row: int
    in_a_row_since: datetime | None
    conversations: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class AssistantRun:
    """How the built-in assistant came to a decision (table ``assistant_runs``). Nothing of a guest's words."""

    id: str
    account: str
    request_id: str | None
    conversation_id: str | None
    kind: str
    state: str
    action: str | None
    hard_class: str | None = field(metadata={"column": "class"})  # the word is taken in Python
    reason: str | None
    hold: str | None
    agent: str | None
    topic: str | None
    language: str | None
    confidence: float | None
    prompt_version: str | None
    steps: str
    sources: str
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    payload: str | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A file of the host's knowledge, as it was last read (table ``documents``). Days are local ones."""

    id: str
    path: str
    title: str
    agent_owner: str
    listing_id: str | None
    audience: str
    language: str | None
    valid_from: date | None
    valid_until: date | None
    reviewed_on: date | None
    content_hash: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """One fact of it (table ``document_chunks``). ``embedding`` is float32, packed; None until it is made."""

    id: str
    document_id: str
    position: int
    topic: str
    content: str
    agent_owner: str
    listing_id: str | None
    audience: str
    language: str | None
    valid_from: date | None
    valid_until: date | None
    content_hash: str
    embedding: bytes | None
    embedding_model: str | None


@dataclass(frozen=True, slots=True)
class MissingFact:
    """A question that the host's knowledge does not answer (table ``missing_facts``)."""

    id: str
    listing_id: str | None
    topic: str | None
    question: str
    question_key: str
    asked: int
    first_asked_at: datetime
    last_asked_at: datetime
    state: str
    answered_at: datetime | None
    path: str | None


@dataclass(frozen=True, slots=True)
class MissingFactRequest:
    """Which request waits for which missing fact (table ``missing_fact_requests``)."""

    missing_fact_id: str
    request_id: str
