"""What guests asked in the past and a person answered, as payloads of the AI webhook. Read-only.

guest, guest, HOST ─▶ one question: both messages; what the host said to it; what had been said before
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from src.account import Account
from src.db import conversations
from src.db.engine import Connection
from src.model.rows import StoredConversation, StoredMessage
from src.model.stages import stage_of
from src.model.values import Direction
from src.services.ai_exchange import readable, role_of

_PEOPLE = frozenset({"host", "team"})
_MESSAGES = 500
"""Of one conversation, its newest."""


@dataclass(frozen=True, slots=True)
class PastQuestion:
    """A guest's message, or several in a row, and what the host's side answered."""

    payload: dict[str, Any]
    asked_at: datetime
    answered: str


def find_past(
    conn: Connection, account: Account, *, since: datetime, limit: int | None = None
) -> list[PastQuestion]:
    """The newest ``limit`` questions that were asked since then and answered by a person, newest first."""
    found: list[PastQuestion] = []
    for conversation in conversations.active_since(conn, account.name, since):
        if conversation.skip_reason is None:
            messages = conversations.messages_of(conn, conversation.id, _MESSAGES)
            found += (one for one in _questions(account, conversation, messages) if one.asked_at >= since)
    found.sort(key=lambda one: one.asked_at, reverse=True)
    return found[:limit]


def _questions(
    account: Account, conversation: StoredConversation, messages: list[StoredMessage]
) -> Iterator[PastQuestion]:
    texts = [message for message in messages if readable(message)]
    own: list[StoredMessage] = []
    for place, message in enumerate(texts):
        if message.direction is Direction.INBOUND:
            own.append(message)
            continue
        if own and message.origin in _PEOPLE:
            answer = _answer(texts[place:])
            yield PastQuestion(
                _payload(account, conversation, own, texts[: place - len(own)]), own[-1].sent_at, answer
            )
        own = []


def _answer(rest: list[StoredMessage]) -> str:
    said = []
    for message in rest:
        if message.origin not in _PEOPLE:
            break
        said.append(message.text or "")
    return "\n".join(said)


def _payload(
    account: Account,
    conversation: StoredConversation,
    own: list[StoredMessage],
    before: list[StoredMessage],
) -> dict[str, Any]:
    guest = own[-1].sender_name or conversation.guest_name or "Guest"
    at = own[-1].sent_at
    history = before[-account.settings.history_messages :]
    first = not any(one.direction is Direction.OUTBOUND for one in before)
    return {
        "conversation_id": conversation.external_id,
        "sender": guest,
        "message": "\n".join(message.text or "" for message in own),
        "property_id": conversation.listing_id,
        "messages": [{"id": m.external_id, "text": m.text, "sent_at": m.sent_at.isoformat()} for m in own],
        "history": [{"role": role_of(m), "text": m.text, "sent_at": m.sent_at.isoformat()} for m in history],
        "stay": {**conversation.stay, "stage": stage_then(conversation.stay, at, first=first)},
        "account": account.name,
        "channel": account.channel,
    }


def stage_then(stay: dict[str, Any], at: datetime, *, first: bool) -> str:
    """Where the stay stood then, as far as its dates and its state of today tell: the stage that is told least.

    ``first``: the host's side had not written yet, so that the guest was only asking.
    """
    now = stage_of(stay)
    if first or now in {"inquiry", "request", "cancelled"}:
        return "inquiry"
    days = [_day(stay.get(name)) for name in ("check_in", "check_out")]
    day = at.astimezone(UTC).date()
    if days[0] is None or days[1] is None or day < days[0]:
        return "booked"
    return "staying" if day <= days[1] else "past"


def _day(given: object) -> date | None:
    try:
        return date.fromisoformat(str(given)[:10])
    except ValueError:
        return None
