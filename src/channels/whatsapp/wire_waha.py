"""The gateway WAHA: what it calls us with, what it is called with. Pure.

Shapes are those of waha.devlike.pro/docs (Events, Receive messages, Send messages, Sessions, HMAC), and of
threads of github.com/devlikeapro/waha: 789 and 552 (called sent, and never left), 1379 (an acknowledgement that
never comes). Which form an id has depends on the engine; its last part is the same in all of them.
"""

from __future__ import annotations

from datetime import datetime
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
    is_signed,
    loaded,
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
    let_in,
    person_of,
    picture_in,
    png,
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
    "ERROR": Delivery.FAILED,
    "SERVER": Delivery.SERVER,
    "DEVICE": Delivery.DELIVERED,
    "READ": Delivery.READ,
    "PLAYED": Delivery.READ,
}
_NUMBERS = {-1: "ERROR", 1: "SERVER", 2: "DEVICE", 3: "READ", 4: "PLAYED"}
"""``ack`` as a number; 0 is PENDING, which says nothing."""
_NOT_ABOUT_MESSAGES = (
    *("session.", "state.", "engine.", "presence.", "poll.", "chat.", "call.", "label.", "event.", "group."),
    *("message.reaction", "message.waiting"),
)


def hear(settings: WhatsappSettings, call: Incoming) -> Heard:
    """What a call tells. CallRefused: its HMAC is wrong or missing where there is a secret; else our word is."""
    if settings.app_secret is not None:
        shown = call.headers.get("x-webhook-hmac", "")
        if not is_signed(call.body, shown, settings.app_secret.get_secret_value(), "sha512"):
            raise CallRefused(401, "the signature is missing or wrong")
    else:
        let_in(settings, call)
    if call.method != "POST":
        raise CallRefused(401, "nothing is asked here")
    body = parsed(call.body)
    if body is None:
        return Heard(not_understood=("not_json",))
    if body.get("session") != settings.instance:
        return another_account()
    event, payload, found = word(body.get("event")), inner(body, "payload"), Gathered()
    if event in ("message", "message.any"):
        _message(found, payload)
    elif event == "message.ack":
        name = text_in(payload, "ackName") or _NUMBERS.get(payload.get("ack", 0), "")
        if payload.get("fromMe") is not False:
            found.note(_hash(payload.get("id")), _STANDING.get(name), name)
    elif event == "message.revoked":
        _changed(found, inner(payload, "after") or payload, payload.get("revokedMessageId"), deleted=True)
    elif event == "message.edited":
        _changed(found, payload, payload.get("editedMessageId"), deleted=False)
    elif not event.startswith(_NOT_ABOUT_MESSAGES):
        found.odd.append(f"event_{event}")
    return found.heard()


def _hash(shown: Any) -> str | None:
    """The message's own id, in whichever form the engine gives it."""
    if isinstance(shown, dict):
        shown = text_in(shown, "id") or text_in(shown, "_serialized")
    return shown.rpartition("_")[2] or None if isinstance(shown, str) else None


def _whose(payload: dict[str, Any]) -> tuple[str | None, bool, bool]:
    """Person, whether our side wrote it, and whether it is in a group, a channel or the status."""
    ours = payload.get("fromMe") is True
    key, shown = inner(payload, "_data", "key"), payload.get("id")
    # true_<chat>_<id>: the chat, for every writer. Engines differ in what from and to are of our own messages.
    chat = shown.split("_")[1] if isinstance(shown, str) and shown.count("_") > 1 else None
    there = payload.get("to") if ours else payload.get("from")
    addresses = [chat, there, key.get("remoteJid"), key.get("remoteJidAlt")]
    person = person_of(*addresses)
    return person, ours, person is None and any(isinstance(one, str) for one in addresses)


def _message(found: Gathered, payload: dict[str, Any]) -> None:
    person, ours, elsewhere = _whose(payload)
    if elsewhere:
        return
    external_id, at = _hash(payload.get("id")), seconds(payload.get("timestamp"))
    if person is None or external_id is None or at is None:
        found.odd.append("message")
        return
    if not ours:
        data = inner(payload, "_data")
        found.told.named(person, text_in(data, "notifyName", "pushName"))
    text = text_in(payload, "body")
    if payload.get("hasMedia") is True or payload.get("location") or payload.get("vCards"):
        detail = word((text_in(inner(payload, "media"), "mimetype") or "media").partition("/")[0])
        found.told.add(person, seen(external_id, ours, MessageKind.MEDIA, detail, text, at))
    elif text is not None:
        found.told.add(person, seen(external_id, ours, MessageKind.TEXT, "text", text, at))
    else:
        found.told.add(person, seen(external_id, ours, MessageKind.UNSUPPORTED, "unsupported", None, at))


