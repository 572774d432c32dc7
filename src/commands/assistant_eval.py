"""``assistant eval``: labelled messages through the whole assistant, with the configured model. Nothing is sent."""

from __future__ import annotations

import asyncio
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loguru import logger
from rich.console import Console
from rich.table import Table

from src.assistant.cases import Case, load_cases
from src.assistant.evaluate import (
    Bar,
    Result,
    judge,
    measure,
    measure_rules,
    scripted_bars,
    worst_of,
)
from src.assistant.evaluate_search import measure_search, measure_search_as_asked
from src.assistant.knowledge.loading import load
from src.assistant.live import LiveAssistant
from src.assistant.making import make_search
from src.assistant.search_cases import load_search_set
from src.assistant_settings import AssistantSettings
from src.errors import SettingsError
from src.settings import load_settings

_ROOT = Path(__file__).parents[2]
CASES = _ROOT / "tests" / "assistant" / "cases"
FOLDER = _ROOT / "tests" / "assistant" / "folder"
"""The shipped messages, and the folder that they are about."""
SEARCHED = _ROOT / "tests" / "assistant" / "retrieval"
"""Facts and questions for the search alone."""
_AT_ONCE = 4
_PASSES = 3


def run_eval(
    *, cases: Path | None, knowledge: Path | None, agents: Path | None, live: bool, as_json: bool
) -> int:
    """Print metrics and bars: 0 if every measured bar holds, else 1. 2 if a value cannot be used."""
    settings = load_settings()
    if not settings.assistant.configured:
        raise SettingsError(
            ["ASSISTANT_API_KEY: is not set; write the key of a model service into .env (docs/assistant.md)"]
        )
    folder = knowledge or (FOLDER if cases is None else settings.assistant.assistant_knowledge_dir)
    if not folder.is_dir():
        raise SettingsError([f"--knowledge {folder}: is no folder"])
    changed: dict[str, Any] = {"assistant_knowledge_dir": folder, "assistant_disclosure": "off"}
    if agents is not None:
        changed["assistant_agents_dir"] = agents
    found = load_cases(cases or CASES)
    logger.remove()  # what went wrong with a model stands in the steps
    assistant = LiveAssistant(settings.assistant.model_copy(update=changed))
    asked = [case for case in found if not case.rules_only]
    passes = asyncio.run(_run(assistant, asked, _PASSES if live else 1))
    measured = [measure(results) for results in passes]
    searched, as_asked = asyncio.run(_search(settings.assistant, found, folder))
    bars = measure_rules(found) | worst_of([bars for _, bars in measured]) | searched | scripted_bars()
    metrics = measured[0][0] | {"search_as_asked": as_asked}
    if live:
        metrics["passes"] = _compare([one for _, one in measured])
    if as_json:
        print(json.dumps(_as_json(passes[-1], metrics, bars), ensure_ascii=False, indent=2))
    else:
        _show(passes[-1], metrics, bars)
    return 0 if all(bar.ok for bar in bars.values() if bar.measured) else 1


async def _run(assistant: LiveAssistant, cases: Sequence[Case], passes: int) -> list[list[Result]]:
    places = asyncio.Semaphore(_AT_ONCE)

    async def ask(case: Case) -> Result:
        async with places:
            return judge(case, await assistant.decide(case.payload, now=case.now))

    try:
        return [list(await asyncio.gather(*(ask(case) for case in cases))) for _ in range(passes)]
    finally:
        await assistant.close()


async def _search(
    settings: AssistantSettings, cases: Sequence[Case], folder: Path
) -> tuple[dict[str, Bar], dict[str, Any]]:
    """Bars of the search on the shipped questions, and how it does on the messages as they are asked."""
    given, search = load_search_set(SEARCHED), make_search(settings)
    bars = await measure_search(search, given)
    return bars, await measure_search_as_asked(search, given, cases, load(folder))


def _compare(passes: Sequence[Mapping[str, Bar]]) -> dict[str, dict[str, float]]:
    """Mean and worst of each bar over the passes."""
    found = {}
    for name, worst in worst_of(passes).items():
        values = [bars[name].value for bars in passes]
        known = [value for value in values if value is not None]
        if known and worst.value is not None:
            found[name] = {"mean": statistics.fmean(known), "worst": worst.value}
    return found


def _as_json(
    results: Sequence[Result], metrics: Mapping[str, Any], bars: Mapping[str, Bar]
) -> dict[str, Any]:
    return {
        "cases": [
            {
                "id": one.case.id,
                "expect": _expected(one.case),
                "got": {
                    "action": str(one.decision.action),
                    "class": one.decision.hard_class,
                    "hold": one.decision.hold,
                    "reason": one.decision.reason,
                },
                "ok": one.ok,
            }
            for one in results
        ],
        "metrics": metrics,
        "bars": {
            name: {"measured": bar.measured, "value": bar.value, "bar": bar.bar, "ok": bar.ok}
            for name, bar in bars.items()
        },
    }


def _expected(case: Case) -> str | list[str]:
    return min(case.expect) if len(case.expect) == 1 else sorted(case.expect)


def _show(results: Sequence[Result], metrics: Mapping[str, Any], bars: Mapping[str, Bar]) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    table = Table("bar", "measured", "must be", "")
    for name, bar in bars.items():
        value = "not measured" if bar.value is None else f"{bar.value:.3f}"
        sign = "at most" if bar.at_most else "at least"
        verdict = ("ok" if bar.ok else "FAILED") if bar.measured else ""
        table.add_row(name.replace("_", " "), value, f"{sign} {bar.bar:g}", verdict)
    console.print(table)
    console.print(
        f"{metrics['cases']} messages, {metrics['sent']} answered by itself, {metrics['ignored']} ignored."
    )
    wrong = [one for one in results if not one.ok]
    for one in wrong[:20]:
        got = one.decision
        said = " ".join(str(part) for part in (got.action, got.hard_class, got.hold, got.reason) if part)
        console.print(f"  {one.case.id}: expected {' or '.join(sorted(one.case.expect))}, got {said}")
    if len(wrong) > 20:
        console.print(f"  … and {len(wrong) - 20} more; --json lists all")
