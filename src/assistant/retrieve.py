"""Which facts a draft is written from: all of them while they are few, else those that fit the questions best.

    few ─────────────────────────────────────────────────────▶ all, in their own order
    many ─▶ words + pieces of words + meaning, fused ─▶ the best `initial` ─▶ (reranked) ─▶ the best `final`

The words of a query count only against facts in the query's language: across languages they mislead.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from loguru import logger

from src.assistant.embeddings import Nearness, Reranker, ServiceAway, Vectors
from src.assistant.values import Fact
from src.db.word_index import WordIndex

BYTES_OF_A_TOKEN = 3.5
"""UTF-8 bytes of a token, on the average of prose; no tokenizer is shipped."""

_WEIGHTS = (1.0, 0.3, 0.1)
"""Of meaning, pieces and words. Measured on `tests/assistant/retrieval`; docs/knowledge.md has the figures."""
_WEIGHTS_OF_WORDS_ALONE = (0.0, 0.5, 0.5)
_CLOSE = 1.15
"""A best fact that is not better than the best one left out by this factor was found by a close call."""
_LOOKED_AT = 200
"""How many facts each way of searching names. What stands further behind in each is never among the best 20."""
_CARRIED = 1000
"""The index is rebuilt once it holds at least this many texts that are no longer used."""

Query = Mapping[str, str]
"""One question: language (ISO 639-1, or "" where it is not known) to the question's text in it."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The facts for a draft."""

    facts: tuple[Fact, ...]
    whole: bool = True  # all that there were
    degraded: bool = False  # searched by words alone, though a search by meaning is configured
    close: bool = False  # nothing stood out: the right fact may be among those left out


@dataclass(frozen=True, slots=True)
class Hit:
    """One fact that was found."""

    fact: Fact
    score: float  # 0 to 1 within one search


def tokens_of(facts: Sequence[Fact]) -> int:
    """An estimate of what the facts take in a prompt."""
    return round(sum(len(fact.text.encode()) for fact in facts) / BYTES_OF_A_TOKEN)


