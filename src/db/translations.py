"""Texts in the host's language (``translations``), each once. They go when the text that they are of goes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, delete, select

from src.db.statements import TRANSLATIONS, insert_into
from src.model.rows import StoredTranslation

_T = TRANSLATIONS.c


def key_of(text: str, language: str) -> str:
    """The key of a text in a language (ISO 639-1)."""
    return hashlib.sha256(f"{language}\0{text}".encode()).hexdigest()


def known(conn: Connection, keys: Collection[str]) -> dict[str, str]:
    """Those that are there, by key."""
    if not keys:
        return {}
    return dict(conn.execute(select(_T.key, _T.text).where(_T.key.in_(list(keys)))).all())


def put(conn: Connection, translation: StoredTranslation) -> None:
    """Keep it, unless the text has one already. Repeatable."""
    statement = insert_into(conn, TRANSLATIONS).values(asdict(translation))
    conn.execute(statement.on_conflict_do_nothing(index_elements=["key"]))


def purge(conn: Connection, before: datetime) -> int:
    """Take out those of texts that were written before then; returns how many. Repeatable."""
    return conn.execute(delete(TRANSLATIONS).where(_T.said_at < before)).rowcount


def forget(conn: Connection, subjects: Collection[str]) -> int:
    """Take out those of these conversations or missing facts (our ids); returns how many. Repeatable."""
    if not subjects:
        return 0
    return conn.execute(delete(TRANSLATIONS).where(_T.subject.in_(list(subjects)))).rowcount
