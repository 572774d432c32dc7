"""The app's own side: tables, triggers, people. It knows nothing of who answers for its bots.

The rows are the referee: what stands in ``messages`` is what people see.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import psycopg

TABLES = """
CREATE TABLE profiles (id uuid PRIMARY KEY, display_name text, is_bot boolean NOT NULL DEFAULT false);
CREATE TABLE matches (
    id uuid PRIMARY KEY,
    user_id uuid REFERENCES profiles ON DELETE SET NULL,
    bot_id uuid REFERENCES profiles ON DELETE SET NULL,
    status text NOT NULL DEFAULT 'active',
    note text,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE messages (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    match_id uuid NOT NULL REFERENCES matches ON DELETE CASCADE,
    sender_id uuid,
    content text NOT NULL,
    kind text NOT NULL DEFAULT 'text',
    created_at timestamptz NOT NULL DEFAULT now(),
    edited_at timestamptz,
    deleted_at timestamptz
);
CREATE TABLE typing (
    match_id uuid REFERENCES matches ON DELETE CASCADE,
    profile_id uuid,
    typing_at timestamptz,
    PRIMARY KEY (match_id, profile_id)
);
CREATE INDEX ON messages (match_id, created_at);
CREATE INDEX ON messages (created_at);
"""
TRIGGERS = """
CREATE FUNCTION tell_bots() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('bot_events', json_build_object(
        'match_id', NEW.match_id, 'sender_id', NEW.sender_id, 'message_id', NEW.id,
        'bot_id', (SELECT bot_id FROM matches WHERE id = NEW.match_id))::text);
    RETURN NULL;
END $$;
CREATE TRIGGER tell_bots AFTER INSERT OR UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION tell_bots();
CREATE FUNCTION tell_match() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('new_match', json_build_object('match_id', NEW.id, 'bot_id', NEW.bot_id)::text);
    RETURN NULL;
END $$;
CREATE TRIGGER tell_match AFTER INSERT ON matches FOR EACH ROW EXECUTE FUNCTION tell_match();
"""
MAPPING = """
[messages]
table = "messages"
id = "id"
conversation = "match_id"
sender = "sender_id"
text = "content"
sent_at = "created_at"
edited_at = "edited_at"
deleted_at = "deleted_at"
kind = "kind"

[conversations]
table = "matches"
id = "id"
members = ["user_id", "bot_id"]
open = {column = "status", equals = "active"}
started_at = "created_at"

[people]
table = "profiles"
id = "id"
name = "display_name"
ours = {column = "is_bot", equals = true}
"""

TYPING_MAPPING = """
[typing]
table = "typing"
conversation = "match_id"
sender = "profile_id"
at = "typing_at"
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A message as it stands in the table."""

    id: str
    sender: str | None
    text: str
    at: datetime


class App:
    """The app on one database. Everything is committed when a method returns."""

    def __init__(self, url: str, *, triggers: bool = True) -> None:
        self.url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self.conn: psycopg.Connection[Any] = psycopg.connect(self.url, autocommit=True)
        self.conn.execute(TABLES)
        if triggers:
            self.conn.execute(TRIGGERS)
        self.bot = self.profile("Bea (a bot)", is_bot=True)

    def close(self) -> None:
        self.conn.close()

    # --- people ----------------------------------------------------------------------------------------------

    def profile(self, name: str, *, is_bot: bool = False) -> str:
        made = str(uuid4())
        self.conn.execute("INSERT INTO profiles VALUES (%s, %s, %s)", (made, name, is_bot))
        return made

    def match(self, user: str | None = None, *, bot: str | None = None) -> str:
        """Somebody (by default a new user) matches with a bot; returns the match."""
        made = str(uuid4())
        values = (made, user or self.profile("Uwe User"), bot or self.bot)
        self.conn.execute("INSERT INTO matches (id, user_id, bot_id) VALUES (%s, %s, %s)", values)
        return made

    def user_writes(self, match: str, text: str, **columns: Any) -> str:
        """The user of the match writes; returns the message's id."""
        return insert(self.conn, match, self._member(match, "user_id"), text, **columns)

    def bot_person_writes(self, match: str, text: str) -> str:
        """A person of the app's team writes in the bot's name."""
        return insert(self.conn, match, self._member(match, "bot_id"), text)

    def stranger_writes(self, match: str, text: str) -> str:
        return insert(self.conn, match, self.profile("Mo Moderator"), text)

    def edit(self, message: str, text: str) -> None:
        self.conn.execute(
            "UPDATE messages SET content = %s, edited_at = clock_timestamp() WHERE id = %s", (text, message)
        )

    def unmatch(self, match: str) -> None:
        self.conn.execute("UPDATE matches SET status = 'unmatched' WHERE id = %s", (match,))

    @contextmanager
    def writing_slowly(self, match: str, text: str) -> Iterator[None]:
        """The user's message is in a transaction that began before the block and is committed after it."""
        with psycopg.connect(self.url) as slow:
            insert(slow, match, self._member(match, "user_id"), text)
            yield
            slow.commit()

    @contextmanager
    def dated_before(self, match: str, text: str) -> Iterator[None]:
        """The same, but the row is only inserted after the block: nothing holds it off, only its date is old."""
        with psycopg.connect(self.url) as slow:
            slow.execute("SELECT now()")
            yield
            insert(slow, match, self._member(match, "user_id"), text)
            slow.commit()

    # --- looking and trouble -----------------------------------------------------------------------------------

    def rows(self, match: str) -> list[Row]:
        found = self.conn.execute(
            "SELECT id::text, sender_id::text, content, created_at FROM messages WHERE match_id = %s"
            " ORDER BY created_at, id",
            (match,),
        )
        return [Row(*row) for row in found]

    def texts(self, match: str) -> list[str]:
        return [row.text for row in self.rows(match)]

    def typing_since(self, match: str) -> datetime | None:
        """Since when the app shows that somebody types there; None if nobody does."""
        found = self.conn.execute(
            "SELECT max(typing_at) FROM typing WHERE match_id = %s", (match,)
        ).fetchone()
        return found[0] if found else None

    def answers(self, match: str) -> list[str]:
        """What stands there in the bot's name."""
        return [row.text for row in self.rows(match) if row.sender == self._member(match, "bot_id")]

    def waiting(self) -> int:
        """How many sessions wait for a lock that somebody else holds."""
        asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        (number,) = self.conn.execute(asked).fetchone() or (0,)
        return int(number)

    def cut(self, *, listeners_only: bool = False) -> int:
        """End other connections of the product to this database; returns how many."""
        statement = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database() AND application_name = 'nightporter'"
        )
        if listeners_only:
            statement += " AND query ILIKE 'LISTEN%'"
        return len(self.conn.execute(statement.encode()).fetchall())

    def user_of(self, match: str) -> str | None:
        return self._member(match, "user_id")

    def _member(self, match: str, column: str) -> str | None:
        query = {"user_id": "SELECT user_id", "bot_id": "SELECT bot_id"}[  # noqa: S608 (names of our own)
            column
        ] + " FROM matches WHERE id = %s"
        row = self.conn.execute(query.encode(), (match,))
        (found,) = row.fetchone() or (None,)
        return str(found) if found else None


def insert(conn: psycopg.Connection[Any], match: str, sender: str | None, text: str, **columns: Any) -> str:
    """A row of ``messages`` as an app writes it; returns its id. Not committed here."""
    made = str(uuid4())
    names = ", ".join(["id", "match_id", "sender_id", "content", *columns])
    places = ", ".join(["%s"] * (4 + len(columns)))
    values = (made, match, sender, text, *columns.values())
    statement = f"INSERT INTO messages ({names}) VALUES ({places})"  # noqa: S608 (names of our own)
    conn.execute(statement.encode(), values)
    return made
