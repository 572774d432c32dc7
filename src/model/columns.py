"""Columns made from the fields of a row, and column types and indexes of our own."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import UTC, date, datetime
from enum import StrEnum
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from sqlalchemy import Column, Computed, Date, DateTime, Enum, Float, Index, Integer, LargeBinary, String
from sqlalchemy import text as sql
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeDecorator, TypeEngine


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


_TYPES: dict[type, type[TypeEngine[Any]]] = {
    str: String,
    int: Integer,
    float: Float,
    datetime: UtcDateTime,
    date: Date,
    bytes: LargeBinary,
    dict: String,  # JSON; who reads and writes the row sees to that
}


def columns_of(row: type) -> list[Column[Any]]:
    """A column for each field of a row's dataclass: the field's name and type, null where it may be None."""
    hints = get_type_hints(row)
    return [_column(one.metadata.get("column", one.name), one.name, hints[one.name]) for one in fields(row)]


def _column(name: str, key: str, hint: Any) -> Column[Any]:
    kinds = get_args(hint) if get_origin(hint) is UnionType else (hint,)
    (kind,) = (get_origin(one) or one for one in kinds if one is not type(None))
    made = _enum(kind) if issubclass(kind, StrEnum) else _TYPES[kind]()
    return Column(name, made, key=key, nullable=len(kinds) > 1)


def _enum(enum: type[StrEnum]) -> Enum:
    """A text column that holds the members' values and, by a CHECK named after them, nothing else."""
    return Enum(
        enum,
        name=re.sub(r"(?<!^)(?=[A-Z])", "_", enum.__name__).lower(),
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
