"""What all dialects share: a call to be made, what its answer means, and how a message is told. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from src.channels.whatsapp.settings import WhatsappSettings
from src.model.hearing import Heard, Incoming, heard_conversation
from src.model.inbox import SeenConversation, SeenMessage
from src.model.sending import Press


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A call to the service. ``headers`` have the key: never to be logged."""

    method: str
    url: str
    headers: dict[str, str] = field(repr=False)
    json: dict[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Taken:
    """The service has the message."""

    external_id: str


@dataclass(frozen=True, slots=True)
class Slower:
    """Not sent, beyond doubt; the service asks for a slower pace."""

    seconds: float | None
    """As it says; None: it names no time."""
    everybody: bool
    """For the whole number, not only for this person."""


@dataclass(frozen=True, slots=True)
class Wall:
    """Not sent, beyond doubt, and nothing else will be: a person is needed."""

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Not sent, beyond doubt; this message never will be, as it is."""

    error: str
    """The service's code, maybe with the name of a field."""
    held: str | None = None
    """The reason for which it waits for a person, who can do something; None: it has failed."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have been sent."""

    why: str


Verdict = Taken | Slower | Wall | Refused | Unknown


class Dialect(Protocol):
    """What the channel asks of ``wire_<mode>.py``."""

    HAS_WINDOW: bool
    """Free words are possible only for a day after the person's last message; what was sent is told by our key."""

    def hear(self, settings: WhatsappSettings, call: Incoming) -> Heard: ...
    def text_call(self, settings: WhatsappSettings, person: str, text: str, press: Press) -> Outgoing: ...
    def typing_call(self, settings: WhatsappSettings, person: str, message_id: str) -> Outgoing: ...
    def check_call(self, settings: WhatsappSettings) -> Outgoing: ...
    def standing_wall(self, answer: Answer) -> Wall | None: ...
    def judge(self, answer: Answer) -> Verdict: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from a call."""

    status: int
    body: bytes
    retry_after: str | None = None

    def parsed(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is none."""
        return parsed(self.body) or {}

    @property
    def wait(self) -> float | None:
        """``Retry-After`` in seconds, at most an hour; None if it does not say."""
        text = (self.retry_after or "").strip()
        return min(float(text), 3600.0) if re.fullmatch(r"\d{1,6}", text) else None


def parsed(body: bytes) -> dict[str, Any] | None:
    """A JSON object; None for anything else. Never raises."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def loaded(answer: Answer) -> Any:
    """What an answer of 200 holds, of whatever form; None for any other, and where it is no JSON. Never raises."""
    try:
        return json.loads(answer.body) if answer.status in (200, 201) else None
    except (ValueError, RecursionError):
        return None


def dicts(of: Any, name: str) -> Iterator[dict[str, Any]]:
    """The objects in a list of an object; nothing where there is none."""
    found = of.get(name) if isinstance(of, dict) else None
    yield from (one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()


def inner(of: Any, *names: str) -> dict[str, Any]:
    """An object within an object; an empty one where there is none."""
    for name in names:
        of = of.get(name) if isinstance(of, dict) else None
    return of if isinstance(of, dict) else {}


def text_in(of: Any, *names: str) -> str | None:
    """The first of these fields that is a text with something in it."""
    for name in names:
        found = of.get(name) if isinstance(of, dict) else None
        if isinstance(found, str) and found:
            return found
    return None


def word(text: Any) -> str:
    """A stable word for logs and rows; nothing of what was written gets through."""
    return text if isinstance(text, str) and re.fullmatch(r"[a-z_0-9.]{1,40}", text) else "unknown"


def seconds(text: Any) -> datetime | None:
    """A time from whole seconds since 1970, as text or a number; None if it is none (or absurd)."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        return None
    if isinstance(text, str) and not re.fullmatch(r"\d{1,12}", text):
        return None
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def is_signed(body: bytes, shown: str, secret: str, kind: str) -> bool:
    """Whether ``shown`` is the HMAC of these very bytes, in hex; compared in constant time."""
    right = hmac.new(secret.encode(), body, getattr(hashlib, kind)).hexdigest()
    return hmac.compare_digest(right.encode(), shown.strip().lower().encode())


class Told:
    """Gathers what a call tells, by person."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._messages: dict[str, list[SeenMessage]] = {}

    def named(self, person: str, name: str | None) -> None:
        """The name under which the person is known there."""
        if name:
            self._names[person] = name[:200]

    def add(self, person: str, message: SeenMessage) -> None:
        self._messages.setdefault(person, []).append(message)

    def views(self) -> tuple[SeenConversation, ...]:
        """A view for each person, messages by time, and as they came within a second."""
        return tuple(
            heard_conversation(
                person,
                self._names.get(person),
                tuple(sorted(messages, key=lambda one: one.sent_at)),
                max(one.sent_at for one in messages),
            )
            for person, messages in self._messages.items()
        )
