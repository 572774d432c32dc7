"""``assistant ask``: one message of a guest, what the assistant would do with it, and why. Nothing is sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from loguru import logger
from rich.console import Console

from src.assistant.knowledge import Knowledge, load
from src.assistant.live import LiveAssistant
from src.assistant.values import Action, Decision, Stage
from src.assistant.wire import as_json as decision_json
from src.assistant_settings import AssistantSettings
from src.db import database_urls
from src.db.engine import Database
from src.errors import SettingsError
from src.model.stages import stage_of
from src.model.values import ReplyMode
from src.services.autonomy import Outlook, find_outlook
from src.settings import Settings, load_settings

_ROLES = ("guest", "host", "assistant")


def run_ask(
    message: str,
    *,
    listing: str | None,
    stage: str | None,
    check_in: str | None,
    check_out: str | None,
    now: str | None,
    sender: str,
    history: Path | None,
    as_json: bool,
) -> int:
    """Print the decision: 0, whatever it is. 2 if a value cannot be used, or no model is configured."""
    settings = load_settings()
    if not settings.assistant.configured:
        raise SettingsError(
            ["ASSISTANT_API_KEY: is not set; write the key of a model service into .env (docs/assistant.md)"]
        )
    knowledge = load(settings.assistant.assistant_knowledge_dir)
    listing = listing or _only_listing(knowledge)
    payload = {
        "conversation_id": "assistant-ask",
        "sender": sender,
        "message": message,
        "property_id": listing,
        "history": _history(history),
        "stay": _stay(stage, check_in, check_out),
    }
    logger.remove()  # what went wrong with a model stands in the steps
    decision = asyncio.run(_decide(settings.assistant, payload, _now(now, knowledge, listing)))
    if as_json:
        print(json.dumps(decision_json(decision), ensure_ascii=False, indent=2))
    else:
        _show(decision, listing, _outlook(settings, decision, listing, payload))
    return 0


async def _decide(settings: AssistantSettings, payload: Mapping[str, Any], now: datetime | None) -> Decision:
    assistant = LiveAssistant(settings)
    try:
        return await assistant.decide(payload, now=now)
    finally:
        await assistant.close()


# --- what was given ------------------------------------------------------------------------------------------


def _only_listing(knowledge: Knowledge) -> str | None:
    return knowledge.listings[0].id if len(knowledge.listings) == 1 else None


def _stay(stage: str | None, check_in: str | None, check_out: str | None) -> dict[str, str]:
    if stage is not None and stage not in set(Stage):
        raise SettingsError([f"--stage {stage}: is not known; write one of {', '.join(Stage)}"])
    stay = {"stage": stage} if stage else {}
    for name, text in (("check-in", check_in), ("check-out", check_out)):
        if text is None:
            continue
        try:
            stay[name.replace("-", "_")] = date.fromisoformat(text).isoformat()
        except ValueError:
            raise SettingsError([f"--{name} {text}: is not a date; write it like 2027-03-01"]) from None
    if check_in and check_out and stay["check_out"] < stay["check_in"]:
        raise SettingsError([f"--check-out {check_out}: is before --check-in {check_in}"])
    return stay


def _now(text: str | None, knowledge: Knowledge, listing_id: str | None) -> datetime | None:
    """With a zone as it is, without one in the listing's."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError([f"--now {text}: is not a time; write it like 2027-03-02T09:00"]) from None
    listing = knowledge.listing(listing_id)
    if at.tzinfo is None:
        return at.replace(tzinfo=listing.zone) if listing else at.astimezone()
    return at


def _history(path: Path | None) -> list[dict[str, Any]]:
    if path is None:
        return []
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError([f"--history {path}: cannot be read ({error.strerror})"]) from None
    except ValueError:
        raise SettingsError([f"--history {path}: is not JSON; write a list of {{role, text}}"]) from None
    if not isinstance(given, list) or not all(_is_turn(one) for one in given):
        roles = ", ".join(_ROLES)
        raise SettingsError([f"--history {path}: is not a list of {{role, text}} with the roles {roles}"])
    return given


def _is_turn(one: object) -> bool:
    return isinstance(one, dict) and one.get("role") in _ROLES and isinstance(one.get("text"), str)


# --- what is shown -------------------------------------------------------------------------------------------


def _outlook(
    settings: Settings, decision: Decision, listing: str | None, payload: Mapping[str, Any]
) -> Outlook:
    """What the modes and the topic's record say, as the first account of the assistant has them stored."""
    account = next((one for one in settings.accounts if one.ai == "assistant"), settings.accounts[0])
    first = stage_of(payload["stay"]) in {"inquiry", "request"} and not any(
        turn["role"] != "guest" for turn in payload["history"]
    )
    url = settings.database_url.get_secret_value()
    path = database_urls.sqlite_path(database_urls.parse(url))
    if path is not None and not path.exists():
        return find_outlook(None, account, listing, decision.topic, first=first)
    db = Database.open(url)
    try:
        with db.read() as conn:
            return find_outlook(conn, account, listing, decision.topic, first=first)
    finally:
        db.close()


def _show(decision: Decision, listing: str | None, outlook: Outlook) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(_headline(decision, outlook), style="bold")
    for label, text in (
        ("", decision.message),
        ("The guest would get: ", decision.holding_message),
        ("Draft for you: ", decision.draft),
    ):
        if text:
            console.print("\n" + "\n".join(f"  {line}" for line in f"{label}{text}".split("\n")))
    console.print()
    rows = (
        ("listing", listing or "none named (--listing); only facts for all listings are used"),
        ("sources", ", ".join(source.id for source in decision.sources)),
        ("missing", "; ".join(decision.missing)),
        ("topic", decision.topic),
        ("agent", decision.agent),
        ("language", decision.language),
        ("confidence", f"{decision.confidence:.2f}"),
    )
    for name, value in rows:
        if value:
            console.print(f"  {name:<11} {value}")
    for step in decision.steps:
        model = f"{step.model} {step.ms / 1000:.1f} s, {step.prompt_tokens + step.completion_tokens} tokens"
        words = [step.outcome, step.detail, model if step.model else ""]
        console.print(f"  {step.name:<11} {' · '.join(word for word in words if word)}")


def _headline(decision: Decision, outlook: Outlook) -> str:
    if decision.action is Action.IGNORE:
        return f"No answer is needed ({decision.reason})."
    if decision.action is Action.ESCALATE:
        return f"A person answers ({decision.reason})."
    if decision.hold:
        return f"An answer that would wait for you ({decision.hold})."
    topic, mode = decision.topic, f"the mode is {outlook.mode}"
    if outlook.goes_out:
        allowed = f"{mode}, and {topic} may go out by itself here" if outlook.allowed else mode
        return f"An answer that would be sent ({allowed})."
    if outlook.mode is ReplyMode.OFF:
        return f"An answer that nobody would get ({mode})."
    if outlook.mode is ReplyMode.AUTO:
        return f"An answer that would wait for you ({topic} needs your approval here)."
    if outlook.allowed:
        return f"An answer that would wait for you ({mode}, set by a person; {topic} could go out by itself)."
    return f"An answer that would wait for you ({mode}; {topic} may not go out by itself here)."
