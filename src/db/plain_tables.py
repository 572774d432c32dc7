"""The tables as the statements see them: names and types of the columns, nothing that only making them needs.

``src/model/tables/`` declares the tables (keys, indexes, checks, defaults) with SQLModel, which takes as long
to load as a short command may last. Its columns are, name by name, the fields of the dataclasses in
``src/model/rows.py``, so those serve here. A test compares the two.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import date, datetime
from enum import StrEnum
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from sqlalchemy import Column, Date, Float, Integer, LargeBinary, MetaData, String, Table
from sqlalchemy.types import TypeEngine

from src.model import rows
from src.model.columns import UtcDateTime, enum_of

_PLAIN = MetaData()
_TYPES: dict[type, type[TypeEngine[Any]]] = {
    str: String,
    int: Integer,
    float: Float,
    datetime: UtcDateTime,
    date: Date,
    bytes: LargeBinary,
    dict: String,  # JSON; who reads and writes the row sees to that
}


def _table(name: str, row_class: type) -> Table:
    hints = get_type_hints(row_class)
    columns = (
        Column(one.metadata.get("column", one.name), _type_of(hints[one.name]), key=one.name)
        for one in fields(row_class)
    )
    return Table(name, _PLAIN, *columns)


def _type_of(hint: Any) -> TypeEngine[Any]:
    if get_origin(hint) is UnionType:
        (hint,) = (one for one in get_args(hint) if one is not type(None))
    kind = get_origin(hint) or hint
    if issubclass(kind, StrEnum):
        return enum_of(kind, kind.__name__)
    return _TYPES[kind]()


META = Table("meta", _PLAIN, Column("key", String), Column("value", String))
ACCOUNTS = _table("accounts", rows.AccountState)
WORKERS = _table("workers", rows.WorkerBeat)
INCIDENTS = _table("incidents", rows.StoredIncident)
MODES = _table("reply_modes", rows.Rule)
CONVERSATIONS = _table("conversations", rows.StoredConversation)
MESSAGES = _table("messages", rows.StoredMessage)
INBOX = _table("queue_inbox", rows.Request)
OUTBOX = _table("queue_outbox", rows.Job)
RUNS = _table("assistant_runs", rows.AssistantRun)
DOCUMENTS = _table("documents", rows.StoredDocument)
CHUNKS = _table("document_chunks", rows.StoredChunk)
MISSING = _table("missing_facts", rows.MissingFact)
MISSING_REQUESTS = _table("missing_fact_requests", rows.MissingFactRequest)
AUTONOMY = _table("assistant_autonomy", rows.TopicRecord)
ALL = _PLAIN.tables
