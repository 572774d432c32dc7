"""What the simulated site knows: people, threads, messages."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sandbox.airbnb import ids

Role = Literal["GUEST", "HOST", "COTRAVELER", "COHOST", "AGENT", "AMBASSADOR"]

# participantRole -> (productRole, userRoleForLogging). The first three are as captured; what a co-host, an
# agent or an ambassador is called in the JSON was never seen, so those are guesses (field guide, section 9).
ROLE_FACTS: dict[str, tuple[str, int]] = {
    "GUEST": ("BOOKER", 3),
    "HOST": ("PRIMARY_HOST", 1),
    "COTRAVELER": ("COTRAVELER", 12),
    "COHOST": ("COHOST", 2),
    "AGENT": ("AGENT", 20),
    "AMBASSADOR": ("AMBASSADOR", 21),
}


@dataclass(frozen=True)
class Person:
    """An account that can write: a user, or one of Airbnb's own services."""

    name: str
    account_id: int
    account_type: str = "USER"


@dataclass(frozen=True)
class Participant:
    """A person in a thread, with the part that they play there."""

    person: Person
    role: Role


@dataclass
class Reaction:
    """An emoji that somebody put on a message."""

    by: Person
    emoji: str
    at_ms: int


@dataclass(eq=False)
class Message:
    """One entry of a thread. ``content_type`` and ``sub_type`` are Airbnb's (field guide, section 2.6)."""

    thread: Thread
    number: int
    author: Person
    text: str
    created_at_ms: int
    content_type: str = "TEXT_CONTENT"
    sub_type: str | None = None
    translated: str | None = None
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    updated_at_ms: int = 0
    edited_at_ms: int | None = None
    deleted_at_ms: int | None = None
    reactions: list[Reaction] = field(default_factory=list)
    sent_in: int | None = None
    """The ``seq`` of the log entry of the request that made this message; None when no request did."""

    def __post_init__(self) -> None:
        self.updated_at_ms = self.updated_at_ms or self.created_at_ms

    @property
    def id(self) -> str:
        """base64 ``Message:<number>``."""
        return ids.global_id("Message", self.number)

    @property
    def deleted(self) -> bool:
        """Whether its author unsent it."""
        return self.deleted_at_ms is not None


@dataclass
class Stay:
    """What the reservation panel shows, and what ends up in the inbox row."""

    listing_id: str | None
    listing_name: str
    city: str
    check_in: datetime
    check_out: datetime
    guests: int
    code: str | None
    status: str


@dataclass(eq=False)
class Thread:
    """A conversation, as the site keeps it."""

    number: int
    kind: str
    viewer: Person
    participants: list[Participant]
    stay: Stay
    created_at_ms: int
    trip_stage: str | None = "UPCOMING_RESERVATIONS"
    hosting: bool = True
    unread: bool = False
    starred: bool = False
    priority: bool = False
    title: str | None = None
    chips: tuple[str, ...] = ()
    messages: list[Message] = field(default_factory=list)
    activity_ms: int = 0
    updated_at_ms: int = 0
    sync_cursor: str = ""

    def __post_init__(self) -> None:
        self.touch(self.created_at_ms)

    @property
    def id(self) -> str:
        """base64 ``MessageThread:<number>``."""
        return ids.global_id("MessageThread", self.number)

    def with_role(self, *roles: Role) -> list[Person]:
        """The people who have one of these roles here, in order."""
        return [entry.person for entry in self.participants if entry.role in roles]

    @property
    def guest(self) -> Person:
        """Who booked. Raises LookupError in a thread without a guest."""
        found = self.with_role("GUEST")
        if not found:
            raise LookupError(f"thread {self.number} has no guest")
        return found[0]

    @property
    def others(self) -> list[Person]:
        """Everybody but the viewer."""
        return [entry.person for entry in self.participants if entry.person != self.viewer]

    def bump(self, at_ms: int) -> None:
        """Note that something was added at this time."""
        known = self.activity_ms if len(self.messages) > 1 else 0
        self._stamp(at_ms, max(known, at_ms))

    def touch(self, at_ms: int) -> None:
        """Note any other change: the row's activity time does not count what was deleted (as captured)."""
        times = [message.created_at_ms for message in self.messages if not message.deleted]
        times += [reaction.at_ms for message in self.messages for reaction in message.reactions]
        self._stamp(at_ms, max(times, default=self.created_at_ms))

    def _stamp(self, at_ms: int, activity_ms: int) -> None:
        self.activity_ms = activity_ms
        self.updated_at_ms = max(at_ms, self.activity_ms, self.updated_at_ms)
        self.sync_cursor = str(1_600_000_000_000_000_000 + self.updated_at_ms * 1000)
