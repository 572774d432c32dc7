"""A channel that is told by HTTP, as small as one can be: JSON in, a secret word at the door."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from src.channels.base import Capabilities
from src.errors import CallRefused
from src.model.hearing import DeliveryNote, Heard, Incoming, heard_conversation
from src.model.inbox import AuthorRole, MessageKind, SeenMessage
from src.model.sending import Delivery

WORD = "let-me-in"
_BEGIN = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class ListeningChannel:
    """``{"messages": [{"from", "id", "text", "at"}], "statuses": […], "odd": […]}``; ``at`` in seconds."""

    name = "listening"

    def __init__(self, *, personal: bool = False) -> None:
        self.capabilities = Capabilities(
            watches=False, hears=True, has_history=False, ids_are_personal=personal
        )

    def hear(self, call: Incoming) -> Heard:
        if call.method == "GET":
            return Heard(answer=call.query["challenge"].encode())
        if call.headers.get("x-word") != WORD:
            raise CallRefused(401)
        told: dict[str, Any] = json.loads(call.body)
        by_person: dict[str, list[SeenMessage]] = {}
        for one in told.get("messages", []):
            by_person.setdefault(one["from"], []).append(as_message(one))
        views = tuple(
            heard_conversation(person, f"Person {person}", tuple(said), said[-1].sent_at)
            for person, said in by_person.items()
        )
        notes = tuple(
            DeliveryNote(one["id"], Delivery(one["standing"]), key=one.get("key"), error=one.get("error"))
            for one in told.get("statuses", [])
        )
        return Heard(views=views, deliveries=notes, answer=b"ok", not_understood=tuple(told.get("odd", ())))


def as_message(one: dict[str, Any]) -> SeenMessage:
    at = datetime.fromtimestamp(_BEGIN.timestamp() + one.get("at", 0), UTC)
    role = AuthorRole.HOST if one.get("ours") else AuthorRole.GUEST
    if one.get("reaction"):
        return SeenMessage(
            one["id"], None, None, AuthorRole.GUEST, MessageKind.REACTION, "reaction", None, at
        )
    deleted = bool(one.get("deleted"))
    text = None if deleted else one["text"]
    return SeenMessage(one["id"], None, None, role, MessageKind.TEXT, "text", text, at, deleted=deleted)


def told(*messages: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"messages": list(messages), **more}).encode()


def said(
    text: str, at: float = 0, *, number: str = "m1", who: str = "4670000", ours: bool = False
) -> dict[str, Any]:
    return {"from": who, "id": number, "text": text, "at": at, "ours": ours}
