"""What the query modules share: the tables, rows → dataclasses, upserts in two dialects, guarded updates."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    MetaData,
    Select,
    String,
    Table,
    Update,
    literal_column,
    select,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal

from src.errors import StaleJob
from src.model.columns import columns_of
from src.model.rows import (
    AccountState,
    AssistantRun,
    Job,
    MissingFact,
    MissingFactRequest,
    Request,
    Rule,
    StoredChunk,
    StoredConversation,
    StoredDocument,
    StoredIncident,
    StoredMessage,
    StoredTranslation,
    StoredVisitor,
    TopicRecord,
    WorkerBeat,
)

T = TypeVar("T")
S = TypeVar("S", bound=StrEnum)


# The tables as statements see them: the names and types of their columns. Keys, indexes, checks and defaults are in
# ``src/model/tables.py``, for migrations: SQLModel takes as long to load as a short command may last.
_TABLES = MetaData()


def _table(name: str, row: type) -> Table:
    return Table(name, _TABLES, *columns_of(row))


META = Table("meta", _TABLES, Column("key", String), Column("value", String))
ACCOUNTS = _table("accounts", AccountState)
WORKERS = _table("workers", WorkerBeat)
INCIDENTS = _table("incidents", StoredIncident)
MODES = _table("reply_modes", Rule)
CONVERSATIONS = _table("conversations", StoredConversation)
MESSAGES = _table("messages", StoredMessage)
VISITORS = _table("visitors", StoredVisitor)
INBOX = _table("queue_inbox", Request)
OUTBOX = _table("queue_outbox", Job)
RUNS = _table("assistant_runs", AssistantRun)
DOCUMENTS = _table("documents", StoredDocument)
CHUNKS = _table("document_chunks", StoredChunk)
MISSING = _table("missing_facts", MissingFact)
MISSING_REQUESTS = _table("missing_fact_requests", MissingFactRequest)
TRANSLATIONS = _table("translations", StoredTranslation)
AUTONOMY = _table("assistant_autonomy", TopicRecord)
TABLES = _TABLES.tables


@dataclass(frozen=True)
class RowShape(Generic[T]):
    """How the rows of a table become one frozen dataclass, and how its statements begin.

    The beginnings name every column and are made once, for apps with hundreds of messages a second: making them
    takes longer than the database takes (ADR 0046).
    """

    columns: tuple[Column[Any], ...]
    make: Callable[..., T]
    select: Select[Any]
    update: Update
    """Gives the changed rows back."""
    table: Table

    @classmethod
    def of(cls, row_class: type[T], table: Table, make: Callable[..., T] | None = None) -> RowShape[T]:
        columns = tuple(table.c[field.name] for field in fields(row_class))  # type: ignore[arg-type]
        return cls(columns, make or row_class, select(*columns), update(table).returning(*columns), table)

    def insert(self, conn: Connection) -> Any:
        """An INSERT that gives the row back and knows ``on_conflict_do_…`` in the dialect of this connection."""
        return insert_into(conn, self.table).returning(*self.columns)


def once_per_dialect(make: Callable[[Connection], Any]) -> Callable[[Connection], Any]:
    """A statement that differs between the kinds of database: made when it is first needed, then kept."""
    made: dict[str, Any] = {}

    def statement(conn: Connection) -> Any:
        dialect = conn.dialect.name
        if dialect not in made:
            made[dialect] = make(conn)
        return made[dialect]

    return statement


@cache
def alias(table: Table, name: str) -> FromClause:
    """The table under another name, made once: copying its columns costs more than the rest of a statement."""
    return table.alias(name)


def literal(status: StrEnum) -> Any:
    """The status as text in the statement: a bound value would keep a partial index from being used."""
    return literal_column(f"'{status.value}'")


class Unindexed(ColumnElement[Any]):
    """A column that SQLite is not to use an index for: it knows too little about the rows to choose well.

    For a host whose queue has grown long: the oldest job is found without sorting all that are due (ADR 0046).
    """

    inherit_cache = True
    _traverse_internals = [("column", InternalTraversal.dp_clauseelement)]  # noqa: RUF012 - as SQLAlchemy has it

    def __init__(self, column: ColumnElement[Any]) -> None:
        self.column = column
        self.type = column.type


@compiles(Unindexed)
def _plainly(element: Unindexed, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.column, **options))


@compiles(Unindexed, "sqlite")
def _with_a_plus(element: Unindexed, compiler: Any, **options: Any) -> str:
    return f"+{compiler.process(element.column, **options)}"


def insert_into(conn: Connection, table: Table) -> Any:
    """An INSERT that knows ``on_conflict_do_…`` in the dialect of this connection (same call in both)."""
    # Imported here: a process knows one kind of database, and the other one takes its time to load.
    if conn.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415

    return sqlite.insert(table)


def rows(
    conn: Connection, statement: Any, shape: RowShape[T], values: Mapping[str, Any] | None = None
) -> list[T]:
    return [shape.make(*row) for row in conn.execute(statement, values)]


def one_or_none(
    conn: Connection, statement: Any, shape: RowShape[T], values: Mapping[str, Any] | None = None
) -> T | None:
    row = conn.execute(statement, values).first()
    return None if row is None else shape.make(*row)


def moved(
    conn: Connection,
    statement: Update,
    shape: RowShape[T],
    what: str,
    values: Mapping[str, Any] | None = None,
) -> T:
    """Run a guarded UPDATE of one row and return the row as it is now; StaleJob if its guard did not hold."""
    found = one_or_none(conn, statement, shape, values)
    if found is None:
        raise StaleJob(f"{what}: the row is no longer where this move starts from")
    return found


def check_move(table: Mapping[S, frozenset[S]], sources: Collection[S], target: S) -> list[S]:
    """The sources as a list; ValueError if one of them may not lead to ``target`` (a mistake in the code)."""
    wrong = sorted(str(source) for source in sources if target not in table[source])
    if wrong or not sources:
        raise ValueError(f"no such move: {', '.join(wrong) or 'nothing'} → {target}")
    return list(sources)
