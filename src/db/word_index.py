"""Search by words in a process's own memory: two FTS5 tables, rebuilt in each process.

FTS5 serves also where the rows are in PostgreSQL: one ranking everywhere, and one that finds Japanese, which
PostgreSQL's own search does not. `words` has whole words, without accents and English endings; `pieces` has
every three letters in a row, for compounds and for scripts without blanks.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Collection, Mapping
from itertools import islice

_WORD = re.compile(r"\w+")
_PIECE = 3
_MOST_TERMS = 150
"""Of a query; what a guest writes beyond that adds time and no meaning."""


class WordIndex:
    """Texts by a number of the caller's. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts = 0
        self._conn = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._conn.execute(
            "CREATE VIRTUAL TABLE words "
            "USING fts5(text, content='', tokenize='porter unicode61 remove_diacritics 2')"
        )
        self._conn.execute("CREATE VIRTUAL TABLE pieces USING fts5(text, content='', tokenize='trigram')")

    def close(self) -> None:
        """Give the memory back. The index cannot be used any more."""
        with self._lock:
            self._conn.close()

    def add(self, texts: Mapping[int, str]) -> None:
        """Index the texts. Each number is given once in the life of an index."""
        with self._lock:
            self._conn.execute("BEGIN")
            for table in ("words", "pieces"):
                self._conn.executemany(
                    f"INSERT INTO {table} (rowid, text) VALUES (?, ?)",  # noqa: S608 (two names of our own)
                    texts.items(),
                )
            self._conn.execute("COMMIT")
            self._texts += len(texts)

    def by_words(self, query: str, among: Collection[int], limit: int) -> dict[int, float]:
        """The texts that have a word of the query, with a score: higher is better, best first.

        Only those `among` are told, at most `limit` of them.
        """
        return self._scores("words", words_of(query), among, limit)

    def by_pieces(self, query: str, among: Collection[int], limit: int) -> dict[int, float]:
        """The texts that have three letters in a row of a word of the query; otherwise as `by_words`."""
        return self._scores("pieces", pieces_of(query), among, limit)

    def _scores(self, table: str, terms: list[str], among: Collection[int], limit: int) -> dict[int, float]:
        if not terms:
            return {}
        wanted = " OR ".join(f'"{term}"' for term in terms)
        with self._lock:
            # Not `ORDER BY rank`, which takes half as long again (measured, SQLite 3.40).
            rows = self._conn.execute(
                f"SELECT rowid, -bm25({table}) AS score FROM {table} WHERE {table} MATCH ? "  # noqa: S608 (as above)
                "ORDER BY score DESC LIMIT ?",
                (wanted, limit if len(among) >= self._texts else -1),
            )
            # Fetched one by one and best first: most of a long list is never fetched.
            return dict(islice((row for row in rows if row[0] in among), limit))


def words_of(query: str) -> list[str]:
    """The words of a query, each once."""
    return list(dict.fromkeys(word.lower() for word in _WORD.findall(query)))[:_MOST_TERMS]


def pieces_of(query: str) -> list[str]:
    """Every three letters in a row of its words, each once."""
    found: dict[str, None] = {}
    for word in _WORD.findall(query.lower()):
        found.update(dict.fromkeys(word[i : i + _PIECE] for i in range(len(word) - _PIECE + 1)))
    return list(found)[:_MOST_TERMS]
