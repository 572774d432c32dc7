"""Rows of the built-in assistant: its runs, the host's knowledge, what is missing in it, its autonomy."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class TopicRecord:
    """What became of the drafts about a topic in a listing (table ``assistant_autonomy``)."""

    account: str
    listing_id: str
    """The site's id."""
    topic: str
    stage: str
    """``inquiry``: the first answer to an inquiry or a request; ``stay``: everything else."""
    level: str
    """``draft`` or ``auto``."""
    reason: str | None
    """Who or what set the level; null: nobody yet, and the reply mode decides."""
    unchanged: int
    """Drafts that a person let go out as they were; ``edited``: with few changes; ``rewritten``; ``rejected``."""
    edited: int
    rewritten: int
    rejected: int
    in_a_row: int
    """Unchanged ones since the last that was not."""
    in_a_row_since: datetime | None
    conversations: int
    """In how many conversations they were."""
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class AssistantRun:
    """How the built-in assistant came to a decision (table ``assistant_runs``). Nothing of a guest's words."""

    id: str
    account: str
    request_id: str | None
    """The caller's id of the request; a request has one live run, however often it was tried."""
    conversation_id: str | None
    """The caller's id of the conversation."""
    kind: str
    """live, chat, try, replay, eval or translation."""
    state: str
    """working; put_off (no model answered, it is asked again); done."""
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
    """JSON: a list of ``{name, outcome, detail, model, ms, …}``, all tries one after the other."""
    sources: str
    """JSON: a list of ``{title, id}``."""
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    """US dollars, as far as the service says it."""
    payload: str | None
    """JSON: what was asked over HTTP, kept only until the answer is handed in: a restart can go on with it."""
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A file of the host's knowledge, as it was last read (table ``documents``). Days are local ones."""

    id: str
    path: str
    """Relative to the folder, with "/"."""
    title: str
    agent_owner: str
    """The agent whose facts these are, or `all`."""
    listing_id: str | None
    """The site's id; several with commas between; null: for all listings."""
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
    """float32, one after the other; null until it is made."""
    embedding_model: str | None


@dataclass(frozen=True, slots=True)
class MissingFact:
    """A question that the host's knowledge does not answer (table ``missing_facts``)."""

    id: str
    listing_id: str | None
    topic: str | None
    question: str
    """In the words of the model."""
    question_key: str
    """The listing and a hash of the question's words: the same again is the same row."""
    asked: int
    first_asked_at: datetime
    last_asked_at: datetime
    state: str
    """open, answered or dismissed."""
    answered_at: datetime | None
    path: str | None
    """The fact that it became: `learned.csv#topic`."""


@dataclass(frozen=True, slots=True)
class MissingFactRequest:
    """Which request waits for which missing fact (table ``missing_fact_requests``)."""

    missing_fact_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class StoredTranslation:
    """A text in the host's language, for the host alone (table ``translations``)."""

    key: str
    """A hash of the text and the language: the same text is translated once."""
    text: str
    subject: str
    """Our id of the conversation, or of the missing fact, that the text is from: it is forgotten with it."""
    said_at: datetime
    """When the text was written: it is purged as if it were the text itself."""
