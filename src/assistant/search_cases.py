"""Questions whose fact is known, to see whether the search finds it among many (docs/evaluation.md).

A folder holds `facts.jsonl` (topic, language, text), `questions.jsonl` (language, question, topic, and the
translations that triage would add), and `surroundings.json`: words of which any number of other facts are made.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from src.assistant.retrieve import Query
from src.assistant.values import Fact

_SEED = 7
"""The other facts are the same in every run."""


@dataclass(frozen=True, slots=True)
class SearchCase:
    """One question: to be found are all of `wanted` (ids of facts) among `facts`."""

    query: Query
    facts: Sequence[Fact]
    wanted: frozenset[str]


@dataclass(frozen=True, slots=True)
class SearchSet:
    """What a folder holds."""

    facts: tuple[Fact, ...]
    questions: tuple[Mapping[str, Any], ...]
    others: tuple[Fact, ...]

    def diluted(self, facts: Sequence[Fact], to: int) -> tuple[Fact, ...]:
        """These facts, and others about the surroundings until there are `to` of them."""
        return (*facts, *self.others[: max(0, to - len(facts))])

    def cases(self, among: int, *, translated: bool) -> tuple[SearchCase, ...]:
        """Each question as it is asked, and where `translated` also as triage puts it for the facts' languages."""
        facts = self.diluted(self.facts, among)
        ids = {fact.topic: fact.id for fact in self.facts}
        return tuple(
            SearchCase(
                {**(one["translations"] if translated else {}), one["language"]: one["question"]},
                facts,
                frozenset({ids[one["topic"]]}),
            )
            for one in self.questions
        )


def load_search_set(folder: Path) -> SearchSet:
    """Read a folder that the product ships; OSError or ValueError if it is not whole."""
    words = json.loads((folder / "surroundings.json").read_text(encoding="utf-8"))
    mixed = list(product(words["ends"], words["things"], words["names"]))
    random.Random(_SEED).shuffle(mixed)  # noqa: S311 (the same order each time, no secret)
    others = (
        _fact(f"{thing}-{name}-{number}".lower(), f"{name} {thing}\nThe {name} {thing} {end}", "en")
        for number, (end, thing, name) in enumerate(mixed)
    )
    facts = (_fact(one["topic"], one["text"], one["language"]) for one in _lines(folder / "facts.jsonl"))
    return SearchSet(tuple(facts), tuple(_lines(folder / "questions.jsonl")), tuple(others))


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _fact(topic: str, text: str, language: str) -> Fact:
    path = f"{language}.md"
    words = f"{topic.replace('-', ' ')}\n{text}"
    return Fact(f"{path}#{topic}", path, topic, topic, words, language=language)
