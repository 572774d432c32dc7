"""Why the assistant's answer is as it is: a run in words, with the facts it rests on as they stand in the files."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from src.api.dashboard import words
from src.api.dashboard.ai import words as ai_words
from src.api.dashboard.ai.side import AiSide
from src.api.dashboard.page import Page
from src.assistant.values import Decision
from src.assistant.wire import as_json
from src.assistant_settings import AssistantSettings
from src.db import missing_facts, runs
from src.db.engine import Connection
from src.languages import Language
from src.model.rows import AssistantRun, MissingFact

_CALLS = frozenset({"triage", "draft", "check"})
_CLEAR = frozenset({"clear", ""})


@dataclass(frozen=True, slots=True)
class Cited:
    """A fact that the answer rests on. ``text`` is None if it is not in the folder any more."""

    title: str
    place: str
    """``path:line``, else the path."""
    text: str | None
    changed: bool
    """Its file was written after the answer was made."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one step did, in the host's language. ``found``: it found something against sending."""

    said: str
    found: bool = False


@dataclass(frozen=True, slots=True)
class Why:
    """A run, in words."""

    run: AssistantRun
    cited: tuple[Cited, ...]
    looks: tuple[Look, ...]
    confidence: str
    """'' where none was computed."""
    missing: tuple[MissingFact, ...]
    """The open questions that this message waits for."""
    models: tuple[str, ...]
    seconds: float
    tokens: int = field(default=0)


def explain_requests(
    page: Page, side: AiSide, conn: Connection, request_ids: Collection[str]
) -> dict[str, Why]:
    """Of each of these requests why it was answered so, or not. Blocking: may read the host's folder."""
    found = runs.of_requests(conn, request_ids)
    questions = missing_facts.open_of_requests(conn, found.keys())
    return {
        request_id: _explain(page.lang, side, run, questions.get(request_id, []))
        for request_id, run in found.items()
        if run.state != "working"
    }


def _explain(lang: Language, side: AiSide, run: AssistantRun, missing: Sequence[MissingFact]) -> Why:
    steps: list[dict[str, Any]] = json.loads(run.steps)
    sources: list[dict[str, str]] = json.loads(run.sources)
    calls = [step for step in steps if step.get("model")]
    return Why(
        run=run,
        cited=_cited(side, sources, run.finished_at) if sources else (),
        looks=tuple(look for step in steps for look in _look(lang, step, run)),
        confidence=_confidence(lang, run, steps, side.settings),
        missing=tuple(missing),
        models=tuple(dict.fromkeys(str(step["model"]) for step in calls)),
        seconds=sum(step.get("ms", 0) for step in calls) / 1000,
        tokens=run.prompt_tokens + run.completion_tokens,
    )


def explain_decision(lang: Language, side: AiSide, decision: Decision, now: datetime) -> Why:
    """The same of a decision that is not stored. Blocking: may read the host's folder."""
    said = as_json(decision)
    run = AssistantRun(
        **dict.fromkeys(one.name for one in fields(AssistantRun)),  # type: ignore[arg-type]
    )
    cost = [step.cost for step in decision.steps if step.cost is not None]
    run = replace(
        run,
        state="done",
        action=said["action"],
        hard_class=said["class"],
        reason=said["reason"],
        hold=said["hold"],
        topic=said["topic"],
        language=said["language"],
        confidence=said["confidence"],
        steps=json.dumps(said["steps"]),
        sources=json.dumps(said["sources"]),
        prompt_tokens=sum(step.prompt_tokens for step in decision.steps),
        completion_tokens=sum(step.completion_tokens for step in decision.steps),
        cost=sum(cost) if cost else None,
        finished_at=now,
    )
    return _explain(lang, side, run, ())


