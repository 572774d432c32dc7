"""A made-up site that is only memory: conversations, messages, and its own log of what was pressed and taken.

It is the judge in the tests of the services: what the product believes is compared with what is written here.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from src.model.inbox import AuthorRole, MessageKind, SeenConversation, SeenMessage, SeenPerson

VIEWER = "host-1"
PEOPLE = {
    AuthorRole.GUEST: SeenPerson("guest-1", AuthorRole.GUEST, "Gerda Guest"),
    AuthorRole.COTRAVELLER: SeenPerson("guest-2", AuthorRole.COTRAVELLER, "Theo Traveller"),
    AuthorRole.HOST: SeenPerson(VIEWER, AuthorRole.HOST, "Henk Host"),
    AuthorRole.TEAM: SeenPerson("host-2", AuthorRole.TEAM, "Cora Cohost"),
    AuthorRole.SITE: SeenPerson("site-1", AuthorRole.SITE, "The site"),
}


@dataclass(eq=False)
class FakeMessage:
    """A message as the site keeps it. ``hidden_for``: it is accepted, but the next so many looks do not show it."""

    external_id: str
    role: AuthorRole
    text: str | None
    sent_at: datetime
    kind: MessageKind = MessageKind.TEXT
    detail: str = "TEXT_CONTENT"
    edited_at: datetime | None = None
    deleted: bool = False
    hidden_for: int = 0
    pressed: bool = False
    """It came from a press of Send on the page, not from a phone."""
    answered: bool = False
    """The page was told that this message came of its press, and its process lived on."""

    def as_seen(self, *, preview: bool = False) -> SeenMessage:
        person = PEOPLE[self.role]
        text = self.kind is MessageKind.TEXT and not self.deleted and not preview
        return SeenMessage(
            external_id=self.external_id,
            author_id=person.external_id,
            author_name=person.name,
            role=self.role,
            kind=MessageKind.UNSUPPORTED if preview else self.kind,
            detail="PREVIEW" if preview else self.detail,
            text=self.text if text else None,
            sent_at=self.sent_at,
            edited_at=self.edited_at,
            deleted=self.deleted,
        )


@dataclass(eq=False)
class FakeConversation:
    """A conversation as the site keeps it, and what its composer is like."""

    external_id: str
    created_at: datetime
    kind: str = "STAY"
    is_stay: bool = True
    is_hosting: bool = True
    viewer_is_host: bool = True
    listing_id: str | None = "listing-1"
    stay: dict[str, str] = field(default_factory=dict)
    messages: list[FakeMessage] = field(default_factory=list)
    draft: str = ""
    """What a person has begun to write: it is in the composer when the conversation is opened."""
    has_composer: bool = True
    takes_text: bool = True
    """False: the composer swallows what is typed."""

    @property
    def last_activity_at(self) -> datetime:
        return max((m.sent_at for m in self.messages if not m.deleted), default=self.created_at)

    @property
    def texts(self) -> list[str]:
        """Every text that stands there, in order."""
        return [m.text or "" for m in self.messages if m.kind is MessageKind.TEXT and not m.deleted]


@dataclass(frozen=True)
class Press:
    """One press of Send: where, what the composer held, and what the page had last shown."""

    conversation: FakeConversation
    text: str
    shown: SeenConversation | None
    message: FakeMessage | None
    """What it became; None if the site did not take it."""


@dataclass(frozen=True)
class Acceptance:
    """What the site does with the next press."""

    taken: bool = True
    hidden_for: int = 0
    change: Callable[[str], str] = str
    named: bool = False
    """The channel hears which message the press made."""


class FakeSite:
    """One host's inbox. Whatever time it is comes from ``clock``."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)
        self.viewer_id = VIEWER
        self.conversations: dict[str, FakeConversation] = {}
        self.presses: list[Press] = []
        self.acceptance: Any = Acceptance()
        """For every press from now on."""
        self.stretch = 50
        """So many messages are told when a conversation is opened, and so many more each time further back."""
        self.list_previews_only = False
        """The list names the newest message without saying what it is."""
        self.list_complete = True
        self.version = 0
        """Grows with every change."""
        self.ways: tuple[Any, ...] = ()
        """What may become of a press in a story, the plain way first; none: as on a page."""
        self.happenings: tuple[str, ...] = ()
        """What people may do in a story; none: whatever they can do on a page."""
        self.share_of_sends = 0.85
        """In a story so many of the steps are SEND's."""
        self.share_of_people = 0.25
        """In so many steps of a story somebody writes in the middle of it."""
        self.counts: Counter[str] = Counter()
        """What a report may tell of the remote."""
        self.dice: random.Random | None = None
        """Of the story that is played; None while its beginning is made."""

    # --- what people do --------------------------------------------------------------------------------------

    def conversation(self, *texts: str, **facts: object) -> FakeConversation:
        """A new conversation in which the guest has written these texts."""
        external_id = str(facts.pop("external_id", f"thread-{next(self._numbers)}"))
        made = FakeConversation(external_id, self._clock(), **facts)  # type: ignore[arg-type]
        self.conversations[external_id] = made
        for text in texts:
            self.guest_writes(made, text)
        return made

    def guest_writes(self, where: FakeConversation, text: str, at: datetime | None = None) -> FakeMessage:
        return self.add(where, AuthorRole.GUEST, text, at=at)

    def cotraveller_writes(self, where: FakeConversation, text: str) -> FakeMessage:
        return self.add(where, AuthorRole.COTRAVELLER, text)

    def host_writes(self, where: FakeConversation, text: str, at: datetime | None = None) -> FakeMessage:
        """From the phone: no press of ours."""
        return self.add(where, AuthorRole.HOST, text, at=at)

    def cohost_writes(self, where: FakeConversation, text: str) -> FakeMessage:
        return self.add(where, AuthorRole.TEAM, text)

    def card(self, where: FakeConversation, role: AuthorRole = AuthorRole.GUEST) -> FakeMessage:
        return self.add(where, role, None, kind=MessageKind.CARD, detail="TEMPLATE_CONTENT")

    def photo(self, where: FakeConversation, role: AuthorRole = AuthorRole.GUEST) -> FakeMessage:
        return self.add(where, role, None, kind=MessageKind.MEDIA, detail="MEDIA_CONTENT")

    def bulletin(self, where: FakeConversation) -> FakeMessage:
        return self.add(
            where, AuthorRole.SITE, None, kind=MessageKind.BULLETIN, detail="STATIC_BULLETIN_CONTENT"
        )

    def add(
        self,
        where: FakeConversation,
        role: AuthorRole,
        text: str | None,
        *,
        at: datetime | None = None,
        kind: MessageKind = MessageKind.TEXT,
        detail: str = "TEXT_CONTENT",
    ) -> FakeMessage:
        """Any message. Without ``at`` it comes after all that is there; with it, in its place in time."""
        last = max((m.sent_at for m in where.messages), default=None)
        sent_at = at or self._clock()
        if at is None and last is not None:
            sent_at = max(sent_at, last + timedelta(milliseconds=1))
        message = FakeMessage(f"message-{next(self._numbers):04}", role, text, sent_at, kind, detail)
        where.messages.append(message)
        where.messages.sort(key=lambda m: (m.sent_at, m.external_id))
        self.version += 1
        return message

    def edit(self, message: FakeMessage, text: str) -> None:
        message.text = text
        message.edited_at = max(
            self._clock(), (message.edited_at or message.sent_at) + timedelta(milliseconds=1)
        )
        self.version += 1

    def unsend(self, message: FakeMessage) -> None:
        message.deleted = True
        self.version += 1

    def show_what_is_late(self) -> None:
        """The trouble is over. What is late is shown: at once if nobody will look here any more."""
        for where in self.conversations.values():
            for message in where.messages:
                message.hidden_for = min(message.hidden_for, int(message is where.messages[-1]))

    def complaints(self) -> list[str]:
        """What else is wrong once everything is over, where a remote of this kind promises more."""
        return []

    # --- what a page does ------------------------------------------------------------------------------------

    def press(
        self,
        where: FakeConversation,
        text: str,
        shown: SeenConversation | None,
        *,
        external_id: str | None = None,
    ) -> FakeMessage | None:
        """Send was pressed with this text in the composer. ``external_id``: who presses chooses the message's id."""
        message = None
        if self.acceptance.taken:
            message = self.add(where, AuthorRole.HOST, self.acceptance.change(text))
            message.pressed, message.hidden_for = True, self.acceptance.hidden_for
            message.external_id = external_id or message.external_id
        self.presses.append(Press(where, text, shown, message))
        return message

    def look(
        self, where: FakeConversation, *, opened: bool = True, oldest: FakeMessage | None = None
    ) -> SeenConversation:
        """The conversation as it is shown now: opened (back to ``oldest``), or in the list with its newest message."""
        there: list[FakeMessage] = []
        for message in where.messages:
            if message.hidden_for > 0:
                message.hidden_for -= 1
            else:
                there.append(message)
        if opened:
            start = there.index(oldest) if oldest in there else max(0, len(there) - self.stretch)
            shown = [m.as_seen() for m in there[start:]]
        else:
            start = max(0, len(there) - 1)
            shown = [m.as_seen(preview=self.list_previews_only) for m in there[start:]]
        return SeenConversation(
            external_id=where.external_id,
            kind=where.kind,
            is_stay=where.is_stay,
            is_hosting=where.is_hosting,
            viewer_id=self.viewer_id,
            viewer_is_host=where.viewer_is_host,
            people=tuple(PEOPLE.values()),
            messages=tuple(shown),
            last_activity_at=where.last_activity_at,
            listing_id=where.listing_id,
            stay=where.stay,
            opened=opened,
            has_older=opened and start > 0,
        )
