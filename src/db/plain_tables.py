"""The tables as the statements see them: names and types of the columns, nothing that only making them needs.

Keys, indexes, checks and defaults are in ``src/model/tables.py``, for migrations.
"""

from __future__ import annotations

from sqlalchemy import Column, MetaData, String, Table

from src.model import rows
from src.model.columns import columns_of

_PLAIN = MetaData()


def _table(name: str, row: type) -> Table:
    return Table(name, _PLAIN, *columns_of(row))


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