class Search:
    """The search of this process. Keeps an index of every fact that it was asked about."""

    def __init__(self, vectors: Vectors | None = None, reranker: Reranker | None = None) -> None:
        """Without ``vectors`` it searches by words alone, which is then not called degraded."""
        self.vectors = vectors
        self._reranker = reranker
        self._index = _Index()

    async def choose(
        self,
        facts: Sequence[Fact],
        queries: Query | Sequence[Query],
        *,
        whole_tokens: int,
        initial: int,
        final: int,
    ) -> Chosen:
        """The facts for a draft that answers the questions. Repeatable; never raises for a service that is away.

        ``facts`` are those that the guest may be told. With several questions each gets its share.
        """
        if tokens_of(facts) <= whole_tokens or not facts:
            return Chosen(tuple(facts))
        asked = [queries] if isinstance(queries, Mapping) else list(queries)
        asked = [one for one in asked if any(text.strip() for text in one.values())]
        found = [await self._find(facts, query) for query in asked]
        degraded = self.vectors is not None and any(away for _, away in found)
        shares = [hits[:initial] for hits, _ in found]
        close = any(_is_close(hits, final) for hits, _ in found) or not found
        if self._reranker is not None:
            shares = [await self._reranked(q, hits) for q, hits in zip(asked, shares, strict=True)]
        in_turn = chain.from_iterable(zip_longest(*shares))
        best = dict.fromkeys(hit.fact for hit in in_turn if hit is not None)
        chosen = set(list(best)[: max(final, len(asked))])
        # In their own order, so that the beginning of the prompt stays the same for as long as possible.
        return Chosen(
            tuple(fact for fact in facts if fact in chosen), whole=False, degraded=degraded, close=close
        )

    async def find(self, facts: Sequence[Fact], query: Query, limit: int) -> tuple[Hit, ...]:
        """The best facts for one question, best first, for people who look into their knowledge."""
        hits, _ = await self._find(facts, query)
        return tuple(hits[:limit])

    async def _find(self, facts: Sequence[Fact], query: Query) -> tuple[list[Hit], bool]:
        by_meaning, away = await self._by_meaning(facts, query)
        return await asyncio.to_thread(self._fused, facts, query, by_meaning), away

    async def _by_meaning(self, facts: Sequence[Fact], query: Query) -> tuple[Nearness | None, bool]:
        if self.vectors is None:
            return None, False
        try:
            return await self.vectors.scores(list(query.values()), facts)
        except ServiceAway as error:
            logger.debug("the search goes on by words alone: {}", error)
            return None, True

    def _fused(self, facts: Sequence[Fact], query: Query, by_meaning: Nearness | None) -> list[Hit]:
        """The best facts with a score above 0, best first. A text that several facts have is found once.

        Only the first ``_LOOKED_AT`` of each way of searching are looked at: all else is Python's time for nothing.
        """
        words = self._index.words
        numbers = self._index.numbers_of([fact.text for fact in facts])
        places = dict(zip(reversed(numbers), range(len(facts) - 1, -1, -1), strict=True))
        asked = [(language or None, text) for language, text in query.items()]
        pieces = _scaled(_highest(words.by_pieces(text, places, _LOOKED_AT) for _, text in asked))
        by_words = [(language, words.by_words(text, places, _LOOKED_AT)) for language, text in asked]
        found = {places[number] for number in pieces.keys() | set(chain(*(hits for _, hits in by_words)))}
        if by_meaning is not None:
            found.update(by_meaning.best(_LOOKED_AT))
        by_language = {
            language: _scaled(_highest(hits for asked, hits in by_words if language in {asked, None}))
            for language in {facts[place].language for place in found}
        }
        of_meaning, of_pieces, of_words = _WEIGHTS if by_meaning is not None else _WEIGHTS_OF_WORDS_ALONE
        scores = {
            place: of_pieces * pieces.get(numbers[place], 0.0)
            + of_words * by_language[facts[place].language].get(numbers[place], 0.0)
            + (of_meaning * by_meaning.of(place) if by_meaning is not None else 0.0)
            for place in found
        }
        best = sorted(
            (place for place in found if scores[place] > 0), key=lambda place: (-scores[place], place)
        )
        top = scores[best[0]] if best else 0.0
        return [Hit(facts[place], scores[place] / top) for place in best]

    def renew(self, texts: Iterable[str]) -> None:
        """Rebuild the index for these texts, if most of what it carries is no longer used. Blocking."""
        wanted = set(texts)
        if len(self._index.numbers) > 2 * len(wanted) + _CARRIED:
            self._index = _Index()
        self._index.numbers_of(list(wanted))

    async def _reranked(self, query: Query, hits: list[Hit]) -> list[Hit]:
        if self._reranker is None or not hits:
            return hits
        text = next(text for text in query.values() if text.strip())
        try:
            order = await self._reranker.rank(text, [hit.fact.text for hit in hits])
        except ServiceAway as error:
            logger.debug("what was found is not reranked: {}", error)
            return hits
        return [hits[place] for place in order]


class _Index:
    """The words of every text that was asked about."""

    def __init__(self) -> None:
        self.words = WordIndex()
        self.numbers: dict[str, int] = {}
        self._lock = threading.Lock()

    def numbers_of(self, texts: Sequence[str]) -> list[int]:
        """The number of each text; texts that are new are indexed."""
        with self._lock:
            known = list(map(self.numbers.get, texts))
            if None in known:
                new = [text for text in dict.fromkeys(texts) if text not in self.numbers]
                begin = len(self.numbers) + 1
                self.words.add(dict(enumerate(new, begin)))
                self.numbers.update((text, number) for number, text in enumerate(new, begin))
            return [self.numbers[text] for text in texts] if None in known else known  # type: ignore[return-value]


def _scaled(scores: Mapping[int, float]) -> dict[int, float]:
    """The scores, so that the best one is 1."""
    high = max(scores.values(), default=0.0)
    return {number: score / high for number, score in scores.items()} if high > 0 else {}


def _highest(found: Iterable[Mapping[int, float]]) -> dict[int, float]:
    best: dict[int, float] = {}
    for scores in found:
        for number, score in scores.items():
            best[number] = max(score, best.get(number, score))
    return best


def _is_close(hits: Sequence[Hit], final: int) -> bool:
    """Whether the best fact is hardly better than the best one that is left out."""
    return len(hits) > final and hits[0].score < _CLOSE * hits[final].score
