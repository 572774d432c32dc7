"""``assistant replay``: what the assistant would have said where the host answered. Nothing is sent.

It says first what it will cost. Of all that, only the runs (kind replay) are stored.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from loguru import logger
from rich.console import Console
from rich.table import Table

from src.assistant.figures import find_foreign, read_figures
from src.assistant.live import LiveAssistant
from src.assistant.prompting import instructions
from src.assistant.retrieve import BYTES_OF_A_TOKEN
from src.assistant.values import Action, Decision
from src.assistant_settings import AssistantSettings
from src.commands.opening import opened
from src.db import runs
from src.db.engine import Database
from src.errors import SettingsError
from src.services.past import PastQuestion, find_past
from src.settings import Settings

_AT_ONCE = 4
_SHOWN = 10
_LONGEST_SHOWN = 200
_ENOUGH_RUNS = 20
"""With fewer runs of its own an estimate rests on the length of prompts and facts."""
_HOW_MANY_CALLS = 3
_AROUND = 600
"""Tokens of a message, its history and the answers, in all three calls; a guess where there are no runs yet."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A question of the past, and what the assistant makes of it."""

    past: PastQuestion
    decision: Decision

    @property
    def outcome(self) -> str:
        """sent, draft, person, missing or none."""
        decision = self.decision
        if decision.action is Action.IGNORE:
            return "none"
        if decision.action is Action.ESCALATE:
            return "missing" if decision.missing else "person"
        return "draft" if decision.hold else "sent"

    @property
    def other_figure(self) -> str | None:
        """A time or number in its answer that the host's own answer does not have, though that has some."""
        host = read_figures(self.past.answered)
        if not self.decision.message or not (host.times or host.numbers):
            return None
        return find_foreign(read_figures(self.decision.message), host)


def run_replay(*, days: float, limit: int | None, yes: bool) -> int:
    """Print a table for each topic: 0. 2 if no model is configured, or nobody can be asked whether to go on."""
    with opened("api") as (settings, db):
        if not settings.assistant.configured:
            problem = "ASSISTANT_API_KEY: is not set; write the key of a model service into .env"
            raise SettingsError([f"{problem} (docs/assistant.md)"])
        console = Console(highlight=False, soft_wrap=True, markup=False)
        past = _find(settings, db, days, limit)
        if not past:
            console.print(
                f"No message of the last {days:g} days was answered by a person: nothing to replay."
            )
            return 0
        console.print(_say_cost(settings, db, past))
        if not yes and not _is_wanted(console):
            return 0
        logger.remove()  # what went wrong with a model stands in the runs
        found = asyncio.run(_replay(settings.assistant, db, past))
        _show(console, found, len(past))
    return 0


def _find(settings: Settings, db: Database, days: float, limit: int | None) -> list[PastQuestion]:
    since = datetime.now(UTC) - timedelta(days=days)
    with db.read() as conn:
        found = [
            one for account in settings.accounts for one in find_past(conn, account, since=since, limit=limit)
        ]
    return sorted(found, key=lambda one: one.asked_at, reverse=True)[:limit]


# --- what it will cost -----------------------------------------------------------------------------------


def _say_cost(settings: Settings, db: Database, past: Sequence[PastQuestion]) -> str:
    now = datetime.now(UTC)
    with db.read() as conn:
        number, tokens, cost = runs.mean_cost(conn, now - timedelta(days=30))
        spent = runs.tokens_since(conn, now.replace(hour=0, minute=0, second=0, microsecond=0))
    if number >= _ENOUGH_RUNS:
        basis = f"as the last {number} runs of your own took on average"
    else:
        tokens, cost, basis = (
            _estimated(settings.assistant),
            None,
            "a guess from the length of prompts and facts",
        )
    in_all = round(tokens * len(past))
    words = (
        f"{len(past)} messages that you answered; at most {_HOW_MANY_CALLS * len(past)} calls of "
        f"{settings.assistant.model}, about {in_all:,} tokens ({basis})"
    )
    words += f", about {cost * len(past):.2f} dollars." if cost is not None else "."
    left = settings.assistant.assistant_tokens_day - spent
    if in_all > left:
        words += f" ASSISTANT_TOKENS_DAY leaves {max(left, 0):,} for today: it stops there."
    return words + " Nothing is sent."


