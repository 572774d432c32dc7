"""What a channel saw: plain values that carry a conversation from a site's wire into the core.

Nothing here names a site. ``external_id`` is always the site's own id, as text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

BellState = Literal["rings", "none"]


class AuthorRole(StrEnum):
    """Who wrote a message, as far as the site says it beyond doubt."""

    GUEST = "guest"
    """The person who booked or asks."""
    COTRAVELLER = "cotraveller"
    """Somebody who travels with the guest and is in the conversation."""
    HOST = "host"
    """The account whose inbox this is: the host in person, or this product."""
    TEAM = "team"
    """Another person on the host's side, or one whose side the site does not tell."""
    SITE = "site"
    """The site itself: a service, its support, an announcement."""


class MessageKind(StrEnum):
    """What a message is made of."""

    TEXT = "text"
    MEDIA = "media"
    CARD = "card"
    BULLETIN = "bulletin"
    UNSUPPORTED = "unsupported"
    REACTION = "reaction"
    """A mark on another message, or a note of the service: stored, and otherwise as if it were not there."""


GUEST_SIDE = frozenset({AuthorRole.GUEST, AuthorRole.COTRAVELLER})
HOST_SIDE = frozenset({AuthorRole.HOST, AuthorRole.TEAM})


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """One message as the site showed it. ``text`` is None unless ``kind`` is TEXT and it is not deleted."""

    external_id: str
    author_id: str | None
    author_name: str | None
    role: AuthorRole
    kind: MessageKind
    detail: str
    """The site's own name of the content type, for the eyes of a person."""
    text: str | None
    sent_at: datetime
    edited_at: datetime | None = None
    deleted: bool = False
    media: str | None = None
    """Of a voice message that is to be written down: what the channel fetches it by."""

    @property
    def is_voice(self) -> bool:
        """Somebody speaks: what is said is written down before the AI is asked."""
        return self.kind is MessageKind.MEDIA and self.media is not None

    @property
    def fingerprint(self) -> str:
        """Changes when another message, or another version of this one, is there. Never contains the text."""
        edited = int(self.edited_at.timestamp() * 1000) if self.edited_at else 0
        return f"{self.external_id}|{edited}|{'deleted' if self.deleted else 'there'}"


@dataclass(frozen=True, slots=True)
class SeenPerson:
    """A participant of a conversation."""

    external_id: str
    role: AuthorRole
    name: str | None


@dataclass(frozen=True, slots=True)
class SeenConversation:
    """A conversation as the site showed it, in the list (newest message only) or opened.

    ``messages`` are in the order of time, oldest first; deleted ones are included with ``deleted`` set.
    """

    external_id: str
    kind: str
    """The site's own name of the conversation's type."""
    is_stay: bool
    """The type is one in which guests talk to their host about a stay."""
    is_hosting: bool
    """The site files it under the account's hosting, not under its own trips or support."""
    viewer_id: str
    viewer_is_host: bool
    people: tuple[SeenPerson, ...]
    messages: tuple[SeenMessage, ...]
    last_activity_at: datetime
    title: str | None = None
    listing_id: str | None = None
    stay: dict[str, str] = field(default_factory=dict)
    """Facts of the stay that the inbox shows, by a stable English key; empty when it shows none."""
    unread: bool = False
    opened: bool = False
    """True when read from the opened conversation, False when only from the list."""
    has_older: bool = False
    """There are older messages than ``messages`` holds."""
    version: str | None = None
    """Changes with anything in the conversation, where the site can say so of all of it at once."""
    compared: bool = False
    """Own replies were only ever sent when everything that stood here had been read (``Capabilities.compares``)."""
    gapless: bool = True
    """False when the newest message was told alone, so that one before it may not have been told yet."""
    started_at: datetime | None = None
    """When the conversation began, where we might write the first message in it; None elsewhere."""
    made: dict[str, str] = field(default_factory=dict)
    """Messages that presses of ours made, by the key of the press, as the site itself told; maybe not shown yet."""

    @property
    def newest(self) -> SeenMessage | None:
        return self.messages[-1] if self.messages else None

    @property
    def fingerprint(self) -> str | None:
        """Changes when there may be something new to take in; None if nothing was ever written. Holds no text."""
        return self.version or (self.newest.fingerprint if self.newest else None)

    @property
    def guest_name(self) -> str | None:
        """The first guest's name, else the first co-traveller's, else the title."""
        for role in (AuthorRole.GUEST, AuthorRole.COTRAVELLER):
            for person in self.people:
                if person.role is role and person.name:
                    return person.name
        return self.title


@dataclass(frozen=True, slots=True)
class InboxGlance:
    """One look at the list of conversations, newest activity first."""

    viewer_id: str
    conversations: tuple[SeenConversation, ...]
    complete: bool
    """Every conversation younger than the asked limit is in it."""
    bell: BellState | None = None
    """Whether the remote announces what is new, or looks alone find it; None: there is no bell to speak of."""


def reaches_known(view: SeenConversation, known: set[str], oldest: datetime) -> bool:
    """Whether a conversation was read back far enough: to what is stored, to an answer, or to what is old."""
    if any(m.external_id in known for m in view.messages):
        return True
    if any(m.role in HOST_SIDE and m.kind is MessageKind.TEXT for m in view.messages):
        return True
    return bool(view.messages) and view.messages[0].sent_at < oldest
