"""What ``doctor`` looks at where the built-in assistant answers: its model service, its knowledge, its voices."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from difflib import get_close_matches

from src.assistant.agents import load_agents
from src.assistant.holding import load_holding
from src.assistant.knowledge import Knowledge, Level, load
from src.assistant.models import FailureKind
from src.assistant.probe import probe_model
from src.assistant.values import Stage
from src.assistant_settings import AssistantSettings
from src.commands.findings import Finding, missing

_HELP = {
    FailureKind.KEY_REFUSED: "check ASSISTANT_API_KEY, and the credit of its account",
    FailureKind.SLOW: "try again; if it stays so, take another model or raise ASSISTANT_TIMEOUT_SEC",
    FailureKind.UNREADABLE: "take a model that knows structured outputs",
    FailureKind.REFUSED: "take another model: this one refuses a harmless question",
}


def look_at_assistant(settings: AssistantSettings, listings: Collection[str] = ()) -> Iterator[Finding]:
    """A line each. Makes one small call of the model; sends nothing of a guest.

    ``listings``: those that guests of the inbox write about (the site's ids); each should have facts.
    """
    yield _look_at_model(settings)
    agents = load_agents(settings.assistant_agents_dir)
    knowledge = load(settings.assistant_knowledge_dir, agents.names)
    yield from _look_at_knowledge(knowledge, listings)
    for finding in (*agents.findings, *load_holding(settings.assistant_agents_dir).findings):
        yield Finding("voices", f"agents/{finding.place}: {finding.text} (left out)")


def _look_at_model(settings: AssistantSettings) -> Finding:
    probed = asyncio.run(probe_model(settings))
    if probed.failure is None:
        return Finding("model", f"{probed.model} answers with structured output ({probed.duration_ms} ms)")
    what = f"{probed.model}: {probed.failure}" + (f" ({probed.detail})" if probed.detail else "")
    if probed.failure is FailureKind.UNKNOWN:
        near = get_close_matches(probed.model, probed.names, n=3, cutoff=0.4)
        there = f"did you mean {', '.join(near)}?" if near else "take one that the service has"
        return missing("model", what, f"check ASSISTANT_MODEL; {there}")
    return missing("model", what, _HELP.get(probed.failure, "check ASSISTANT_BASE_URL; is the service up?"))


def _look_at_knowledge(knowledge: Knowledge, listings: Collection[str]) -> Iterator[Finding]:
    today = datetime.now(UTC).date()
    facts = sum(len(one.facts) for one in knowledge.documents)
    if facts == 0:
        words = "no facts yet: everything goes to you (python src/main.py knowledge example)"
        yield Finding("knowledge", words)
        return
    findings = knowledge.check(today)
    errors = sum(one.level is Level.ERROR for one in findings)
    words = f"{facts} facts, {len(knowledge.listings)} listings"
    if errors:
        words += f"; {errors} errors, their files are left out (python src/main.py knowledge check)"
    elif findings:
        words += f"; {len(findings)} warnings (python src/main.py knowledge check)"
    yield Finding("knowledge", words)
    general = {fact.id for fact in knowledge.facts_for(None, Stage.STAYING, today)}
    for listing in sorted({*listings, *(one.id for one in knowledge.listings)}):
        told = knowledge.facts_for(listing, Stage.STAYING, today)
        if not told:
            yield Finding("listing", f"{listing} has no facts: every message about it goes to you")
        elif listing in listings and {fact.id for fact in told} <= general:
            yield Finding("listing", f"{listing} has no facts of its own, only those for all listings")
