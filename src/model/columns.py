"""Column types and indexes of our own."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Computed, DateTime, Enum, Index
from sqlalchemy import text as sql
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time: timezone-aware in Python, UTC in the database.

    SQLite has no time zones: it holds UTC as text (``2026-11-21 09:30:00.000000``), which sorts as time does.
    PostgreSQL holds ``timestamptz``. A naive value is refused with ValueError, since nobody knows what it means.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the base class calls it
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def enum_of(enum: type[StrEnum], name: str) -> Enum:
    """A text column that holds the members' values and, by a CHECK with this name, nothing else."""
    return Enum(
        enum,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows alone for which the condition holds, on either database."""
    return Index(name, *columns, unique=unique, sqlite_where=sql(where), postgresql_where=sql(where))


class Generated(Computed):
    """A column that the database makes from others of its row.

    PostgreSQL keeps it, SQLite makes it when it is read: each the one way in which every supported version can add
    it to a table that is there.
    """

    inherit_cache = True


@compiles(Generated)
def _kept(element: Generated, compiler: Any, **_: Any) -> str:
    return f"{_made_when_read(element, compiler)} STORED"


@compiles(Generated, "sqlite")
def _made_when_read(element: Generated, compiler: Any, **_: Any) -> str:
    text = compiler.sql_compiler.process(element.sqltext, include_table=False, literal_binds=True)
    return f"GENERATED ALWAYS AS ({text})"
