"""Decisions as JSON: what the public contract calls their fields. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from src.assistant.values import Action, Decision, Source, Step


def as_response(decision: Decision) -> dict[str, Any]:
    """As an AI's webhook responds. ``draft`` is for the host alone; it waits beside the escalation."""
    about: dict[str, Any] = {
        "agent": decision.agent,
        "topic": decision.topic,
        "confidence": decision.confidence,
        "language": decision.language,
        "sources": sources_json(decision.sources),
    }
    if decision.action is Action.ANSWER:
        said: dict[str, Any] = {
            "message": decision.message,
            "hold": decision.hold,
            "holding_message": decision.holding_message,
            **about,
        }
    elif decision.action is Action.ESCALATE:
        said = {
            "action": "escalate",
            "reason": decision.reason,
            "class": decision.hard_class,
            "holding_message": decision.holding_message,
            "draft": decision.draft,
            "missing": list(decision.missing) or None,
            **about,
        }
    else:
        said = {"action": "ignore", "reason": decision.reason}
    return {name: value for name, value in said.items() if value not in (None, [])}


def as_json(decision: Decision) -> dict[str, Any]:
    """The whole decision: of ``assistant ask --json`` and ``POST /api/assistant/try``."""
    return {
        "action": str(decision.action),
        "message": decision.message,
        "holding_message": decision.holding_message,
        "draft": decision.draft,
        "hold": decision.hold,
        "class": decision.hard_class,
        "reason": decision.reason,
        "agent": decision.agent,
        "topic": decision.topic,
        "language": decision.language,
        "confidence": decision.confidence,
        "sources": sources_json(decision.sources),
        "missing": list(decision.missing),
        "steps": steps_json(decision.steps),
    }


def sources_json(sources: tuple[Source, ...]) -> list[dict[str, str]]:
    """Title and id of each."""
    return [{"title": source.title, "id": source.id} for source in sources]


def steps_json(steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    """Each step with what it cost."""
    return [asdict(step) for step in steps]
