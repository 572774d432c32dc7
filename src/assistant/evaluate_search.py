"""Whether the search finds the fact that a question needs among 2,000. Only the embeddings' model is asked."""

from __future__ import annotations

from collections.abc import Sequence

from src.assistant.burst import read_burst
from src.assistant.cases import Case
from src.assistant.embeddings import ServiceAway
from src.assistant.evaluate import Bar
from src.assistant.knowledge import Knowledge
from src.assistant.reading import detect_language
from src.assistant.retrieve import Search
from src.assistant.search_cases import SearchCase, SearchSet

AMONG = 2_000
_FEW, _MANY = 3, 8
"""A draft is given the best eight, unless `RAG_FINAL_RESULTS` says otherwise."""


async def measure_search(search: Search, given: SearchSet) -> dict[str, Bar]:
    """Hit@3 and hit@8 with the configured embeddings, and hit@3 by words alone. Repeatable.

    The questions are also in the facts' languages, as triage gives them. Without embeddings, or while their
    service is away, the first two are not measured. Makes the facts' vectors first.
    """
    cases = given.cases(AMONG, translated=True)
    few = many = None
    if await _make_vectors(search, cases):
        few, many = await hit_rate(search, cases, _FEW), await hit_rate(search, cases, _MANY)
    return {
        "search_hit_at_3": Bar(few, 0.85),
        "search_hit_at_8": Bar(many, 0.95),
        "search_hit_at_3_by_words": Bar(await hit_rate(Search(), cases, _FEW), 0.80),
    }


async def measure_search_as_asked(
    search: Search, given: SearchSet, cases: Sequence[Case], knowledge: Knowledge
) -> dict[str, float | int | None]:
    """A figure and no bar: the labelled messages that name their `sources`, untranslated, in their own folder.

    The folder's facts stand among others about the surroundings, 2,000 in all.
    """
    found = [_search_case(case, given, knowledge) for case in cases if case.sources]
    known = [case for case in found if case.wanted <= {fact.id for fact in case.facts}]
    await _make_vectors(search, known)
    return {
        "messages": len(known),
        "hit_at_3": await hit_rate(search, known, _FEW),
        "hit_at_8": await hit_rate(search, known, _MANY),
    }


async def hit_rate(search: Search, cases: Sequence[SearchCase], first: int) -> float | None:
    """The share of questions of which all wanted facts are among the `first` that are found; None of none."""
    hits = 0
    for case in cases:
        found = await search.find(case.facts, case.query, first)
        hits += case.wanted <= {hit.fact.id for hit in found}
    return hits / len(cases) if cases else None


async def _make_vectors(search: Search, cases: Sequence[SearchCase]) -> bool:
    """Whether the search goes by meaning: every vector is there."""
    if search.vectors is None:
        return False
    missing = search.vectors.missing(fact.text for case in cases for fact in case.facts)
    at_once = search.vectors.embedder.at_once
    try:
        for begin in range(0, len(missing), at_once):
            await search.vectors.make(missing[begin : begin + at_once])
    except ServiceAway:
        return False
    return True


def _search_case(case: Case, given: SearchSet, knowledge: Knowledge) -> SearchCase:
    burst = read_burst(case.payload)
    language = detect_language(burst.text, burst.guest_texts)
    facts = knowledge.facts_for(case.listing, burst.stay.stage, case.now.date())
    return SearchCase(
        {language.code if language else "": burst.text}, given.diluted(facts, AMONG), frozenset(case.sources)
    )
