"""Rows of what people say: conversations and their messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from src.model.values import Direction


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """A conversation (table ``conversations``). ``seen_at`` is None if only a callback has named it so far."""

    id: str
    account: str
    external_id: str
    user_id: str | None
    """Who writes, by the caller's own name (`/api/chat`), where the conversation has another one."""
    kind: str | None
    guest_name: str | None
    listing_id: str | None
    stay: dict[str, str]
    """JSON object: facts of the stay as far as the inbox shows them."""
    skip_reason: str | None
    """Why nothing here is answered (``model/gate.py``), or null."""
    newest_fingerprint: str | None
    """Which version of which newest message has been taken in; another one in the list means: open it."""
    host_wrote_at: datetime | None
    """When a person of the host's side last wrote; HUMAN_PAUSE_MIN counts from here."""
    seen_to_at: datetime | None
    """When a person said of what waited here that no answer is needed."""
    seen_to_until: datetime | None
    """What guests wrote up to then, by the site's clock, that person has seen; what came later waits again."""
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
    """guest, cotraveller, host, team, site, or assistant for a reply of this product."""
    role: str | None
    """user, assistant, host or system. Of a reply that a person wrote here: host."""
    agent: str | None
    """Which voice of the AI wrote it; of a person's message, which one answered it, as the AI says; else null."""
    sender_name: str | None
    kind: str
    detail: str
    text: str | None
    sent_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    request_id: str | None
    """The request that carried it to the AI."""
    outbox_id: str | None
    """The job that it came from, for an assistant's message."""
    skip_reason: str | None
    """Why it was not given to the AI (``model/gate.py``), or null."""
    purged_at: datetime | None
    """Text and name were taken out (``purge``, ``forget``); they are not stored again."""
    seen_at: datetime
    arrival: int
    """In which look at its conversation it was first seen, counted from 1; 0: from before this was counted."""
    sequence: int | None
    """Its number among the messages of its conversation, in the order in which they were stored, from 1."""
    media: str | None = None
    """Of a voice message: what its channel fetches it by; null for everything else."""
    transcribed_at: datetime | None = None
    """When ``text`` was written down from a voice message; null: somebody wrote it."""

    @property
    def written_at(self) -> datetime:
        """When its text came to be as it is."""
        return self.edited_at or self.sent_at


@dataclass(frozen=True, slots=True)
class StoredVisitor:
    """Somebody who writes on a site's page (table ``visitors``), for an hour after the last message."""

    conversation_id: str
    account: str
    address: str
    """Stands for the network address of the last message: a keyed hash, from which nobody can tell it."""
    seen_at: datetime
    """When the visitor wrote last."""
    typing_at: datetime | None
    """When the visitor was last seen writing, after that message."""
