"""Which facts are chosen for a draft."""

from __future__ import annotations

import numpy as np
import pytest

from src.assistant.embeddings import ServiceAway, Vectors
from src.assistant.evaluate_search import hit_rate, measure_search
from src.assistant.retrieve import Chosen, Search, tokens_of
from src.assistant.values import Fact
from tests.assistant.retrieval.questions import SET, facts

FORCED = {"whole_tokens": 0, "initial": 20, "final": 8}


def fact(topic, text, language=None):
    return Fact(f"a.md#{topic}", "a.md", topic, topic, text, language=language)


class Letters:
    """An embedder that counts letters: near texts have the same letters."""

    name, at_once = "letters", 4

    def __init__(self):
        self.away = False
        self.asked = []

    async def embed(self, texts, *, as_query):
        self.asked.append((list(texts), as_query))
        if self.away:
            raise ServiceAway("off")
        rows = np.array(
            [[one.lower().count(c) + 0.01 for c in "abcdefghijklmnopqrstuvwxyz"] for one in texts]
        )
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


async def vectors_of(some, embedder=None):
    vectors = Vectors(embedder or Letters())
    await vectors.make([one.text for one in some])
    return vectors


async def test_few_facts_are_given_whole_and_in_their_order():
    some = facts()
    chosen = await Search().choose(some, {"en": "kettle"}, whole_tokens=8000, initial=20, final=8)

    assert chosen == Chosen(tuple(some))
    assert 500 < tokens_of(some) < 8000


async def test_many_facts_are_searched_and_the_best_keep_their_order():
    some = facts(2000)
    chosen = await Search().choose(some, {"en": "Is there a hair dryer?"}, **FORCED)

    assert not chosen.whole
    assert len(chosen.facts) == 8
    assert "hair-dryer" in [one.topic for one in chosen.facts]
    assert list(chosen.facts) == sorted(chosen.facts, key=some.index)
    assert not chosen.degraded, "no search by meaning is configured"


async def test_words_alone_with_translated_questions_find_the_fact_among_2000():
    cases = SET.cases(2000, translated=True)
    assert len(cases) == 46
    assert (await hit_rate(Search(), cases, 8) or 0) >= 0.84
    assert (await measure_search(Search(), SET))["search_hit_at_3_by_words"].ok


async def test_words_count_only_against_facts_in_the_languages_of_the_question():
    some = [
        fact("gift", "Gift shop in the lobby, gift wrapping too.", "en"),
        fact("poison", "Gift ist im Keller.", "de"),
        fact("unknown", "Gift.", None),
    ]
    hits = await Search().find(some, {"de": "Gift"}, 3)
    words_only = {hit.fact.topic: hit.score for hit in hits}

    assert words_only["poison"] > words_only["gift"]
    assert words_only["unknown"] > words_only["gift"]


async def test_a_question_in_a_script_without_blanks_is_found_by_pieces():
    some = [fact("a", "ドライヤーは浴室にあります。"), fact("b", "駐車場はありません。")]

    assert (await Search().find(some, {"ja": "ドライヤーはどこですか"}, 1))[0].fact.topic == "a"


@pytest.mark.parametrize("text", ['"', "a OR", "NEAR(", "* - ^ :", "''", "\0", "😀", " ", "{}"])
async def test_no_question_breaks_the_search(text):
    await Search().find(facts(), {"en": text}, 3)


async def test_each_of_several_questions_gets_its_share():
    some = facts(2000)
    chosen = await Search().choose(
        some,
        [{"en": "Is there a hair dryer?"}, {"en": "Where are the bicycles?"}],
        whole_tokens=0,
        initial=20,
        final=4,
    )

    assert {"hair-dryer", "bicycles"} <= {one.topic for one in chosen.facts}
    assert len(chosen.facts) == 4


async def test_meaning_finds_what_words_do_not():
    some = [fact("a", "abab"), fact("z", "zyzy")]
    search = Search(await vectors_of(some))

    assert (await search.find(some, {"en": "yyzz"}, 1))[0].fact.topic == "z"


