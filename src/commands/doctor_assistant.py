"""What ``doctor`` looks at where the built-in assistant answers: its model service, its knowledge, its voices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from difflib import get_close_matches

from pydantic import BaseModel

from src.assistant.agents import load_agents
from src.assistant.holding import load_holding
from src.assistant.knowledge import Knowledge, Level, load
from src.assistant.models import FailureKind, Ladder, ModelFailure, Reply
from src.assistant.structured import Shape, an_object
from src.assistant.values import Stage
from src.commands.findings import Finding, missing
from src.settings import Settings

_SHAPE = Shape("doctor", an_object({"word": {"type": "string"}}))
_HELP = {
    FailureKind.KEY_REFUSED: "check ASSISTANT_API_KEY, and the credit of its account",
    FailureKind.SLOW: "try again; if it stays so, take another model or raise ASSISTANT_TIMEOUT_SEC",
    FailureKind.UNREADABLE: "take a model that knows structured outputs",
    FailureKind.REFUSED: "take another model: this one refuses a harmless question",
}


class _Word(BaseModel):
    word: str


def look_at_assistant(settings: Settings) -> Iterator[Finding]:
    """A line each. Makes one small call of the model; sends nothing of a guest."""
    yield asyncio.run(_look_at_model(settings))
    agents = load_agents(settings.assistant.assistant_agents_dir)
    knowledge = load(settings.assistant.assistant_knowledge_dir, agents.names)
    yield _look_at_knowledge(knowledge)
    for finding in (*agents.findings, *load_holding(settings.assistant.assistant_agents_dir).findings):
        yield Finding("voices", f"agents/{finding.place}: {finding.text} (left out)")


async def _look_at_model(settings: Settings) -> Finding:
    given = settings.assistant
    ladder = Ladder(timeout_sec=given.assistant_timeout_sec)
    try:
        asked = await ladder.ask(
            _SHAPE,
            _Word,
            rungs=given.ladder()[:1],
            system="Hand in one JSON object with one field, `word`: any English word.",
            user="{}",
            deadline=time.monotonic() + given.assistant_deadline_sec,
        )
        if isinstance(asked, Reply):
            ms = sum(step.ms for step in asked.steps)
            return Finding("model", f"{given.model} answers with structured output ({ms} ms)")
        near = await ladder.names_of_models(given.ladder()[0]) if asked.kind is FailureKind.UNKNOWN else []
        return _failed(given.model, asked, near)
    finally:
        await ladder.close()


def _failed(model: str, failure: ModelFailure, names: list[str]) -> Finding:
    outcome = failure.steps[-1].outcome if failure.steps else ""
    what = f"{model}: {failure.kind}" + (f" ({outcome})" if outcome else "")
    if failure.kind is FailureKind.UNKNOWN:
        near = get_close_matches(model, names, n=3, cutoff=0.4)
        there = f"did you mean {', '.join(near)}?" if near else "take one that the service has"
        return missing("model", what, f"check ASSISTANT_MODEL; {there}")
    return missing("model", what, _HELP.get(failure.kind, "check ASSISTANT_BASE_URL; is the service up?"))


def _look_at_knowledge(knowledge: Knowledge) -> Finding:
    today = datetime.now(UTC).date()
    findings = knowledge.check(today)
    errors = sum(one.level is Level.ERROR for one in findings)
    facts = sum(len(one.facts) for one in knowledge.documents)
    bare = [one.id for one in knowledge.listings if not knowledge.facts_for(one.id, Stage.STAYING, today)]
    words = f"{facts} facts, {len(knowledge.listings)} listings"
    if facts == 0:
        return Finding(
            "knowledge", "no facts yet: everything goes to you (python src/main.py knowledge example)"
        )
    if errors:
        words += f"; {errors} errors, their files are left out (python src/main.py knowledge check)"
    if bare:
        words += f"; no facts for {', '.join(bare)}"
    return Finding("knowledge", words)
