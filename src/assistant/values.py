"""What the steps of the assistant hand to each other. Values only: no rules, nothing that reads or writes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Literal


class Stage(StrEnum):
    """Where the guest's stay stands. What is unknown counts as `INQUIRY`: the stage that is told least."""

    INQUIRY = "inquiry"
    REQUEST = "request"
    BOOKED = "booked"
    STAYING = "staying"
    PAST = "past"
    CANCELLED = "cancelled"


class Audience(StrEnum):
    """Who may be told a fact. `BOOKED` needs the stage `BOOKED` or `STAYING`, `STAYING` only `STAYING`."""

    ANYONE = "anyone"
    BOOKED = "booked"
    STAYING = "staying"


class HardClass(StrEnum):
    """Subjects that a person answers. The values are part of the public contract (`class` of an escalation)."""

    SAFETY = "safety"
    MEDICAL = "medical"
    ACCESS = "access"
    REFUND = "refund"
    PAYMENT = "payment"
    LEGAL = "legal"
    DISCRIMINATION = "discrimination"
    COMPLAINT = "complaint"
    DAMAGE = "damage"
    PRICE = "price"
    BOOKING = "booking"
    GUESTS = "guests"
    OFFPLATFORM = "offplatform"
    PERSON = "person"
    MISSING_FACT = "missing_fact"


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier message of the conversation, oldest first in a history."""

    role: Literal["guest", "host", "assistant"]
    text: str
    sent_at: datetime | None = None  # UTC


@dataclass(frozen=True, slots=True)
class Stay:
    """What the inbox tells of the guest's stay. Dates are days in the listing's own time zone."""

    stage: Stage = Stage.INQUIRY
    check_in: date | None = None
    check_out: date | None = None
    guests: int | None = None
    confirmation_code: str | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """One piece of the host's knowledge: a heading of a Markdown file or a row of a CSV file."""

    id: str  # "path#topic", unique in the folder: "listings/4711-attic/attic.md#kettle"
    path: str  # of the file, relative to the knowledge folder, with "/"
    title: str
    topic: str  # lower case, other characters than letters and digits are "-"
    text: str  # placeholders such as {{door_code}} are left as they are
    audience: Audience = Audience.ANYONE
    agent: str = "all"  # the agent that owns it, or "all"
    listing_id: str | None = None  # None: for all listings
    language: str | None = None  # ISO 639-1
    valid_from: date | None = None  # inclusive, local days
    valid_until: date | None = None
    reviewed: date | None = None


class Action(StrEnum):
    """What the assistant wants: the values are those of the callback, ``answer`` is a message there."""

    ANSWER = "answer"
    ESCALATE = "escalate"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Source:
    """A fact that an answer rests on. ``id`` is ``path#topic``."""

    title: str
    id: str


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did, for a person who asks why. It holds nothing of a guest."""

    name: str
    outcome: str
    detail: str = ""
    model: str | None = None
    ms: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost: float | None = None  # US dollars, where the service says it

    def ended(self, outcome: str, detail: str = "") -> Step:
        """The same step with another end."""
        return replace(self, outcome=outcome, detail=detail)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the assistant wants of one request. ``message`` is there only for an answer."""

    action: Action
    message: str | None = None
    holding_message: str | None = (
        None  # for the guest, with an escalation or a hold: the host's own fixed text
    )
    draft: str | None = None  # for the host's eyes alone
    hold: str | None = None  # a reason: the answer waits for a person, whatever the mode
    hard_class: HardClass | None = None
    reason: str | None = None
    agent: str | None = None
    topic: str | None = None
    language: str | None = None  # ISO 639-1, of the guest
    confidence: float = 0.0
    sources: tuple[Source, ...] = ()
    missing: tuple[str, ...] = ()  # questions that the knowledge does not answer
    steps: tuple[Step, ...] = ()