def _changed(found: Gathered, payload: dict[str, Any], original: Any, *, deleted: bool) -> None:
    person, ours, elsewhere = _whose(payload)
    external_id, at = _hash(original), seconds(payload.get("timestamp"))
    if elsewhere:
        return
    if person is None or external_id is None or at is None:
        found.odd.append("change")
    elif deleted:
        found.told.add(person, seen(external_id, ours, MessageKind.TEXT, "revoke", None, at, deleted=True))
    else:
        text = text_in(payload, "body")
        kind = MessageKind.TEXT if text is not None else MessageKind.UNSUPPORTED
        found.told.add(person, seen(external_id, ours, kind, "edit", text, at, edited_at=at))


# --- out -------------------------------------------------------------------------------------------------


def _call(settings: WhatsappSettings, method: str, path: str, body: dict[str, Any] | None = None) -> Outgoing:
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    return Outgoing(method, f"{settings.base_url}/api/{path}", {"x-api-key": key}, body)


def _chat(person: str) -> str:
    return person if person.endswith("@lid") else f"{person}@c.us"


def text_call(settings: WhatsappSettings, person: str, text: str, press: Press) -> Outgoing:  # noqa: ARG001
    """A message. This gateway takes no key by which a repeated call would be the same message."""
    body = {"session": settings.instance, "chatId": _chat(person), "text": text, "linkPreview": False}
    return _call(settings, "POST", "sendText", body)


def typing_call(settings: WhatsappSettings, person: str, message_id: str) -> Outgoing:  # noqa: ARG001
    """Shows that an answer is being written, until a message is sent."""
    return _call(settings, "POST", "startTyping", {"session": settings.instance, "chatId": _chat(person)})


def check_call(settings: WhatsappSettings) -> Outgoing:
    """How the number's session stands."""
    return _call(settings, "GET", f"sessions/{settings.instance}")


def standing_wall(answer: Answer) -> Wall | None:
    """Why the session cannot send, by the answer to ``check_call``; None if it can."""
    wall = wall_of(answer, "session")
    if wall is not None:
        return wall
    status = text_in(answer.parsed(), "status")
    if answer.status == 200 and status in ("SCAN_QR_CODE", "STOPPED", "FAILED"):
        return Wall("session_lost", f"the gateway's session is {status}: scan the code again")
    return None


_LOGINS = {"WORKING": Login.IN, "STARTING": Login.STARTING, "SCAN_QR_CODE": Login.CODE}


def login(answer: Answer) -> Login:
    """By the answer to ``check_call``. A code that nobody scans in some minutes ends in FAILED (thread 996)."""
    return _LOGINS.get(text_in(answer.parsed(), "status") or "", Login.OUT)


def code_call(settings: WhatsappSettings) -> Outgoing:
    """Ask for the code: good for 60 s the first time, then for 20 s (documentation, Sessions)."""
    asked = _call(settings, "GET", f"{settings.instance}/auth/qr?format=image")
    return Outgoing(asked.method, asked.url, {**asked.headers, "accept": "image/png"})


def code_in(answer: Answer) -> bytes | None:
    """The code as a PNG: the body itself, or as base64 in an object; None if there is none (yet)."""
    if answer.status != 200:
        return None
    return png(answer.body) or picture_in(text_in(answer.parsed(), "data"))


def kept_call(settings: WhatsappSettings, since: datetime, page: int) -> Outgoing:
    """The messages of all chats (documentation, Chats: Get messages, with ``all`` as the chat).

    The engine NOWEB keeps them only with its store enabled.
    """
    asked = f"limit={KEPT_AT_ONCE}&offset={page * KEPT_AT_ONCE}&downloadMedia=false"
    path = f"{settings.instance}/chats/all/messages?{asked}&filter.timestamp.gte={int(since.timestamp())}"
    return _call(settings, "GET", path)


def kept_in(found: Gathered, answer: Answer) -> bool:
    """A list of messages, each as a webhook tells it."""
    kept = list(dicts({"kept": loaded(answer)}, "kept"))
    for payload in kept:
        _message(found, payload)
    return len(kept) >= KEPT_AT_ONCE


def restart_call(settings: WhatsappSettings) -> Outgoing:
    """Open the connection to WhatsApp again."""
    return _call(settings, "POST", f"sessions/{settings.instance}/restart")


def judge(answer: Answer) -> Verdict:
    """What the answer to a message means."""
    refusal = refusal_of(answer, "session")
    if refusal is not None:
        return refusal
    body = answer.parsed()
    if answer.status in (200, 201):
        found = _hash(body.get("id")) or _hash(inner(body, "key").get("id"))
        return Taken(found) if found else Unknown("the answer names no message")
    if answer.status == 422 and isinstance(body.get("expected"), list):
        status = word(str(body.get("status", "")).lower())
        return Wall("session_lost", f"the gateway's session is {status}: scan the code again")
    if answer.status == 400:
        return Refused("400")
    return Unknown(f"the gateway answered {answer.status}")
