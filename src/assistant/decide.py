"""Step 8: the decision on a draft, from all looks at it. Pure. Each look can only hold; none can release."""

from __future__ import annotations

from dataclasses import dataclass

from src.assistant.check import Check
from src.assistant.draft import Draft
from src.assistant.triage import Triage
from src.assistant.values import Action
from src.model.confidence_steps import Steps

UNSURE = 0.5
"""What confidence is cut to where something about the answer was not clear."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What was seen of a draft."""

    triage: Triage
    draft: Draft
    gate: str | None
    """The gate's reason, None if nothing was hit."""
    check: Check | None
    """None if the gate held the draft, so that nobody was asked any more."""
    second_try: bool = False
    close: bool = False
    """The search was not sure that it found the right facts."""
    unsure_language: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """``hold`` with an answer: it waits as a draft. ``reason`` with an escalation."""

    action: Action
    confidence: float
    hold: str | None = None
    reason: str | None = None


def find_confidence(looks: Looks) -> float:
    """0 to 1: the least of what the models say, cut where something was not clear. Computed, not believed."""
    least = min(looks.triage.confidence, looks.draft.confidence)
    return round(min(least, UNSURE) if find_cuts(looks) else least, 3)


def find_cuts(looks: Looks) -> list[str]:
    """Why confidence is cut: stable words, none if all was clear."""
    cuts = (
        (looks.second_try, "second_try"),
        (looks.close, "search_unsure"),
        (looks.unsure_language, "language_unsure"),
        (looks.check is not None and looks.check.hold is not None, "check"),
    )
    return [word for is_so, word in cuts if is_so]


def lay_confidence(looks: Looks, steps: Steps) -> str:
    """What confidence was computed from and compared with, for the run's last step:
    ``triage=0.95 draft=0.8 cut=second_try draft_from=0.5 send_from=0.8``.
    """
    parts = [f"triage={looks.triage.confidence:g}", f"draft={looks.draft.confidence:g}"]
    if cuts := find_cuts(looks):
        parts.append(f"cut={','.join(cuts)}")
    return " ".join([*parts, f"draft_from={steps.draft_from:g}", f"send_from={steps.send_from:g}"])


def decide(looks: Looks, steps: Steps) -> Verdict:
    """The strictest voice wins: to a person, to a draft, to the guest."""
    confidence = find_confidence(looks)
    if confidence < steps.draft_from:
        return Verdict(Action.ESCALATE, confidence, reason="low_confidence")
    return Verdict(Action.ANSWER, confidence, hold=_hold(looks, confidence, steps.send_from))


def _hold(looks: Looks, confidence: float, send_from: float) -> str | None:
    if looks.gate is not None:
        return looks.gate
    if looks.draft.promises:
        return "promise"
    if looks.check is None:
        return "not_checked"
    if looks.check.hold is not None:
        return looks.check.hold
    if looks.triage.instructions_in_text:
        return "instructions_in_text"
    return "low_confidence" if confidence < send_from else None
