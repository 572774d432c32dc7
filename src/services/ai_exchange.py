"""What is said to the AI and what it says back: the bodies, the signature, when to try again. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic import SecretStr
from standardwebhooks import Webhook

from src.model.answer import Action, Answer
from src.model.blank import is_blank
from src.model.rows import Request, StoredConversation, StoredMessage
from src.model.stages import stage_of
from src.model.values import Direction
from src.services.said import LONGEST_NAME, read_hold, read_messages, read_parts, read_said

CALLBACK_PATH = "/api/ai/webhook-simple"

_PASSING_4XX = frozenset({408, 425, 429})
# What a well-known automation tool says when it has only accepted a call. It is never meant for a guest.
_ACKNOWLEDGEMENTS = frozenset({"workflow was started", "workflow got started", "workflow got started."})


@dataclass(frozen=True, slots=True)
class Response:
    """What came back: a status, or None and the ``error`` why none came."""

    status: int | None
    body: bytes = b""
    retry_after: str | None = None
    error: str | None = None
    duration_ms: int = 0
    trouble: str | None = None
    """A short stable word: what is wrong with the AI although there is an answer (its model is out of reach)."""

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        return self.status is not None and 400 <= self.status < 500 and self.status not in _PASSING_4XX

    @property
    def outcome(self) -> str:
        """A short stable word: ``http_503``, ``timeout``, ``no_connection``."""
        return self.trouble or self.error or f"http_{self.status}"


# --- what is sent ----------------------------------------------------------------------------------------


def build_payload(
    request: Request,
    conversation: StoredConversation,
    own: list[StoredMessage],
    history: list[StoredMessage],
    callback_url: str,
    channel: str,
    *,
    stay: Mapping[str, Any] | None = None,
    disclosed: bool = False,
) -> dict[str, Any]:
    """The body of the POST: the five fields of old first, then what a cleverer AI can use. Pure.

    ``own`` are the messages that it is about; none for the first message of a conversation (``event`` is start).
    ``stay``: its facts, where more is known than the inbox shows.
    ``disclosed``: the person is told that an AI answers, which the AI must not deny.
    """
    stay = conversation.stay if stay is None else stay
    guest = (own[-1].sender_name if own else None) or conversation.guest_name or "Guest"
    return {
        "conversation_id": conversation.external_id,
        "sender": guest,
        "message": "\n".join(message.text or "" for message in own),
        "property_id": conversation.listing_id,
        "callback_url": callback_url,
        "request_id": request.id,
        "messages": [_said(m) for m in own],
        "history": [{"role": role_of(m), "text": m.text, "sent_at": m.sent_at.isoformat()} for m in history],
        "guest": {"name": conversation.guest_name or guest},
        "stay": {"stage": stage_of(stay), **stay},
        "reply_by": request.reply_by.isoformat(),
        "account": request.account,
        "channel": channel,
        "event": request.kind,
        "disclosed": disclosed,
        "transcribed": any(message.transcribed_at is not None for message in own),
    }


def _said(message: StoredMessage) -> dict[str, Any]:
    said = {"id": message.external_id, "text": message.text, "sent_at": message.sent_at.isoformat()}
    return {**said, "transcribed": True} if message.transcribed_at is not None else said


def readable(message: StoredMessage) -> bool:
    """Whether the AI gets to see it: a text of a person that was not taken back."""
    return (
        message.deleted_at is None
        and not is_blank(message.text)
        and message.direction is not Direction.SYSTEM
    )


def role_of(message: StoredMessage) -> str:
    """Who said it, as the AI is told: guest, host or assistant."""
    if message.origin == "assistant" and message.role != "host":  # else a person wrote it here
        return "assistant"
    return "guest" if message.direction is Direction.INBOUND else "host"


def signature(secret: SecretStr | None, body: str, message_id: str, now: datetime) -> dict[str, str]:
    """The headers of Standard Webhooks; none without a secret (WEBHOOK_SECRET). The id is the same in every try."""
    if secret is None:
        return {}
    signed = Webhook(secret.get_secret_value()).sign(message_id, now.astimezone(UTC), body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signed,
    }


# --- what comes back -------------------------------------------------------------------------------------


def parse_answer(body: bytes, conversation_external_id: str, request_id: str) -> Answer | None:
    """The answer in the body of a 2xx response, or None if it has none. Never raises."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    about = read_said(said)
    if isinstance(action := said.get("action"), str) and action in set(Action):
        hard_class = _text(said, "class")
        return Answer(
            conversation_external_id,
            request_id,
            action=Action(action),
            reason=_text(said, "reason"),
            said=about,
            hard_class=hard_class[:LONGEST_NAME] if hard_class else None,
            holding_message=_text(said, "holding_message"),
            draft=_text(said, "draft"),
        )
    for text in read_messages(said):
        if text.strip().lower() not in _ACKNOWLEDGEMENTS:
            return Answer(
                conversation_external_id,
                request_id,
                message=text,
                parts=read_parts(said),
                hold=read_hold(said),
                said=about,
                holding_message=_text(said, "holding_message"),
            )
    return None


def _text(said: dict[str, Any], name: str) -> str | None:
    text = said.get(name)
    return text if isinstance(text, str) and not is_blank(text) else None


def seconds_asked_for(header: str | None, now: datetime) -> float | None:
    """What ``Retry-After`` asks for, in seconds (maybe past); None where it says nothing that makes sense."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header.strip()[:9])
    try:
        then = parsedate_to_datetime(header)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (then.replace(tzinfo=then.tzinfo or UTC) - now).total_seconds()
