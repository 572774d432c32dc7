"""Rows as the rest of the code sees them: frozen copies, made by ``src/db``. The one declaration of each column.

A field is a column: its name, its type, and null where the type has None. The tables are made from these
(``src/model/tables.py``). SQL inspection is a feature: names and statuses here are public (README, "Look into the
queues"). Every row carries ``account``. ``id`` is ours, ``external_id`` the site's; every ``*_at`` is UTC-aware.
"""

from src.model.rows.accounts import AccountState, Rule, StoredIncident, WorkerBeat
from src.model.rows.assistant import (
    AssistantRun,
    MissingFact,
    MissingFactRequest,
    StoredChunk,
    StoredDocument,
    StoredTranslation,
    TopicRecord,
)
from src.model.rows.people import StoredConversation, StoredMessage, StoredVisitor
from src.model.rows.queues import NOTHING_SAID, Job, Request, Said

__all__ = [
    "NOTHING_SAID",
    "AccountState",
    "AssistantRun",
    "Job",
    "MissingFact",
    "MissingFactRequest",
    "Request",
    "Rule",
    "Said",
    "StoredChunk",
    "StoredConversation",
    "StoredDocument",
    "StoredIncident",
    "StoredMessage",
    "StoredTranslation",
    "StoredVisitor",
    "TopicRecord",
    "WorkerBeat",
]