def _cited(side: AiSide, sources: list[dict[str, str]], answered_at: datetime | None) -> tuple[Cited, ...]:
    knowledge = side.desk().knowledge()
    found = []
    for source in sources:
        fact, path = knowledge.fact(source["id"]), source["id"].partition("#")[0]
        if fact is None:
            found.append(Cited(source["title"], path, None, changed=False))
            continue
        file = knowledge.files.get(fact.path)
        written = datetime.fromtimestamp(file.stamp[0] / 1e9, UTC) if file else None
        changed = bool(written and answered_at and written > answered_at)
        line = knowledge.line_of(fact.id)
        found.append(Cited(fact.title, f"{path}:{line}" if line else path, fact.text, changed))
    return tuple(found)


def _look(lang: Language, step: dict[str, Any], run: AssistantRun) -> list[Look]:
    name, outcome, detail = step["name"], step["outcome"], step.get("detail", "")
    if name in _CALLS and outcome != "ok":
        said = lang.say(
            "The model %(model)s was asked in vain: %(why)s.",
            model=step["model"],
            why=ai_words.outcome(lang, outcome),
        )
        return [Look(said)]
    match name:
        case "read" if outcome == "no_words":
            return [Look(lang.say("The message has no words in it."))]
        case "read":
            said = lang.say("The guest writes in this language: %(name)s.", name=lang.name_of(outcome))
            unsure = lang.say("That is not certain.")
            return [Look(f"{said} {unsure}" if detail == "unsure" else said)]
        case "rules":
            return [_found(lang, "rules", detail.split(", ") if outcome == "hit" else [])]
        case "triage":
            topic = ai_words.topic(lang, run.topic)
            return [Look(lang.say("First look of a model: it is about “%(topic)s”.", topic=topic))]
        case "facts":
            given, _, all_of_them = detail.partition(" of ")
            said = lang.say(
                "%(all)s of your facts may be told to this guest today; the model got %(given)s.",
                all=all_of_them,
                given=given,
            )
            by_words = lang.say("They were found by words alone.")
            return [Look(f"{said} {by_words}" if outcome == "degraded" else said)]
        case "gate":
            return [_found(lang, "gate", [] if outcome == "clear" else [outcome])]
        case "check":
            return [_found(lang, "check", [] if detail in _CLEAR else [detail])]
        case _:
            return []


def _found(lang: Language, which: str, reasons: Sequence[str]) -> Look:
    looked = {
        "rules": lang.say("Fixed rules on the guest's words:"),
        "gate": lang.say("Fixed rules on the draft:"),
        "check": lang.say("Second look of a model at the draft:"),
    }[which]
    found = " ".join(words.reason(lang, code, held=which == "gate") for code in reasons) or lang.say(
        "nothing against it."
    )
    return Look(f"{looked} {found}", bool(reasons))


def _confidence(
    lang: Language, run: AssistantRun, steps: list[dict[str, Any]], settings: AssistantSettings
) -> str:
    """How sure the assistant is, and what that was computed from."""
    laid = next((step.get("detail", "") for step in reversed(steps) if step["name"] == "decide"), "")
    parts = dict(one.split("=", 1) for one in laid.split() if "=" in one)
    if run.confidence is None or "triage" not in parts:
        return ""
    said = [
        lang.say(
            "%(sure)s of 1: the least of what the first look (%(first)s) and the draft (%(draft)s) say.",
            sure=lang.number(run.confidence),
            first=lang.number(float(parts["triage"])),
            draft=lang.number(float(parts["draft"])),
        )
    ]
    if cuts := parts.get("cut"):
        why = ", ".join(lang.gettext(ai_words.CUTS[one]) for one in cuts.split(",") if one in ai_words.CUTS)
        said.append(lang.say("Cut to 0.5 at most, because %(why)s.", why=why))
    send_from = float(parts.get("send_from", settings.assistant_send_from))
    draft_from = float(parts.get("draft_from", settings.assistant_draft_from))
    if send_from > 1:
        bare = lang.say(
            "None goes out by itself for now: too many of the surest drafts were changed. "
            "Below %(draft)s you get the message without a draft.",
            draft=lang.number(draft_from),
        )
    else:
        bare = lang.say(
            "From %(send)s on it may go out by itself, below %(draft)s you get the message without a draft.",
            send=lang.number(send_from),
            draft=lang.number(draft_from),
        )
    return " ".join([*said, bare])
