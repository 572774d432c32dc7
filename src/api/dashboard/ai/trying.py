"""What the assistant would do with a message that the host types: the decision, and whether it would go out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool

from src.api.dashboard import words
from src.api.dashboard.ai.side import AiSide
from src.api.dashboard.ai.why import Why, explain_decision
from src.api.dashboard.page import Page
from src.assistant.values import Action, Decision, Stage
from src.model.values import ReplyMode
from src.services.autonomy import find_outlook
from src.services.refusals import Conflict, Malformed
from src.services.texts import clean_message

LONGEST = 4_000
_STAGES = {str(Stage.INQUIRY), str(Stage.BOOKED), str(Stage.STAYING)}


@dataclass(frozen=True, slots=True)
class Tried:
    """A decision with its reasons."""

    decision: Decision
    why: Why
    headline: str
    goes_out: bool


async def try_message(page: Page, side: AiSide, form: dict[str, str]) -> Tried:
    """Ask the model. Malformed for the form; Conflict where no model is configured."""
    if side.assistant is None:
        raise Conflict("no_model", "no model is configured")
    message, stage = clean_message(form.get("message", "")), form.get("stage", str(Stage.BOOKED))
    if len(message) > LONGEST:
        raise Malformed("message", "is too long")
    if stage not in _STAGES:
        raise Malformed("stage", "is not possible")
    listing = form.get("listing") or None
    payload: dict[str, Any] = {
        "conversation_id": "assistant-try",
        "sender": page.lang.say("Guest"),
        "message": message,
        "property_id": listing,
        "history": [],
        "stay": {"stage": stage},
    }
    decision = await side.assistant.decide(payload)
    return await run_in_threadpool(_tried, page, side, decision, listing, stage)


def _tried(page: Page, side: AiSide, decision: Decision, listing: str | None, stage: str) -> Tried:
    goes_out, headline = _outcome(page, decision, listing, stage)
    return Tried(decision, explain_decision(page.lang, side, decision, page.now), headline, goes_out)


def _outcome(page: Page, decision: Decision, listing: str | None, stage: str) -> tuple[bool, str]:
    """Whether it would go out here now, as the callback judges it, and a sentence that says so."""
    lang = page.lang
    if decision.action is Action.IGNORE:
        return False, lang.say("No answer is needed.")
    if decision.action is Action.ESCALATE:
        left = lang.say("It would be left to you.")
        return False, f"{left} {words.reason(lang, decision.hard_class or decision.reason)}"
    if decision.hold:
        waits = lang.say("This answer would wait for you.")
        return False, f"{waits} {words.reason(lang, decision.hold)}"
    with page.context.db.read() as conn:
        first = stage == str(Stage.INQUIRY)
        outlook = find_outlook(conn, page.account, listing, decision.topic, first=first)
    if outlook.mode is ReplyMode.OFF:
        return False, lang.say("Nothing would be sent: the mode is off.")
    if outlook.goes_out:
        would = lang.say("This answer would go out by itself.")
        return True, f"{would} {lang.gettext(words.HINDRANCES[page.hindrance])}" if page.hindrance else would
    if outlook.mode is ReplyMode.AUTO:
        return False, lang.say("This answer would wait for you: its topic may not go out by itself.")
    return False, lang.say("This answer would wait for you: you are asked first.")