async def test_an_embedder_that_is_away_leaves_a_search_by_words_that_says_so():
    embedder = Letters()
    some = facts(50)
    search = Search(await vectors_of(some, embedder))
    embedder.away = True

    chosen = await search.choose(some, {"en": "hair dryer"}, **FORCED)

    assert chosen.degraded
    assert "hair-dryer" in [one.topic for one in chosen.facts]


async def test_vectors_that_are_half_made_are_not_used():
    some = facts(50)
    search = Search(await vectors_of(some[:30]))

    assert (await search.choose(some, {"en": "hair dryer"}, **FORCED)).degraded


async def test_a_question_is_embedded_once():
    embedder = Letters()
    some = facts(50)
    search = Search(await vectors_of(some, embedder))
    for _ in range(3):
        await search.find(some, {"en": "hair dryer"}, 3)

    assert [texts for texts, as_query in embedder.asked if as_query] == [["hair dryer"]]


async def test_a_search_in_which_nothing_stands_out_is_close():
    same = [fact(f"t{i}", f"The bus number {i} goes to the lake") for i in range(30)]
    other = [*same, fact("dryer", "hair dryer behind the bathroom door")]

    assert (await Search().choose(same, {"en": "bus to the lake"}, **FORCED)).close
    assert not (await Search().choose(other, {"en": "hair dryer"}, **FORCED)).close


async def test_what_is_no_longer_used_is_forgotten_in_the_end():
    search = Search()
    await search.find(facts(2000), {"en": "hair"}, 3)
    search.renew([one.text for one in facts()])

    assert len(search._index.numbers) == len(facts())
    assert (await search.find(facts(), {"en": "hair dryer"}, 1))[0].fact.topic == "hair-dryer"


class Backwards:
    async def rank(self, query, texts):
        return list(range(len(texts)))[::-1]


class Away:
    async def rank(self, query, texts):
        raise ServiceAway("off")


async def test_what_was_found_is_sorted_anew_if_a_reranker_is_configured():
    some = facts(200)
    plain = await Search().choose(some, {"en": "hair dryer"}, whole_tokens=0, initial=20, final=1)
    sorted_anew = await Search(reranker=Backwards()).choose(
        some, {"en": "hair dryer"}, whole_tokens=0, initial=20, final=1
    )
    away = await Search(reranker=Away()).choose(
        some, {"en": "hair dryer"}, whole_tokens=0, initial=20, final=1
    )

    assert plain.facts[0].topic == "hair-dryer"
    assert sorted_anew.facts[0].topic != "hair-dryer"
    assert away.facts == plain.facts


async def test_the_facts_of_one_listing_are_found_although_many_others_fit_better():
    dryer = fact("dryer", "A hair dryer and many other things of every kind hang in the hall.")
    others = [fact(f"t{i}", f"hair dryer {i}") for i in range(1000)]
    search = Search()
    search.renew([one.text for one in [*others, dryer]])

    found = await search.find([fact("cot", "A cot."), dryer], {"en": "hair dryer"}, 3)
    assert [hit.fact.topic for hit in found] == ["dryer"]


async def test_vectors_that_come_and_go_are_never_taken_for_those_of_other_texts():
    some = facts(60)
    few, vectors = some[10:40], await vectors_of(some[10:40])

    async def near():
        found, _ = await vectors.scores(["Is there a hair dryer?"], few)
        return [found.of(place) for place in range(len(few))]

    first = await near()
    await vectors.make([one.text for one in some])
    assert await near() == pytest.approx(first, abs=1e-4)
    vectors.keep_only([one.text for one in reversed(few)])
    assert await near() == pytest.approx(first, abs=1e-4)
    assert await vectors.scores(["Is there a hair dryer?"], some) == (None, True), "the others are forgotten"


async def test_a_text_that_stands_in_two_files_is_found_once():
    same = [fact("a", "The kettle is above the sink."), fact("b", "The kettle is above the sink.")]
    found = await Search().find(same, {"en": "kettle"}, 3)
    assert [hit.fact.topic for hit in found] == ["a"]
