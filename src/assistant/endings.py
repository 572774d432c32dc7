"""How a request ends: with a person, with silence, with a text of the host's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NoReturn

from src.assistant.agents import ONLY, Agents
from src.assistant.burst import Burst
from src.assistant.knowledge.loading import Knowledge
from src.assistant.models import FailureKind
from src.assistant.parts import Ended, Later, Parts, Run
from src.assistant.reading import detect_language, normal_form
from src.assistant.steps import given_steps
from src.assistant.triage import Triage
from src.assistant.values import Action, Decision, HardClass
from src.assistant_settings import AssistantSettings

URGENT = frozenset({HardClass.SAFETY, HardClass.MEDICAL})
"""What is said at once, whatever was said before."""


class Endings:
    """Makes the last word. Methods that return nothing raise ``Ended`` with the decision."""

    def __init__(self, settings: AssistantSettings, parts: Parts) -> None:
        self._settings = settings
        self._parts = parts

    @property
    def answerable(self) -> frozenset[HardClass]:
        """The hard classes whose rule the host lets the model tell."""
        return frozenset(HardClass(one) for one in self._settings.answer_classes)

    def end_of(self, burst: Burst, later: Later, *, knowledge: Knowledge, now: datetime) -> Decision:
        """What a request ends with that was put off long enough, or that has no queue behind it."""
        listing = knowledge.listing(burst.listing_id)
        given = given_steps(self._settings)
        run = Run(burst, knowledge, Agents((ONLY,)), now, 0.0, listing, given, steps=list(later.steps))
        run.language = detect_language(burst.text, burst.guest_texts)
        return self.escalation(run, str(FailureKind.DOWN))

    def missing(
        self,
        run: Run,
        triage: Triage,
        questions: Sequence[str],
        *,
        draft: str | None = None,
        confidence: float = 0.0,
    ) -> NoReturn:
        if hard := triage.hard & self.answerable:  # the facts do not state the rule
            self.escalate_class(run, hard, draft=draft)
        missing = tuple(one.strip() for one in questions if one.strip())
        decision = self.escalation(run, "missing_fact", HardClass.MISSING_FACT, draft=draft)
        raise Ended(replace(decision, missing=missing, confidence=confidence))

    def escalate_class(self, run: Run, found: Iterable[HardClass], draft: str | None = None) -> NoReturn:
        gravest = min(found, key=list(HardClass).index)
        self.escalate(run, str(gravest), gravest, draft=draft)

    def escalate(
        self,
        run: Run,
        reason: str,
        hard_class: HardClass | None = None,
        *,
        draft: str | None = None,
        holding: bool = True,
    ) -> NoReturn:
        raise Ended(self.escalation(run, reason, hard_class, draft=draft, holding=holding))

    def escalation(
        self,
        run: Run,
        reason: str,
        hard_class: HardClass | None = None,
        *,
        draft: str | None = None,
        holding: bool = True,
    ) -> Decision:
        text = self.holding_text(run, hard_class) if holding else None
        decision = Decision(
            Action.ESCALATE, holding_message=text, draft=draft, hard_class=hard_class, reason=reason
        )
        return finished(run, decision)

    def ignore(self, run: Run, reason: str, confidence: float = 1.0) -> NoReturn:
        raise Ended(finished(run, Decision(Action.IGNORE, reason=reason, confidence=confidence)))

    def holding_text(self, run: Run, hard_class: HardClass | None) -> str | None:
        """The host's own text, at most once in a while; words on safety are said whatever was said before."""
        burst = run.burst
        emergency = run.listing.emergency if run.listing else None
        text = self._parts.holding_text(hard_class, run.code, burst.guest_name, emergency)
        window = timedelta(hours=self._settings.assistant_holding_hours)
        for turn in reversed(burst.history):
            if (
                turn.role == "host"
                and burst.first_sent_at
                and turn.sent_at
                and turn.sent_at > burst.first_sent_at
            ):
                return None  # a person is there already
            recent = turn.sent_at is None or run.now - turn.sent_at < window
            if turn.role != "assistant" or not recent:
                continue
            if normal_form(turn.text).strip() == normal_form(text).strip():
                return None
            if hard_class not in URGENT and self._parts.is_holding_text(turn.text):
                return None
        return text or None

    def disclosure(self, run: Run) -> str:
        when = self._settings.assistant_disclosure
        first = not any(turn.role == "assistant" for turn in run.burst.history)
        if when == "off" or (when == "first" and not first):
            return ""
        line = self._parts.disclosure(run.code)
        return f"\n\n{line}" if line else ""


def finished(run: Run, decision: Decision) -> Decision:
    return replace(
        decision,
        agent=run.agent.name if run.agent else None,
        topic=run.topic,
        language=run.code,
        steps=tuple(run.steps),
    )
