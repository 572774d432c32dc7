"""The tables that statements use are those that migrations make; the columns of both come from the same rows."""

from __future__ import annotations

from src.db.statements import TABLES
from src.model.tables import METADATA


def test_every_declared_table_is_there_and_no_other():
    assert set(TABLES) == set(METADATA.tables)


def test_a_column_that_statements_do_not_know_is_made_by_the_database_for_people():
    read = {str(column) for table in TABLES.values() for column in table.columns}
    declared = {str(column): column for table in METADATA.tables.values() for column in table.columns}
    assert read <= set(declared)
    assert set(declared) - read == {"messages.created_at"}
    assert declared["messages.created_at"].computed is not None
