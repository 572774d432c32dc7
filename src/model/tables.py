"""The tables. SQL inspection is a feature: names and statuses here are public (README, "Look into the queues").

Every row carries ``account``. ``id`` is ours, ``external_id`` the site's; ``*_at`` is UTC.
Statuses are stored as their value (SQLModel's own default would store the Enum's name).
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Column, Date, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from src.model.columns import UtcDateTime, enum_of
from src.model.statuses import FINAL_INBOX, FINAL_OUTBOX, InboxStatus, OutboxStatus
from src.model.values import (
    ANSWER,
    DEFAULT_ACCOUNT,
    OPEN_INBOX_SQL,
    Direction,
    LinkState,
    ReplyMode,
    new_id,
    one_of,
    utc_now,
)

# These moved to a module that loads faster; whoever works with the tables has them at hand here, too.
__all__ = [
    "DEFAULT_ACCOUNT",
    "OPEN_INBOX_SQL",
    "Account",
    "AssistantRun",
    "Conversation",
    "Direction",
    "Document",
    "DocumentChunk",
    "InboxRequest",
    "Incident",
    "LinkState",
    "Message",
    "Meta",
    "MissingFact",
    "MissingFactRequest",
    "ModeRule",
    "OutboxJob",
    "ReplyMode",
    "WorkerState",
    "new_id",
    "utc_now",
]


def _partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows alone for which the condition holds, on either database."""
    return Index(name, *columns, unique=unique, sqlite_where=sql(where), postgresql_where=sql(where))


class Meta(SQLModel, table=True):
    """Facts of this database: its id and the secret that callback tokens are derived from."""

    __tablename__ = "meta"

    key: str = Field(primary_key=True)
    value: str


