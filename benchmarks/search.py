"""The search among 10,000 facts of one listing, beside bare FTS5 queries and a numpy product on the same data.

The vectors are drawn by lot: what a model takes to make them is not measured here.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.results import Results
from benchmarks.sizes import Size
from src.assistant.embeddings import Vectors
from src.assistant.retrieve import Search
from src.assistant.search_cases import load_search_set
from src.assistant.values import Fact
from src.db.word_index import pieces_of, words_of

GROUP = "Search"
CASE = "one question among 10,000 facts"
FACTS, _DIMENSIONS, _BEST, _ROUNDS = 10_000, 384, 20, 3
_FOLDER = Path(__file__).parents[1] / "tests" / "assistant" / "retrieval"


def steps(_size: Size) -> int:
    return 1


def run(_size: Size, results: Results, tick: Callable[[str], None]) -> None:
    tick(f"search: {CASE}")
    ours, floor = asyncio.run(_measure())
    results.add(GROUP, CASE, "ours", "ms", ours)
    results.add(GROUP, CASE, "bare FTS5 and numpy", "ms", floor)


class _ByLot:
    """Vectors of length one that mean nothing."""

    name, at_once = "by lot", 1_000

    def __init__(self) -> None:
        import numpy as np

        self._numpy = np
        self._lot = np.random.default_rng(1)

    async def embed(self, texts: Sequence[str], *, as_query: bool) -> Any:  # noqa: ARG002 (the port's)
        rows = self._lot.standard_normal((len(texts), _DIMENSIONS)).astype(self._numpy.float32)
        return rows / self._numpy.linalg.norm(rows, axis=1, keepdims=True)


class _Floor:
    """What no search on these libraries can do without: two FTS5 queries for each text, and one product."""

    def __init__(self, facts: Sequence[Fact], matrix: Any, of_queries: dict[str, Any]) -> None:
        import numpy as np

        self._numpy, self._matrix, self._of_queries = np, matrix, of_queries
        self._conn = sqlite3.connect(":memory:")
        texts = [(fact.text,) for fact in facts]
        for table, tokens in (("words", "porter unicode61 remove_diacritics 2"), ("pieces", "trigram")):
            self._conn.execute(
                f"CREATE VIRTUAL TABLE {table} USING fts5(text, content='', tokenize='{tokens}')"
            )
            self._conn.executemany(f"INSERT INTO {table} (text) VALUES (?)", texts)

    def find(self, texts: Sequence[str]) -> None:
        for text in texts:
            for table, terms in (("words", words_of(text)), ("pieces", pieces_of(text))):
                if terms:
                    self._conn.execute(
                        f"SELECT rowid, bm25({table}) AS score FROM {table} "
                        f"WHERE {table} MATCH ? ORDER BY score LIMIT ?",
                        (" OR ".join(f'"{term}"' for term in terms), _BEST),
                    ).fetchall()
        near = (self._matrix @ self._numpy.stack([self._of_queries[text] for text in texts]).T).max(axis=1)
        near.argpartition(-_BEST)[-_BEST:].tolist()


async def _measure() -> tuple[list[float], list[float]]:
    """Milliseconds of each question, ours and the floor in turn."""
    import numpy as np

    given = load_search_set(_FOLDER)
    some = given.diluted(given.facts, 2_000)
    facts = [
        replace(some[n % len(some)], id=f"{n}", text=f"{some[n % len(some)].text} ({n})")
        for n in range(FACTS)
    ]
    vectors, lot = Vectors(_ByLot()), _ByLot()
    made = await vectors.make([fact.text for fact in facts])
    search = Search(vectors)
    questions = [case.query for case in given.cases(len(given.facts), translated=True)]
    texts = sorted({text for question in questions for text in question.values()})
    of_queries = dict(zip(texts, await lot.embed(texts, as_query=True), strict=True))
    matrix = np.stack([np.frombuffer(one, dtype=np.float32) for one in made.values()])
    floor = _Floor(facts, matrix, of_queries)
    for question in questions:  # embeds each question once: that is not counted
        await search.find(facts, question, _BEST)
    ours_ms, floor_ms = [], []
    for question in questions * _ROUNDS:
        began = time.perf_counter()
        await search.find(facts, question, _BEST)
        between = time.perf_counter()
        floor.find(list(question.values()))
        ours_ms.append((between - began) * 1000)
        floor_ms.append((time.perf_counter() - between) * 1000)
    return ours_ms, floor_ms
