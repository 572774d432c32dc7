"""The gateway Evolution API (version 2): what it calls us with, what it is called with. Pure.

Shapes are those of doc.evolution-api.com (Webhooks, Send plain text, Connection state, Instance connect, Send
presence) and of the threads of github.com/evolution-foundation/evolution-api: 2010 and 1380 (``messages.update``:
``keyId``, ``status``), 1340 (own messages come as ``messages.upsert``, too), 1557 and 2403 (a connection that is
called open and is dead). The messages within are Baileys' (github.com/WhiskeySockets/Baileys, WAProto).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from src.channels.whatsapp.settings import WhatsappSettings
from src.channels.whatsapp.wire import (
    Answer,
    Outgoing,
    Refused,
    Taken,
    Unknown,
    Verdict,
    Wall,
    dicts,
    inner,
    parsed,
    seconds,
    text_in,
    word,
)
from src.channels.whatsapp.wire_gateway import (
    KEPT_AT_ONCE,
    Gathered,
    Login,
    another_account,
    first_text,
    let_in,
    person_of,
    picture_in,
    refusal_of,
    seen,
    wall_of,
)
from src.errors import CallRefused
from src.model.hearing import Heard, Incoming
from src.model.inbox import MessageKind
from src.model.sending import Delivery, Press

HAS_WINDOW = False
_STANDING = {
    "SERVER_ACK": Delivery.SERVER,
    "DELIVERY_ACK": Delivery.DELIVERED,
    "READ": Delivery.READ,
    "PLAYED": Delivery.READ,
    "ERROR": Delivery.FAILED,
}
_MESSAGES = frozenset({"messages.upsert", "send.message", "messages.edited"})
_NOT_ABOUT_MESSAGES = (
    *(
        "application.",
        "call",
        "catalog.",
        "chats.",
        "connection.",
        "contacts.",
        "group",
        "instance.",
        "labels.",
    ),
    *("logout.", "messages.set", "presence.", "qrcode.", "remove.", "send.message.update", "typebot."),
)
"""``messages.set`` is what was said before the number was linked: history, not work."""
_WRAPPED = ("ephemeralMessage", "viewOnceMessage", "viewOnceMessageV2", "documentWithCaptionMessage")
_TEXTS = (
    ("conversation",),
    ("extendedTextMessage", "text"),
    ("buttonsResponseMessage", "selectedDisplayText"),
    ("templateButtonReplyMessage", "selectedDisplayText"),
    ("listResponseMessage", "title"),
)
_FILES = (
    *("imageMessage", "videoMessage", "documentMessage", "stickerMessage", "audioMessage", "locationMessage"),
    *("liveLocationMessage", "contactMessage", "contactsArrayMessage", "ptvMessage"),
)
_REVOKED, _EDITED = (0, "REVOKE"), (14, "MESSAGE_EDIT")
"""``protocolMessage.type``: a number in Baileys' protocol, its name where it was made readable."""


def hear(settings: WhatsappSettings, call: Incoming) -> Heard:
    """What a call tells. CallRefused: it shows neither our word nor the instance's key."""
    body = parsed(call.body) if call.method == "POST" else None
    let_in(settings, call, text_in(body, "apikey"))
    if call.method != "POST":
        raise CallRefused(401, "nothing is asked here")
    if body is None:
        return Heard(not_understood=("not_json",))
    if body.get("instance") != settings.instance:
        return another_account()
    event, found = word(str(body.get("event", "")).lower().replace("_", ".")), Gathered()
    entries = list(dicts(body, "data")) or list(dicts(body.get("data"), "messages")) or [inner(body, "data")]
    if event in _MESSAGES:
        for entry in entries:
            _message(found, entry)
    elif event in ("messages.update", "messages.delete"):
        for entry in entries:
            _update(found, entry, deleted=event == "messages.delete")
    elif not event.startswith(_NOT_ABOUT_MESSAGES):
        found.odd.append(f"event_{event}")
    return found.heard()


def _whose(entry: dict[str, Any]) -> tuple[str | None, bool, Any]:
    """Person, whether our side wrote it, and the message's id."""
    key = inner(entry, "key") or entry
    person = person_of(key.get("remoteJid"), key.get("remoteJidAlt"), key.get("senderPn"))
    return person, key.get("fromMe") is True, key.get("id") or key.get("keyId")


def _message(found: Gathered, entry: dict[str, Any]) -> None:
    person, ours, external_id = _whose(entry)
    if person is None and isinstance(inner(entry, "key").get("remoteJid"), str):
        return  # a group, a channel, the status
    at = seconds(entry.get("messageTimestamp"))
    message = inner(entry, "message") or inner(entry, "editedMessage")
    for wrapper in _WRAPPED:
        message = inner(message, wrapper, "message") or message
    if person is None or at is None or not isinstance(external_id, str) or not message:
        found.odd.append("message")
        return
    if not ours:
        found.told.named(person, text_in(entry, "pushName"))
    protocol = inner(message, "protocolMessage")
    original = text_in(inner(protocol, "key"), "id")
    if original is not None and protocol.get("type") in _REVOKED:
        found.told.add(person, seen(original, ours, MessageKind.TEXT, "revoke", None, at, deleted=True))
    elif original is not None and protocol.get("type") in _EDITED:
        text = first_text(inner(protocol, "editedMessage"), _TEXTS)
        kind = MessageKind.TEXT if text is not None else MessageKind.UNSUPPORTED
        found.told.add(person, seen(original, ours, kind, "edit", text, at, edited_at=at))
    elif not protocol:
        kind, detail, text = _content(message)
        found.told.add(person, seen(external_id, ours, kind, detail, text, at))


