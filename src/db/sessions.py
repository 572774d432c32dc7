"""Logins to the dashboard that were ended before their time. A login itself is a signed cookie, and no row.

They are kept in ``meta``, a row for each, until the cookie would have run out anyway.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, delete, select

from src.db.statements import META, insert_into

_PREFIX = "ended_login:"


def end(conn: Connection, login_id: str, until: datetime, now: datetime) -> None:
    """The login, which would have run out at ``until``, is not accepted any more. Repeatable."""
    # Those that have run out need not be remembered.
    conn.execute(
        delete(META).where(META.c.key.startswith(_PREFIX, autoescape=True), META.c.value < _text(now))
    )
    made = insert_into(conn, META).values(key=f"{_PREFIX}{login_id}", value=_text(until))
    conn.execute(made.on_conflict_do_nothing(index_elements=["key"]))


def has_ended(conn: Connection, login_id: str) -> bool:
    """Whether somebody logged out of it."""
    found = select(META.c.key).where(META.c.key == f"{_PREFIX}{login_id}")
    return conn.execute(found).first() is not None


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
