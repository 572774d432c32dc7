"""What is said between the HTTP side and a channel that is told by HTTP. Plain values: no web framework in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from src.model.inbox import AuthorRole, SeenConversation, SeenMessage, SeenPerson
from src.model.sending import Delivery


@dataclass(frozen=True, slots=True)
class Incoming:
    """One call as it came in, before anybody has parsed it: a signature is over these bytes."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    remote: str
    """The caller's address."""


@dataclass(frozen=True, slots=True)
class DeliveryNote:
    """The remote says what became of one of our messages."""

    external_id: str
    """The message, by the remote's id."""
    standing: Delivery
    at: datetime | None = None
    key: str | None = None
    """The job's id, where the remote hands it back."""
    error: str | None = None
    """The remote's own code, where ``standing`` is FAILED."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a call told, and what is answered once all of it is stored."""

    mine: bool = True
    """Something of it is for the account that was called; False only with ``for_others``."""
    for_others: bool = False
    """Something of it is for another account of the same service, which calls one address for all of them."""
    views: tuple[SeenConversation, ...] = ()
    deliveries: tuple[DeliveryNote, ...] = ()
    answer: bytes = b""
    content_type: str = "text/plain"
    not_understood: tuple[str, ...] = field(default=())
    """What was signed but is not known, in stable words for an incident; nothing of what was written."""


@dataclass(frozen=True, slots=True)
class Media:
    """A file of a message (a voice note), fetched and not kept."""

    data: bytes
    content_type: str


def heard_conversation(
    external_id: str,
    person: str | None,
    messages: tuple[SeenMessage, ...],
    last_activity_at: datetime,
    *,
    kind: str = "chat",
) -> SeenConversation:
    """A conversation between one person and us, as a channel without a list tells it."""
    return SeenConversation(
        external_id=external_id,
        kind=kind,
        is_stay=True,
        is_hosting=True,
        viewer_id="",
        viewer_is_host=True,
        people=(SeenPerson(external_id, AuthorRole.GUEST, person),),
        messages=messages,
        last_activity_at=last_activity_at,
    )
