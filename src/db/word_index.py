"""Search by words in a process's own memory: two FTS5 tables, rebuilt in each process.

FTS5 serves also where the rows are in PostgreSQL: one ranking everywhere, and one that finds Japanese, which
PostgreSQL's own search does not. `words` has whole words, without accents and English endings; `pieces` has
every three letters in a row, for compounds and for scripts without blanks.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Mapping

_WORD = re.compile(r"\w+")
_PIECE = 3
_MOST_TERMS = 150
"""Of a query; what a guest writes beyond that adds time and no meaning."""


class WordIndex:
    """Texts by a number of the caller's. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
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

    def by_words(self, query: str) -> dict[int, float]:
        """The texts that have a word of the query, with a score: higher is better."""
        words = dict.fromkeys(word.lower() for word in _WORD.findall(query))
        return self._scores("words", list(words))

    def by_pieces(self, query: str) -> dict[int, float]:
        """The texts that have three letters in a row of a word of the query, with a score: higher is better."""
        found: dict[str, None] = {}
        for word in _WORD.findall(query.lower()):
            found.update(dict.fromkeys(word[i : i + _PIECE] for i in range(len(word) - _PIECE + 1)))
        return self._scores("pieces", list(found))

    def _scores(self, table: str, terms: list[str]) -> dict[int, float]:
        if not terms:
            return {}
        wanted = " OR ".join(f'"{term}"' for term in terms[:_MOST_TERMS])
        with self._lock:
            rows = self._conn.execute(
                f"SELECT rowid, -rank FROM {table} WHERE {table} MATCH ?",  # noqa: S608 (two names of our own)
                (wanted,),
            )
            return dict(rows.fetchall())
