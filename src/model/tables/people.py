"""The tables of what people say: conversations and their messages."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from src.model.columns import Generated, UtcDateTime, enum_of
from src.model.values import DEFAULT_ACCOUNT, Direction, new_id, utc_now


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
    user_id: str | None = None
    """Who writes, by the caller's own name (`/api/chat`), where the conversation has another one."""
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


class Message(SQLModel, table=True):
    """A message of a conversation as last seen, and what became of it."""

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("account", "external_id", name="uq_messages_external"),
        Index("ix_messages_conversation", "conversation_id", "sent_at"),
        Index("ix_messages_request", "request_id"),
        Index("ix_messages_outbox", "outbox_id"),
        Index("ix_messages_account", "account", "sent_at"),
        Index("ix_messages_created", "created_at"),
        Index("ix_messages_sequence", "conversation_id", "sequence"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    account: str = DEFAULT_ACCOUNT
    conversation_id: str = Field(foreign_key="conversations.id")
    external_id: str
    direction: Direction = Field(sa_column=Column(enum_of(Direction, "direction"), nullable=False))
    origin: str
    """guest, cotraveller, host, team, site, or assistant for a reply of this product."""
    role: str | None = None
    """user, assistant, host or system. Of a reply that a person wrote here: host."""
    agent: str | None = None
    """Which voice of the AI wrote it; of a person's message, which one answered it, as the AI says; else null."""
    sender_name: str | None = None
    kind: str
    detail: str
    text: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    sent_at: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime | None = Field(
        default=None, sa_column=Column(UtcDateTime, Generated("sent_at"), nullable=True)
    )
    """The same as ``sent_at``, made by the database, for queries of people who expect this name."""
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
    sequence: int | None = None
    """Its number among the messages of its conversation, in the order in which they were stored, from 1."""