class Account(SQLModel, table=True):
    """One inbox: whether we may touch it, why not, and how far it has been read."""

    __tablename__ = "accounts"

    account: str = Field(default=DEFAULT_ACCOUNT, primary_key=True)
    channel: str | None = None
    """Where its conversations are (a folder of ``src/channels``); null until it first works."""
    external_id: str | None = None
    """The site's id of the person whose inbox it is; another one there later is a halt."""
    link_state: LinkState = Field(
        default=LinkState.OK,
        sa_column=Column(enum_of(LinkState, "link_state"), nullable=False, server_default="ok"),
    )
    halt_kind: str | None = None
    halt_detail: str | None = None
    halt_exit_code: int | None = None
    halt_evidence: str | None = None
    halted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    halt_cleared_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the last halt ended; replies that waited during it were judged again from here on."""
    paused_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Set by a person: reading goes on, nothing is sent."""
    disclosed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When a person confirmed that people are told there that an AI answers."""
    swept_through: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Everything in the list with activity before this time has been taken in."""
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class WorkerState(SQLModel, table=True):
    """The last sign of life of each worker, for `status`, `/health` and the dashboard."""

    __tablename__ = "workers"

    account: str = Field(default=DEFAULT_ACCOUNT, primary_key=True)
    worker: str = Field(primary_key=True)
    process_id: int
    hostname: str
    started_at: datetime = Field(sa_type=UtcDateTime)
    beat_at: datetime = Field(sa_type=UtcDateTime)
    """The last sign of life, also between two cycles."""
    last_cycle_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_duration_ms: int | None = None
    last_outcome: str | None = None
    last_good_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """The end of the last cycle that did what it was for."""
    rows_seen: int | None = None
    """How many conversations the last good look at the list found; null for other workers."""
    cycles: int = 0
    failures_in_a_row: int = 0
    stopped_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ModeRule(SQLModel, table=True):
    """A reply mode set by a person for the account, a listing or a conversation; the narrowest one wins."""

    __tablename__ = "reply_modes"

    account: str = Field(default=DEFAULT_ACCOUNT, primary_key=True)
    scope: str = Field(primary_key=True)
    scope_id: str = Field(primary_key=True)
    mode: ReplyMode = Field(sa_column=Column(enum_of(ReplyMode, "reply_mode"), nullable=False))
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class Incident(SQLModel, table=True):
    """Something that a person should know, from when it was noticed until it is over; alerts are made from it."""

    __tablename__ = "incidents"
    __table_args__ = (
        _partial_index(
            "uq_incidents_open", "account", "kind", "subject", where="closed_at IS NULL", unique=True
        ),
        _partial_index("ix_incidents_to_tell", "account", "tell_at", where="tell_at IS NOT NULL"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    account: str = DEFAULT_ACCOUNT
    kind: str
    """``IncidentKind`` (``model/incidents.py``)."""
    subject: str = ""
    """Which one, where there may be several of a kind: our id of a reply or a message; else ''."""
    detail: str = ""
    """A stable word that says more (the kind of a halt, the reason of a draft); nothing of a guest."""
    opened_at: datetime = Field(sa_type=UtcDateTime)
    last_seen_at: datetime = Field(sa_type=UtcDateTime)
    """When it was last found to be so."""
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    tell_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When somebody is told (again); null: never again."""
    told: int = 0
    """How often an alert about it has gone out."""
    failures: int = 0
    """Alerts in a row that nobody took."""


class Conversation(SQLModel, table=True):
    """A conversation of the inbox, or one that a callback named before it was ever seen (``seen_at`` is null)."""

    __tablename__ = "conversations"
    __table_args__ = (
        UniqueConstraint("account", "external_id", name="uq_conversations_external"),
        Index("ix_conversations_activity", "account", "last_activity_at", "id"),
        Index("ix_conversations_listing", "account", "listing_id"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    account: str = DEFAULT_ACCOUNT
    external_id: str
    kind: str | None = None
    guest_name: str | None = None
    listing_id: str | None = None
    stay: str = Field(default="{}", sa_column=Column(Text, nullable=False, server_default="{}"))
    """JSON object: facts of the stay as far as the inbox shows them."""
    skip_reason: str | None = None
    """Why nothing here is answered (``model/gate.py``), or null."""
    newest_fingerprint: str | None = None
    """Which version of which newest message has been taken in; another one in the list means: open it."""
    host_wrote_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When a person of the host's side last wrote; HUMAN_PAUSE_MIN counts from here."""
    seen_to_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When a person said of what waited here that no answer is needed."""
    seen_to_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """What guests wrote up to then, by the site's clock, that person has seen; what came later waits again."""
    last_activity_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    seen_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class InboxRequest(SQLModel, table=True):
    """One request to the AI: a guest's message, or burst of messages, on its way. ``id`` is the request id."""

    __tablename__ = "queue_inbox"
    __table_args__ = (
        CheckConstraint(
            f"({one_of('status', FINAL_INBOX)}) = (processed_at IS NOT NULL)", name="inbox_final"
        ),
        _partial_index("uq_queue_inbox_open", "conversation_id", where=OPEN_INBOX_SQL, unique=True),
        Index("ix_queue_inbox_due", "account", "status", "due_at"),
        Index("ix_queue_inbox_status", "account", "status", "processed_at"),
        Index("ix_queue_inbox_conversation", "conversation_id", "created_at"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    account: str = DEFAULT_ACCOUNT
    conversation_id: str = Field(foreign_key="conversations.id")
    status: InboxStatus = Field(
        default=InboxStatus.PENDING,
        sa_column=Column(enum_of(InboxStatus, "inbox_status"), nullable=False, server_default="pending"),
    )
    reason: str | None = None
    hard_class: str | None = None
    """What it is about, where the AI handed it over because of that (refund, safety, …)."""
    newest_external_id: str
    """The newest guest message in it: the one that the reply answers."""
    due_at: datetime = Field(sa_type=UtcDateTime)
    """Not posted before: end of the burst, of the host's pause, or of the back-off."""
    burst_until: datetime = Field(sa_type=UtcDateTime)
    """A message later than this does not move ``due_at`` any more (GROUPING_MAX_SEC)."""
    reply_by: datetime = Field(sa_type=UtcDateTime)
    """After this an answer is of no use."""
    attempts: int = 0
    last_error: str | None = None
    claimed_by: str | None = None
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    accepted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    processed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class OutboxJob(SQLModel, table=True):
    """One reply on its way to the guest. At most one arm, hence at most one press of Send, in a job's life."""

    __tablename__ = "queue_outbox"
    __table_args__ = (
        CheckConstraint(
            f"({one_of('status', FINAL_OUTBOX)}) = (processed_at IS NOT NULL)", name="outbox_final"
        ),
        CheckConstraint("arm_count IN (0, 1)", name="outbox_armed_at_most_once"),
        CheckConstraint("(arm_count = 1) = (armed_at IS NOT NULL)", name="outbox_arm"),
        # Once Send may have been pressed, no status from which it could be pressed (again) is reachable.
        CheckConstraint(
            "arm_count = 0 OR status IN ('processing', 'sent', 'unconfirmed')", name="outbox_armed_stays_put"
        ),
        CheckConstraint("arm_count = 1 OR status <> 'unconfirmed'", name="outbox_unconfirmed_was_armed"),
        UniqueConstraint("account", "idempotency_key", name="uq_queue_outbox_idempotency"),
        _partial_index(
            "uq_queue_outbox_one_at_a_time", "conversation_id", where="status = 'processing'", unique=True
        ),
        _partial_index("ix_queue_outbox_pending", "account", "created_at", "id", where="status = 'pending'"),
        _partial_index("ix_queue_outbox_due", "account", "due_at", where="status = 'pending'"),
        _partial_index(
            "ix_queue_outbox_line", "conversation_id", "created_at", "id", where="status = 'pending'"
        ),
        Index("ix_queue_outbox_status", "account", "status", "processed_at"),
        Index("ix_queue_outbox_account", "account", "created_at"),
        Index("ix_queue_outbox_conversation", "conversation_id", "created_at"),
        Index("ix_queue_outbox_request", "request_id"),
        Index("ix_queue_outbox_replaces", "replaces_id"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    account: str = DEFAULT_ACCOUNT
    conversation_id: str = Field(foreign_key="conversations.id")
    request_id: str | None = Field(default=None, foreign_key="queue_inbox.id")
    status: OutboxStatus = Field(
        default=OutboxStatus.PENDING,
        sa_column=Column(enum_of(OutboxStatus, "outbox_status"), nullable=False, server_default="pending"),
    )
    reason: str | None = None
    text: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(default=ANSWER, sa_column=Column(String, nullable=False, server_default=ANSWER))
    """``answer``; or ``holding``: says only that the message has arrived, while a person is asked."""
    agent: str | None = None
    """Which voice of the AI wrote it, as the AI says."""
    topic: str | None = None
    confidence: float | None = None
    """0 to 1, as the AI says."""
    sources: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    """JSON: a list of ``{title, id}``, what the AI's answer rests on."""
    drafted_text: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    """What the AI wrote, where a person has changed it before the approval; else null."""
    idempotency_key: str
    replaces_id: str | None = Field(default=None, foreign_key="queue_outbox.id")
    """The job that a person asked to send again."""
    due_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    attempts: int = 0
    last_error: str | None = None
    claimed_by: str | None = None
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    arm_count: int = 0
    armed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    after_external_id: str | None = None
    """The newest message when Send was armed: our message is looked for only after it."""
    receipt_external_id: str | None = None
    """The message that our reply became on the site."""
    receipt_text: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    """The text as the site shows it, when it differs from ``text``."""
    delivery: str | None = None
    """What became of it at the remote, where the remote says it (``Delivery`` in ``model/sending.py``)."""
    delivery_error: str | None = None
    """Why it could not be delivered, by the remote's own code."""
    purged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """The text was taken out (``purge``, ``forget``) and is empty since."""
    approved_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """A person wants it sent (approved, retried, sent again): the caps on automatic replies do not hold for it."""
    judged: str | None = None
    """What a person made of the AI's draft: unchanged, edited, rewritten or rejected (``model/autonomy.py``)."""
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    processed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Message(SQLModel, table=True):
    """A message of a conversation as last seen, and what became of it."""

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("account", "external_id", name="uq_messages_external"),
        Index("ix_messages_conversation", "conversation_id", "sent_at"),
        Index("ix_messages_request", "request_id"),
        Index("ix_messages_outbox", "outbox_id"),
        Index("ix_messages_account", "account", "sent_at"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    account: str = DEFAULT_ACCOUNT
    conversation_id: str = Field(foreign_key="conversations.id")
    external_id: str
    direction: Direction = Field(sa_column=Column(enum_of(Direction, "direction"), nullable=False))
    origin: str
    """guest, cotraveller, host, team, site, or assistant for a reply of this product."""
    sender_name: str | None = None
    kind: str
    detail: str
    text: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    sent_at: datetime = Field(sa_type=UtcDateTime)
    edited_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    request_id: str | None = Field(default=None, foreign_key="queue_inbox.id")
    """The request that carried it to the AI."""
    outbox_id: str | None = Field(default=None, foreign_key="queue_outbox.id")
    """The job that it came from, for an assistant's message."""
    skip_reason: str | None = None
    """Why it was not given to the AI (``model/gate.py``), or null."""
    purged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Text and name were taken out (``purge``, ``forget``); they are not stored again."""
    seen_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    arrival: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """In which look at its conversation it was first seen, counted from 1; 0: from before this was counted."""


class AssistantRun(SQLModel, table=True):
    """How the built-in assistant came to a decision. No guest's words, but for ``payload`` while it works."""

    __tablename__ = "assistant_runs"
    __table_args__ = (
        _partial_index("uq_assistant_runs_live", "request_id", where="kind = 'live'", unique=True),
        Index("ix_assistant_runs_account", "account", "created_at"),
        Index("ix_assistant_runs_conversation", "conversation_id", "created_at"),
        _partial_index("ix_assistant_runs_kept", "account", "created_at", where="payload IS NOT NULL"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    account: str = DEFAULT_ACCOUNT
    request_id: str | None = None
    """The caller's id of the request; a request has one live run, however often it was tried."""
    conversation_id: str | None = None
    """The caller's id of the conversation."""
    kind: str = "live"
    """live, chat, try, replay or eval."""
    state: str = "working"
    """working; put_off (no model answered, it is asked again); done."""
    action: str | None = None
    hard_class: str | None = Field(default=None, sa_column=Column("class", String, nullable=True))
    reason: str | None = None
    hold: str | None = None
    agent: str | None = None
    topic: str | None = None
    language: str | None = None
    confidence: float | None = None
    prompt_version: str | None = None
    steps: str = Field(default="[]", sa_column=Column(Text, nullable=False, server_default="[]"))
    """JSON: a list of ``{name, outcome, detail, model, ms, …}``, all tries one after the other."""
    sources: str = Field(default="[]", sa_column=Column(Text, nullable=False, server_default="[]"))
    """JSON: a list of ``{title, id}``."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    """US dollars, as far as the service says it."""
    payload: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    """JSON: what was asked over HTTP, kept only until the answer is handed in: a restart can go on with it."""
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Document(SQLModel, table=True):
    """A file of the host's knowledge, as it was last read. The folder is the truth; this is its copy."""

    __tablename__ = "documents"
    __table_args__ = (UniqueConstraint("path", name="uq_documents_path"),)

    id: str = Field(default_factory=new_id, primary_key=True)
    path: str
    """Relative to the folder, with "/"."""
    title: str
    agent_owner: str
    """The agent whose facts these are, or `all`."""
    listing_id: str | None = None
    """The site's id; several with commas between; null: for all listings."""
    audience: str
    language: str | None = None
    valid_from: date | None = Field(default=None, sa_type=Date)
    valid_until: date | None = Field(default=None, sa_type=Date)
    reviewed_on: date | None = Field(default=None, sa_type=Date)
    content_hash: str
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class DocumentChunk(SQLModel, table=True):
    """One fact: a heading of a Markdown file or a row of a CSV file. Secrets are placeholders in it."""

    __tablename__ = "document_chunks"
    __table_args__ = (
        Index("ix_document_chunks_document", "document_id", "position"),
        Index("ix_document_chunks_hash", "content_hash"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    document_id: str = Field(foreign_key="documents.id")
    position: int
    topic: str
    content: str = Field(sa_column=Column(Text, nullable=False))
    agent_owner: str
    listing_id: str | None = None
    audience: str
    language: str | None = None
    valid_from: date | None = Field(default=None, sa_type=Date)
    valid_until: date | None = Field(default=None, sa_type=Date)
    content_hash: str
    embedding: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    """float32, one after the other; null until it is made."""
    embedding_model: str | None = None


class MissingFact(SQLModel, table=True):
    """A question that the host's knowledge does not answer, asked once of the host, however many guests ask it."""

    __tablename__ = "missing_facts"
    __table_args__ = (
        UniqueConstraint("question_key", name="uq_missing_facts_question"),
        Index("ix_missing_facts_state", "state", "last_asked_at"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    listing_id: str | None = None
    topic: str | None = None
    question: str = Field(sa_column=Column(Text, nullable=False))
    """In the words of the model."""
    question_key: str
    """The listing and a hash of the question's words: the same again is the same row."""
    asked: int = 1
    first_asked_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    last_asked_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    state: str = "open"
    """open, answered or dismissed."""
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    path: str | None = None
    """The fact that it became: `learned.csv#topic`."""


class MissingFactRequest(SQLModel, table=True):
    """Which request waits for which missing fact."""

    __tablename__ = "missing_fact_requests"

    missing_fact_id: str = Field(foreign_key="missing_facts.id", primary_key=True)
    request_id: str = Field(primary_key=True, index=True)


class TopicRow(SQLModel, table=True):
    """What became of the drafts about a topic in a listing, and whether it may go out by itself. No words."""

    __tablename__ = "assistant_autonomy"

    account: str = Field(default=DEFAULT_ACCOUNT, primary_key=True)
    listing_id: str = Field(primary_key=True)
    """The site's id."""
    topic: str = Field(primary_key=True)
    stage: str = Field(primary_key=True)
    """``inquiry``: the first answer to an inquiry or a request; ``stay``: everything else."""
    level: str = Field(default="draft", sa_column_kwargs={"server_default": "draft"})
    """``draft`` or ``auto``."""
    reason: str | None = None
    """Who or what set the level; null: nobody yet, and the reply mode decides."""
    unchanged: int = 0
    """Drafts that a person let go out as they were; ``edited``: with few changes; ``rewritten``; ``rejected``."""
    edited: int = 0
    rewritten: int = 0
    rejected: int = 0
    in_a_row: int = 0
    """Unchanged ones since the last that was not."""
    in_a_row_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    conversations: int = 0
    """In how many conversations they were."""
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
