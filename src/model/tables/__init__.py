"""The tables. SQL inspection is a feature: names and statuses here are public (README, "Look into the queues").

Every row carries ``account``. ``id`` is ours, ``external_id`` the site's; ``*_at`` is UTC.
Statuses are stored as their value (SQLModel's own default would store the Enum's name).
"""

from src.model.tables.accounts import Account, Incident, Meta, ModeRule, WorkerState
from src.model.tables.assistant import (
    AssistantRun,
    Document,
    DocumentChunk,
    MissingFact,
    MissingFactRequest,
    TopicRow,
)
from src.model.tables.people import Conversation, Message
from src.model.tables.queues import InboxRequest, OutboxJob
from src.model.values import DEFAULT_ACCOUNT, OPEN_INBOX_SQL, Direction, LinkState, ReplyMode, new_id, utc_now

# Those of `values` moved to a module that loads faster; they can still be imported from here.
__all__ = [
    "DEFAULT_ACCOUNT",
    "OPEN_INBOX_SQL",
    "Account",
    "AssistantRun",
    "Conversation",
    "Direction",
    "Document",
    "DocumentChunk",
    "InboxRequest",
    "Incident",
    "LinkState",
    "Message",
    "Meta",
    "MissingFact",
    "MissingFactRequest",
    "ModeRule",
    "OutboxJob",
    "ReplyMode",
    "TopicRow",
    "WorkerState",
    "new_id",
    "utc_now",
]
