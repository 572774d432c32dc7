"""Shows in a table of the app that our profile types: one row for a conversation and a profile, with a time.

On a connection of its own: it never waits for a look or a press, and neither waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import sql

from src.channels.pgnotify.catalogue import Catalogue, table_name
from src.channels.pgnotify.link import Link
from src.channels.pgnotify.mapping import Typing
from src.errors import NightporterError


@dataclass(frozen=True, slots=True)
class TypingStatements:
    """Composed once for a mapping and its catalogue."""

    change: sql.Composed
    """The row that is there: its time is now, or none."""
    add: sql.Composed


def compose_typing(typing: Typing, catalogue: Catalogue) -> TypingStatements:
    """Pure."""

    def bound(name: str, column: str) -> sql.Composed:
        kind = catalogue.type_of(typing.table, column) or "text"
        return sql.SQL("%({})s::{}").format(sql.SQL(name), sql.SQL(kind))

    names = {
        "table": table_name(typing.table),
        "at": sql.Identifier(typing.at),
        "conversation": sql.Identifier(typing.conversation),
        "sender": sql.Identifier(typing.sender),
        "id": bound("id", typing.conversation),
        "by": bound("sender", typing.sender),
    }
    return TypingStatements(
        sql.SQL(
            "UPDATE {table} SET {at} = CASE WHEN %(on)s THEN clock_timestamp() END"
            " WHERE {conversation} = {id} AND {sender} = {by} RETURNING 1"
        ).format(**names),
        sql.SQL(
            "INSERT INTO {table} ({conversation}, {sender}, {at}) SELECT {id}, {by}, clock_timestamp()"
            " WHERE %(on)s ON CONFLICT DO NOTHING RETURNING 1"
        ).format(**names),
    )


class TypingShown:
    """The connection over which it is shown; opened when it is first needed."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._link: Link | None = None

    async def show(self, statements: TypingStatements, values: dict[str, Any]) -> None:
        """Raises what a Link raises; the next call then opens a new connection. Repeatable."""
        if not await self.rows(statements.change, values):
            await self.rows(statements.add, values)

    async def rows(self, statement: sql.Composed, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """The rows of one statement. Raises as ``show`` does."""
        try:
            if self._link is None or not self._link.is_open:
                self._link = await Link.open(self._conninfo)
            return await self._link.rows(statement, values)
        except NightporterError:
            await self.close()
            raise

    async def close(self) -> None:
        """Never raises; may be called twice."""
        link, self._link = self._link, None
        if link is not None:
            await link.close()