def _content(message: dict[str, Any]) -> tuple[MessageKind, str, str | None]:
    text = first_text(message, _TEXTS)
    if text is not None:
        return MessageKind.TEXT, "text", text
    for name in _FILES:
        if name in message:
            return (
                MessageKind.MEDIA,
                name.removesuffix("Message").lower(),
                text_in(inner(message, name), "caption"),
            )
    if "reactionMessage" in message:
        return MessageKind.REACTION, "reaction", None
    return MessageKind.UNSUPPORTED, "unsupported", None


def _update(found: Gathered, entry: dict[str, Any], *, deleted: bool) -> None:
    """A status of a message of ours, or that somebody took a message back."""
    person, ours, external_id = _whose(entry)
    status = str(entry.get("status") or inner(entry, "update").get("status") or "").upper()
    if deleted or status == "DELETED":
        at = seconds(entry.get("messageTimestamp"))
        if person is not None and isinstance(external_id, str) and at is not None:
            found.told.add(
                person, seen(external_id, ours, MessageKind.TEXT, "revoke", None, at, deleted=True)
            )
        elif person is not None:
            found.odd.append("deletion")
    elif ours:
        found.note(external_id if isinstance(external_id, str) else None, _STANDING.get(status), status)


# --- out -------------------------------------------------------------------------------------------------


def _call(settings: WhatsappSettings, method: str, path: str, body: dict[str, Any] | None = None) -> Outgoing:
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    return Outgoing(method, f"{settings.base_url}/{path}/{settings.instance}", {"apikey": key}, body)


def text_call(settings: WhatsappSettings, person: str, text: str, press: Press) -> Outgoing:  # noqa: ARG001
    """A message. This gateway takes no key by which a repeated call would be the same message."""
    return _call(settings, "POST", "message/sendText", {"number": person, "text": text, "linkPreview": False})


def typing_call(settings: WhatsappSettings, person: str, message_id: str) -> Outgoing:  # noqa: ARG001
    """Shows that an answer is being written; the gateway ends it after the delay (in ms)."""
    return _call(
        settings, "POST", "chat/sendPresence", {"number": person, "delay": 5_000, "presence": "composing"}
    )


def check_call(settings: WhatsappSettings) -> Outgoing:
    """How the number's session stands."""
    return _call(settings, "GET", "instance/connectionState")


def standing_wall(answer: Answer) -> Wall | None:
    """Why the session cannot send, by the answer to ``check_call``; None if it can."""
    wall = wall_of(answer, "instance")
    if wall is not None:
        return wall
    if answer.status == 200 and _state(answer) == "close":
        return Wall("session_lost", "the gateway's session is closed: scan the code again")
    return None


def _state(answer: Answer) -> str | None:
    return text_in(inner(answer.parsed(), "instance"), "state")


def login(answer: Answer) -> Login:
    """By the answer to ``check_call``. A code may be there while it connects, and is made when it is asked for."""
    return Login.IN if _state(answer) == "open" else Login.CODE


def code_call(settings: WhatsappSettings) -> Outgoing:
    """Ask for the code; a closed instance begins to connect by it."""
    return _call(settings, "GET", "instance/connect")


def code_in(answer: Answer) -> bytes | None:
    """The code as a PNG; ``{"count": 0}`` where there is none (yet): threads 271, 295 and 2385."""
    body = answer.parsed()
    return picture_in(text_in(body, "base64") or text_in(inner(body, "qrcode"), "base64"))


def kept_call(settings: WhatsappSettings, since: datetime, page: int) -> Outgoing:
    """The messages of all chats (documentation, Find messages). Both ends of the time are needed."""
    times = {"gte": since.isoformat(), "lte": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    body = {"where": {"messageTimestamp": times}, "page": page + 1, "offset": KEPT_AT_ONCE}
    return _call(settings, "POST", "chat/findMessages", body)


def kept_in(found: Gathered, answer: Answer) -> bool:
    """``messages.records``, each as a webhook tells it; nothing where the gateway stores no messages."""
    told = inner(answer.parsed(), "messages")
    for record in dicts(told, "records"):
        _message(found, record)
    pages, page = told.get("pages"), told.get("currentPage")
    return isinstance(pages, int) and isinstance(page, int) and page < pages


def restart_call(settings: WhatsappSettings) -> Outgoing:
    """Open the connection to WhatsApp again; a closed instance refuses that, and is opened by ``code_call``."""
    return _call(settings, "POST", "instance/restart")


def judge(answer: Answer) -> Verdict:
    """What the answer to a message means. A 400 may be a connection that broke while it was sent."""
    refusal = refusal_of(answer, "instance")
    if refusal is not None:
        return refusal
    body = answer.parsed()
    if answer.status in (200, 201):
        found = text_in(inner(body, "key"), "id")
        return Taken(found) if found else Unknown("the answer names no message")
    absent = [one for one in dicts(inner(body, "response"), "message") if one.get("exists") is False]
    if answer.status == 400 and absent:
        return Refused("not_on_whatsapp")
    return Unknown(f"the gateway answered {answer.status}")
