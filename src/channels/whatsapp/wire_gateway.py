"""What the two gateways share: who may call, whose conversation it is, how a message is told. Pure.

A gateway drives WhatsApp's own web client for a number. It says "sent" for what may never have left, so its word
counts only as taken; the acknowledgement of WhatsApp's server is the proof (docs/channels/whatsapp.md).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from src.channels.whatsapp.settings import WhatsappSettings
from src.channels.whatsapp.wire import Answer, Dialect, Outgoing, Slower, Told, Wall, inner, text_in
from src.errors import CallRefused
from src.model.hearing import DeliveryNote, Heard, Incoming
from src.model.inbox import AuthorRole, MessageKind, SeenMessage
from src.model.sending import Delivery

_PERSON = re.compile(r"([1-9]\d{7,19})(?::\d+)?@(?:s\.whatsapp\.net|c\.us)")
_HIDDEN = re.compile(r"(\d{5,20})(?::\d+)?@lid")
_PNG = b"\x89PNG\r\n\x1a\n"


KEPT_AT_ONCE = 100
"""Messages on a page of what a gateway has kept."""


class Login(StrEnum):
    """How the gateway's own login stands at WhatsApp."""

    IN = "in"
    STARTING = "starting"
    """It comes up, with a login that it has."""
    CODE = "code"
    """A phone is to scan the code that the gateway gives."""
    OUT = "out"
    """Without a code: the gateway has to be asked to begin again."""


class GatewayDialect(Dialect, Protocol):
    """What the channel asks of a gateway's ``wire_<mode>.py`` beside that: a person's login."""

    def login(self, answer: Answer) -> Login:
        """By the answer to ``check_call``."""
        ...

    def code_call(self, settings: WhatsappSettings) -> Outgoing:
        """Ask for the code that is good now."""
        ...

    def code_in(self, answer: Answer) -> bytes | None:
        """The code as a PNG, by the answer to that; None if there is none yet."""
        ...

    def kept_call(self, settings: WhatsappSettings, since: datetime, page: int) -> Outgoing:
        """Ask for the messages of all conversations since then; pages from 0 on."""
        ...

    def kept_in(self, found: Gathered, answer: Answer) -> bool:
        """Gather the messages of such an answer. Whether there may be another page."""
        ...

    def restart_call(self, settings: WhatsappSettings) -> Outgoing:
        """Have the gateway open its connection to WhatsApp again. A login that is good is kept."""
        ...


def let_in(settings: WhatsappSettings, call: Incoming, *shown: str | None) -> None:
    """CallRefused unless the call shows our word: as a key, as Bearer, as ``?token=``, or as one of ``shown``."""
    bearer = call.headers.get("authorization", "").removeprefix("Bearer ")
    words = [
        call.headers.get("x-api-key", ""),
        call.headers.get("apikey", ""),
        bearer,
        call.query.get("token", ""),
    ]
    secrets = [one.get_secret_value() for one in (settings.verify_token, settings.api_key) if one is not None]
    for secret in secrets:
        for word in (*words, *shown):
            if word and hmac.compare_digest(word.encode(), secret.encode()):
                return
    raise CallRefused(401, "the call does not show the key")


def person_of(*addresses: Any) -> str | None:
    """The person's digits, by the first address that has them; else the id of a hidden number; None: no person.

    Groups, channels (newsletters), broadcasts and the status are no persons.
    """
    texts = [one for one in addresses if isinstance(one, str)]
    for text in texts:
        found = _PERSON.fullmatch(text)
        if found is not None:
            return found[1]
    for text in texts:
        found = _HIDDEN.fullmatch(text)
        if found is not None:
            return f"{found[1]}@lid"
    return None


def seen(
    external_id: str,
    ours: bool,
    kind: MessageKind,
    detail: str,
    text: str | None,
    at: datetime,
    *,
    edited_at: datetime | None = None,
    deleted: bool = False,
) -> SeenMessage:
    """A message; what our side sent is the host's, until it is known for a reply of ours."""
    role = AuthorRole.HOST if ours else AuthorRole.GUEST
    return SeenMessage(external_id, None, None, role, kind, detail, text, at, edited_at, deleted)


class Gathered:
    """What a gateway's call tells, while it is read."""

    def __init__(self) -> None:
        self.told = Told()
        self.notes: list[DeliveryNote] = []
        self.odd: list[str] = []

    def note(self, external_id: str | None, standing: Delivery | None, error: str | None = None) -> None:
        """What became of a message; nothing where that says nothing."""
        if external_id is not None and standing is not None:
            failed = error if standing is Delivery.FAILED else None
            self.notes.append(DeliveryNote(external_id, standing, error=failed))

    def heard(self) -> Heard:
        return Heard(
            views=self.told.views(),
            deliveries=tuple(self.notes),
            not_understood=tuple(dict.fromkeys(self.odd)),
        )


def another_account() -> Heard:
    """The call names another instance of the same gateway."""
    return Heard(mine=False, for_others=True)


def first_text(of: dict[str, Any], paths: Iterable[tuple[str, ...]]) -> str | None:
    """The first text that is there, by paths into an object."""
    for *outer, last in paths:
        found = text_in(inner(of, *outer), last)
        if found is not None:
            return found
    return None


def wall_of(answer: Answer, called: str) -> Wall | None:
    """The halt that an answer of the gateway means, to whatever call; ``called``: what it calls our login."""
    if answer.status in (401, 403):
        return Wall("credentials", "the gateway refuses the key")
    if answer.status == 404:
        return Wall("no_session", f"the gateway knows no such {called}")
    return None


def refusal_of(answer: Answer, called: str) -> Wall | Slower | None:
    """The same for the answer to a message, or that the gateway asks for a slower pace."""
    wall = wall_of(answer, called)
    if wall is None and answer.status == 429:
        return Slower(answer.wait, everybody=True)
    return wall


def picture_in(text: str | None) -> bytes | None:
    """A PNG that came as base64 or as a ``data:`` address; None for anything else."""
    try:
        found = base64.b64decode((text or "").rpartition("base64,")[2], validate=True)
    except (binascii.Error, ValueError):
        return None
    return png(found)


def png(data: bytes) -> bytes | None:
    """The same bytes if they are a PNG."""
    return data if data.startswith(_PNG) else None
