"""What columns hold besides text, numbers and statuses, and how an id and a time are made.

Apart from ``tables.py`` because everything needs it, and the tables' library takes longer to load than a short
command may last.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from uuid import uuid4

from src.model.statuses import OPEN_INBOX

DEFAULT_ACCOUNT = "default"


class Direction(StrEnum):
    """INBOUND comes from the guest's side, OUTBOUND from the host's; what the site itself writes is SYSTEM."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    SYSTEM = "system"


class ReplyMode(StrEnum):
    """What happens with an answer of the AI."""

    AUTO = "auto"
    DRAFT = "draft"
    OFF = "off"


class LinkState(StrEnum):
    """Whether the product may touch the site for an account."""

    OK = "ok"
    HALTED = "halted"


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    return str(uuid4())


def one_of(column: str, statuses: frozenset[StrEnum]) -> str:
    """The SQL condition that the column holds one of them, always in the same order."""
    return f"{column} IN ({', '.join(repr(str(s.value)) for s in sorted(statuses))})"


OPEN_INBOX_SQL = one_of("status", OPEN_INBOX)
"""The condition of the index that keeps a conversation to one open request; an upsert must repeat it exactly."""


AI_WORKER = "ai_webhook"
"""The name under which the AI's calls are counted in the table ``workers``, beside the workers themselves."""

MESSAGE, START = "message", "start"
"""The kinds of a request: about what somebody wrote, or for the first message of a conversation."""
ANSWER, HOLDING, NOTICE = "answer", "holding", "notice"
"""The kinds of a reply: an answer, or words that only say that the guest's message has arrived."""

ASSISTANT, PERSON = "assistant", "person"
"""Who wrote a reply: the AI, or somebody of our side."""

JOINED, LEFT = "joined", "left"
"""``messages.detail`` of a note to a site's visitor: a person of our side takes over, gives back to the AI."""
