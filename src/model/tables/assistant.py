"""The tables of the built-in assistant: its runs, the host's knowledge, what is missing in it, its autonomy."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Column, Date, Index, LargeBinary, String, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from src.model.columns import UtcDateTime, partial_index
from src.model.values import DEFAULT_ACCOUNT, new_id, utc_now


class AssistantRun(SQLModel, table=True):
    """How the built-in assistant came to a decision. No guest's words, but for ``payload`` while it works."""

    __tablename__ = "assistant_runs"
    __table_args__ = (
        partial_index("uq_assistant_runs_live", "request_id", where="kind = 'live'", unique=True),
        Index("ix_assistant_runs_account", "account", "created_at"),
        Index("ix_assistant_runs_conversation", "conversation_id", "created_at"),
        partial_index("ix_assistant_runs_kept", "account", "created_at", where="payload IS NOT NULL"),
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
