"""Does the configured model answer, and with structured output? One small call with nothing of a guest."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pydantic import BaseModel

from src.assistant.models import FailureKind, Ladder, ModelFailure
from src.assistant.structured import Shape, an_object
from src.assistant_settings import AssistantSettings

_SHAPE = Shape("doctor", an_object({"word": {"type": "string"}}))


class _Word(BaseModel):
    word: str


@dataclass(frozen=True, slots=True)
class Probed:
    """What the main model's service did. ``failure`` is None if it answered as it should."""

    model: str
    duration_ms: int
    failure: FailureKind | None = None
    detail: str = ""
    """How the last call ended, a short stable word (``http_401``)."""
    names: tuple[str, ...] = ()
    """What the service calls its models, where it does not know this one and says so."""


async def probe_model(settings: AssistantSettings) -> Probed:
    """Ask the main model for one word. Costs some 50 tokens. Never raises for what a server does. Repeatable."""
    ladder = Ladder(timeout_sec=settings.assistant_timeout_sec)
    first = settings.ladder()[0]
    try:
        asked = await ladder.ask(
            _SHAPE,
            _Word,
            rungs=[first],
            system="Hand in one JSON object with one field, `word`: any English word.",
            user="{}",
            deadline=time.monotonic() + settings.assistant_deadline_sec,
        )
        took = sum(step.ms for step in asked.steps)
        if not isinstance(asked, ModelFailure):
            return Probed(first.name, took)
        unknown = asked.kind is FailureKind.UNKNOWN
        names = tuple(await ladder.names_of_models(first)) if unknown else ()
        detail = asked.steps[-1].outcome if asked.steps else ""
        return Probed(first.name, took, asked.kind, detail, names)
    finally:
        await ladder.close()
