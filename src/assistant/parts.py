"""What the pipeline works with: one request on its way, and the looks at it that are no model's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from src.assistant.agents import Agent, Agents
from src.assistant.burst import Burst
from src.assistant.knowledge.listings import Listing
from src.assistant.knowledge.loading import Knowledge
from src.assistant.models import FailureKind
from src.assistant.reading import Language
from src.assistant.retrieve import Chosen, Query
from src.assistant.values import Decision, Fact, HardClass, Step
from src.model.confidence_steps import Steps


@dataclass(frozen=True, slots=True)
class Drafted:
    """What the gate looks at."""

    message: str
    sources: tuple[str, ...]
    missing: tuple[str, ...]
    promises: tuple[str, ...]
    language: str


@dataclass(frozen=True, slots=True)
class Around:
    """What the gate may compare a draft with."""

    run: Run
    cited: tuple[Fact, ...]
    facts: tuple[Fact, ...]
    canary: str
    nonce: str


class Finding(Protocol):
    """What the gate hit: a stable reason, words for the writer, and whether a second try may mend it."""

    @property
    def reason(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def mendable(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """The looks that are no model's, and the host's own texts."""

    find_classes: Callable[[str, str | None], Sequence[HardClass]]
    is_closing: Callable[[str, str | None], bool]
    inspect: Callable[[Drafted, Around], Finding | None]
    choose: Callable[[Sequence[Fact], Sequence[Query]], Awaitable[Chosen]]
    holding_text: Callable[[HardClass | None, str | None, str, str | None], str]
    is_holding_text: Callable[[str], bool]
    disclosure: Callable[[str | None], str]


@dataclass(frozen=True, slots=True)
class Later:
    """No model answered for now. The request goes back to its queue; ``retry_after`` are seconds, if one asked."""

    kind: FailureKind
    retry_after: float | None
    steps: tuple[Step, ...]


class Ended(Exception):
    def __init__(self, outcome: Decision | Later) -> None:
        super().__init__()
        self.outcome = outcome


@dataclass(slots=True)
class Run:
    """One request on its way."""

    burst: Burst
    knowledge: Knowledge
    agents: Agents
    now: datetime
    deadline: float
    listing: Listing | None
    confidence_steps: Steps
    language: Language | None = None
    agent: Agent | None = None
    topic: str | None = None
    steps: list[Step] = field(default_factory=list)
    examples: tuple[str, ...] = ()
    """How the host writes: for the draft alone, and never a fact."""

    @property
    def code(self) -> str | None:
        return self.language.code if self.language else None

    @property
    def local_now(self) -> datetime:
        return self.now.astimezone(self.listing.zone) if self.listing else self.now

    def note(self, name: str, outcome: str, detail: str = "") -> None:
        """A step that asked no model."""
        self.steps.append(Step(name, outcome, detail))
