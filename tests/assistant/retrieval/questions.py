"""The shipped facts of one house in two languages, guests' questions in fourteen, and what dilutes them."""

from __future__ import annotations

from pathlib import Path

from src.assistant.search_cases import load_search_set
from src.assistant.values import Fact

SET = load_search_set(Path(__file__).parent)


def facts(diluted_to: int = 0) -> list[Fact]:
    """The facts of the house, and others about the surroundings until there are so many."""
    return list(SET.diluted(SET.facts, diluted_to))
