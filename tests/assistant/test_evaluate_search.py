"""The figures of the search: what is measured, and what is not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from src.assistant.cases import Case, load_cases
from src.assistant.embeddings import ServiceAway, Vectors
from src.assistant.evaluate_search import hit_rate, measure_search, measure_search_as_asked
from src.assistant.knowledge.loading import load
from src.assistant.retrieve import Search
from src.assistant.search_cases import SearchCase
from tests.assistant.retrieval.questions import SET

HERE = Path(__file__).parent


class Blind:
    """An embedder to which every text is alike."""

    name, at_once = "blind", 500

    def __init__(self, *, away=False):
        self.away = away

    async def embed(self, texts, *, as_query):
        if self.away:
            raise ServiceAway("off")
        return np.ones((len(texts), 2), dtype=np.float32)


async def test_with_a_model_that_cannot_tell_texts_apart_the_bars_of_meaning_are_measured_and_fail():
    bars = await measure_search(Search(Vectors(Blind())), SET)
    assert bars["search_hit_at_8"].measured
    assert not bars["search_hit_at_8"].ok
    assert bars["search_hit_at_3_by_words"].ok, "the words do not ask that model"


async def test_without_vectors_the_bars_of_meaning_are_not_measured():
    for search in (Search(), Search(Vectors(Blind(away=True)))):
        bars = await measure_search(search, SET)
        assert not bars["search_hit_at_3"].measured
        assert not bars["search_hit_at_8"].measured
        assert bars["search_hit_at_3_by_words"].measured


async def test_a_question_counts_only_if_all_its_facts_are_found():
    dryer, both = frozenset({"en.md#hair-dryer"}), frozenset({"en.md#hair-dryer", "en.md#pets"})
    asked = {"en": "Is there a hair dryer?"}
    cases = [SearchCase(asked, SET.facts, dryer), SearchCase(asked, SET.facts, both)]
    assert await hit_rate(Search(), cases, 1) == 0.5
    assert await hit_rate(Search(), [], 1) is None


async def test_labelled_messages_are_looked_for_among_2000_facts_that_their_guest_may_know():
    folder = load(HERE / "folder")
    now, fact = datetime(2027, 3, 2, 9, tzinfo=UTC), "listings/4711-attic/attic.md#kettle"
    kettle = Case("a", "Where is the kettle?", now, frozenset({"answer"}), listing="4711", sources=(fact,),
                  stay={"trip_stage": "CURRENTLY_HOSTING"})  # fmt: skip
    elsewhere = Case("b", "Where is the kettle?", now, frozenset({"answer"}), listing="4712", sources=(fact,))
    found = await measure_search_as_asked(Search(), SET, [kettle, elsewhere], folder)
    assert found == {"messages": 1, "hit_at_3": 1.0, "hit_at_8": 1.0}


def test_more_than_a_hundred_labelled_messages_say_which_facts_they_need():
    assert sum(bool(case.sources) for case in load_cases(HERE / "cases")) >= 100