def _estimated(settings: AssistantSettings) -> float:
    prompts = sum(len(instructions(step).encode()) for step in ("triage", "draft", "check"))
    facts = min(_size_of_facts(settings), settings.assistant_whole_tokens)
    return prompts / BYTES_OF_A_TOKEN + facts + _AROUND


def _size_of_facts(settings: AssistantSettings) -> float:
    folder = settings.assistant_knowledge_dir
    files = [path for path in folder.rglob("*") if path.suffix in {".md", ".csv"} and path.is_file()]
    return sum(path.stat().st_size for path in files) / BYTES_OF_A_TOKEN


def _is_wanted(console: Console) -> bool:
    if not sys.stdin.isatty():
        raise SettingsError(["--yes: is not given, and nobody is there to be asked; add it to go on"])
    console.print("Go on? [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in {"y", "yes", "o", "oui"}


# --- the replay ------------------------------------------------------------------------------------------


async def _replay(settings: AssistantSettings, db: Database, past: Sequence[PastQuestion]) -> list[Replayed]:
    assistant = LiveAssistant(settings, db)
    places = asyncio.Semaphore(_AT_ONCE)

    async def ask(one: PastQuestion) -> Replayed | None:
        async with places:
            decision = await assistant.replay(one.payload, now=one.asked_at)
            return None if decision is None else Replayed(one, decision)

    try:
        done = await asyncio.gather(*(ask(one) for one in past))
    finally:
        await assistant.close()
    return [one for one in done if one is not None]


# --- what is shown ---------------------------------------------------------------------------------------

_COLUMNS = {
    "sent": "would answer",
    "draft": "draft for you",
    "person": "left to you",
    "missing": "not in your facts",
    "none": "no answer",
}


def _show(console: Console, found: Sequence[Replayed], asked: int) -> None:
    table = Table("topic", "messages", *_COLUMNS.values(), "other figures than yours")
    by_topic: dict[str, list[Replayed]] = {}
    for one in found:
        topic = one.decision.topic or one.decision.hard_class or "none"
        by_topic.setdefault(topic, []).append(one)
    for topic, several in sorted(by_topic.items(), key=lambda item: (-len(item[1]), item[0])):
        table.add_row(*_row(topic, several))
    if len(by_topic) > 1:
        table.add_section()
        table.add_row(*_row("all", found))
    console.print(table)
    if len(found) < asked:
        console.print(f"{asked - len(found)} messages were not looked at: the tokens of today are used up.")
    pairs = [one for one in found if one.decision.message or one.decision.draft]
    pairs.sort(key=lambda one: (one.other_figure is None, one.outcome != "sent"))
    for one in pairs[:_SHOWN]:
        _show_pair(console, one)
    if len(pairs) > _SHOWN:
        console.print(f"\n… and {len(pairs) - _SHOWN} more answers.")


def _row(name: str, several: Sequence[Replayed]) -> list[str]:
    counts = [sum(one.outcome == outcome for one in several) for outcome in _COLUMNS]
    figures = sum(one.other_figure is not None for one in several)
    return [name, str(len(several)), *(str(count) if count else "" for count in counts), str(figures or "")]


def _show_pair(console: Console, one: Replayed) -> None:
    decision = one.decision
    note = f"other figure: {one.other_figure}" if one.other_figure else ""
    about = [decision.topic or "", _COLUMNS[one.outcome], decision.hold or decision.reason or "", note]
    console.print(f"\n{one.past.asked_at:%Y-%m-%d} · " + " · ".join(part for part in about if part))
    for who, text in (
        ("guest", one.past.payload["message"]),
        ("you", one.past.answered),
        ("assistant", decision.message or decision.draft or ""),
    ):
        console.print(f"  {who:<10}{_short(text)}")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_SHOWN else line[:_LONGEST_SHOWN] + " …"
