"""A request as the assistant sees it: the AI webhook's payload, read with care. Pure.

The payload may come from another machine, so every field may be missing or of another kind: what cannot be read is
left out, and what is left out counts as unknown. Only the guest's message must be there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Literal

from src.assistant.reading import clean_text
from src.assistant.values import Stage, Stay, Turn
from src.model.stages import stage_of

_LONGEST_NAME = 80
_LONGEST_TURN = 2_000
_TURNS = 30

_ROLES: dict[str, Literal["guest", "host", "assistant"]] = {
    "guest": "guest",
    "host": "host",
    "assistant": "assistant",
}


@dataclass(frozen=True, slots=True)
class Burst:
    """What a guest wrote, and what is known around it. Texts are cleaned; times are in UTC."""

    text: str
    guest_name: str = ""
    conversation_id: str = ""
    request_id: str = ""
    listing_id: str | None = None
    history: tuple[Turn, ...] = ()
    stay: Stay = field(default_factory=Stay)
    first_sent_at: datetime | None = None
    reply_by: datetime | None = None
    channel: str = ""
    is_test: bool = False

    @property
    def guest_texts(self) -> list[str]:
        """What the guest wrote before, oldest first."""
        return [turn.text for turn in self.history if turn.role == "guest"]

    def masked(self, text: str, history: Sequence[Turn]) -> Burst:
        """The same with other texts."""
        return replace(self, text=text, history=tuple(history))


def read_burst(payload: Mapping[str, Any]) -> Burst:
    """The payload of an AI webhook. Never raises; a text that is missing is ''."""
    messages = [one for one in _list(payload.get("messages")) if isinstance(one, Mapping)]
    text = payload.get("message")
    if not isinstance(text, str) or not text.strip():
        text = "\n".join(str(one["text"]) for one in messages if isinstance(one.get("text"), str))
    times = [at for at in (_time(one.get("sent_at")) for one in messages) if at is not None]
    guest = payload.get("guest")
    name = payload.get("sender") or (guest.get("name") if isinstance(guest, Mapping) else None)
    return Burst(
        text=clean_text(text).strip(),
        guest_name=clean_text(str(name or "")).replace("\n", " ").strip()[:_LONGEST_NAME],
        conversation_id=str(payload.get("conversation_id") or ""),
        request_id=str(payload.get("request_id") or ""),
        listing_id=str(payload["property_id"]) if payload.get("property_id") else None,
        history=read_history(payload.get("history")),
        stay=read_stay(payload.get("stay")),
        first_sent_at=min(times, default=None),
        reply_by=_time(payload.get("reply_by")),
        channel=str(payload.get("channel") or ""),
        is_test=payload.get("test") is True,
    )


def read_history(given: object) -> tuple[Turn, ...]:
    """Turns, oldest first: the last ones, each cut to a length that no talk needs."""
    turns = []
    for one in _list(given):
        if not isinstance(one, Mapping) or not isinstance(one.get("text"), str):
            continue
        role = _ROLES.get(str(one.get("role")))
        text = clean_text(one["text"]).strip()[:_LONGEST_TURN]
        if role and text:
            turns.append(Turn(role, text, _time(one.get("sent_at"))))
    return tuple(turns[-_TURNS:])


def read_stay(given: object) -> Stay:
    """The facts of the stay. Dates that are reversed are unknown, both."""
    if not isinstance(given, Mapping):
        return Stay()
    check_in, check_out = _day(given.get("check_in")), _day(given.get("check_out"))
    if check_in and check_out and check_out < check_in:
        check_in = check_out = None
    guests = given.get("guests")
    if isinstance(guests, str) and guests.strip().isdecimal():
        guests = int(guests)
    code = given.get("confirmation_code")
    return Stay(
        stage=Stage(stage_of(given)),
        check_in=check_in,
        check_out=check_out,
        guests=guests if isinstance(guests, int) and 0 < guests < 1000 else None,
        confirmation_code=code.strip()[:40] if isinstance(code, str) and code.strip() else None,
    )


def _list(given: object) -> list[Any]:
    return given if isinstance(given, list) else []


def _time(given: object) -> datetime | None:
    if isinstance(given, datetime):
        return given if given.tzinfo else given.replace(tzinfo=UTC)
    if not isinstance(given, str):
        return None
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _day(given: object) -> date | None:
    if isinstance(given, datetime):
        return given.date()
    if isinstance(given, date):
        return given
    if not isinstance(given, str):
        return None
    try:
        return date.fromisoformat(given.strip()[:10])
    except ValueError:
        return None
