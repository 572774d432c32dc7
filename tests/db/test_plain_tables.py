"""The tables that statements use are the declared ones, without what only their making needs."""

from __future__ import annotations

import pytest
from sqlalchemy import Date, Enum, Float, Integer, LargeBinary, String
from sqlalchemy.types import TypeEngine
from sqlmodel import AutoString, SQLModel

from src.db import plain_tables
from src.model import tables
from src.model.columns import UtcDateTime

DECLARED = SQLModel.metadata.tables


def test_every_declared_table_is_there_and_no_other():
    assert tables.Meta.__tablename__ in DECLARED
    assert set(plain_tables.ALL) == set(DECLARED)


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_the_columns_are_the_declared_ones(name):
    plain = {column.name: same(column.type) for column in plain_tables.ALL[name].columns}
    read = [column for column in DECLARED[name].columns if column.computed is None]
    assert plain == {column.name: same(column.type) for column in read}


def test_what_the_database_makes_from_other_columns_is_for_people_and_not_read_by_the_code():
    made = {
        (table.name, column.name)
        for table in DECLARED.values()
        for column in table.columns
        if column.computed
    }
    assert made == {("messages", "created_at")}


def same(kind: TypeEngine) -> tuple:
    """What a value goes through on its way into the database and back."""
    if isinstance(kind, Enum):
        return ("enum", kind.enum_class, tuple(kind.enums), kind.native_enum)
    if isinstance(kind, UtcDateTime):
        return ("time in UTC",)
    if isinstance(kind, Float):
        return ("fraction",)
    if isinstance(kind, (Date, LargeBinary)):
        return (type(kind).__name__,)
    assert isinstance(kind, (String, AutoString, Integer)), kind
    return ("number",) if isinstance(kind, Integer) else ("text",)
