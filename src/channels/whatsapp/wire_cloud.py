"""Meta's Cloud API: what it calls us with, what it is called with, what its answers mean. Pure.

Shapes, codes and limits are those of developers.facebook.com/documentation/business-messaging/whatsapp as of
November 2026: Webhooks (messages, status messages, smb_message_echoes, edit, revoke), Messages, Typing indicators,
Media, Error codes, Business-scoped user IDs. What is guessed is marked [guess].
"""

from __future__ import annotations

import hmac
import re
from datetime import datetime
from typing import Any

from src.channels.base import Examination
from src.channels.whatsapp import is_conversation_id
from src.channels.whatsapp.settings import WhatsappSettings
from src.channels.whatsapp.wire import (
    Answer,
    Outgoing,
    Refused,
    Slower,
    Taken,
    Told,
    Unknown,
    Verdict,
    Wall,
    dicts,
    inner,
    is_signed,
    parsed,
    seconds,
    text_in,
    word,
)
from src.errors import CallRefused
from src.model.hearing import DeliveryNote, Heard, Incoming
from src.model.inbox import AuthorRole, MessageKind, SeenMessage
from src.model.sending import Delivery, Press

HAS_WINDOW = True
_STANDING = {
    "accepted": Delivery.ACCEPTED,
    "sent": Delivery.SERVER,
    "delivered": Delivery.DELIVERED,
    "read": Delivery.READ,
    "played": Delivery.READ,
    "failed": Delivery.FAILED,
}
_FILES = frozenset({"image", "video", "document", "sticker", "audio", "voice"})
_WANT_NOTHING = frozenset({"reaction", "system", "request_welcome", "ephemeral"})
_PLACES = frozenset({"location", "contacts"})
_FOR_A_PERSON = frozenset({"unsupported", "order", "interactive", "button", "text"})
"""Known, and not for a machine."""
_NOT_ABOUT_MESSAGES = frozenset(
    {
        *("account_alerts", "account_review_update", "account_settings_update", "account_update"),
        *("automatic_events", "business_capability_update", "business_status_update", "calls", "flows"),
        *("history", "message_template_components_update", "message_template_quality_update"),
        *("message_template_status_update", "messaging_handovers", "partner_solutions"),
        *("payment_configuration_update", "phone_number_name_update", "phone_number_quality_update"),
        *(
            "security",
            "smb_app_state_sync",
            "standby",
            "template_category_update",
            "template_performance_metrics",
        ),
        *("template_correct_category_detection", "tracking_events", "user_id_update", "user_preferences"),
    }
)
"""Fields one may subscribe to that tell of no message to us. ``history`` is what was said before: not read."""

WINDOW_CLOSED = "window_closed"
_HELD = {"131047": WINDOW_CLOSED, "131048": "quality_limit"}
"""Codes after which a person can still do something: the 24 hours are over; too many people complained."""
_SLOWER_EVERYBODY = frozenset({2, 4, 80007, 130429, 131016, 131057})
_SLOWER_HERE = frozenset({131056})
_CREDENTIALS = frozenset({0, 3, 10, 190, *range(200, 220)})
_BLOCKED = frozenset({368, 131031})
_BAD_FIELD = frozenset({100, 131008, 131009})


def hear(settings: WhatsappSettings, call: Incoming) -> Heard:
    """What a call tells. CallRefused: not Meta's, or nothing that could be for one of ours."""
    if call.method == "GET":
        return _verified(settings, call)
    secret = settings.app_secret.get_secret_value() if settings.app_secret else ""
    kind, _, shown = call.headers.get("x-hub-signature-256", "").partition("=")
    if not secret or kind != "sha256" or not is_signed(call.body, shown, secret, "sha256"):
        raise CallRefused(401, "the signature is missing or wrong")
    body = parsed(call.body)
    if body is None or body.get("object") != "whatsapp_business_account":
        return Heard(not_understood=("not_of_whatsapp" if body is not None else "not_json",))
    return _Hearing(settings.phone_id).taken(body)


def _verified(settings: WhatsappSettings, call: Incoming) -> Heard:
    """Meta asks whether the address is ours, and gets its challenge back."""
    word_there = settings.verify_token.get_secret_value() if settings.verify_token else ""
    shown = call.query.get("hub.verify_token", "")
    right = bool(word_there) and hmac.compare_digest(shown.encode(), word_there.encode())
    if call.query.get("hub.mode") != "subscribe" or not right:
        raise CallRefused(401, "the verify token is missing or wrong")
    return Heard(answer=call.query.get("hub.challenge", "").encode())


class _Hearing:
    """One body while it is read."""

    def __init__(self, phone_id: str) -> None:
        self._phone_id = phone_id
        self._told = Told()
        self._notes: list[DeliveryNote] = []
        self._odd: list[str] = []
        self._mine = self._others = False

    def taken(self, body: dict[str, Any]) -> Heard:
        for entry in dicts(body, "entry"):
            for change in dicts(entry, "changes"):
                self._change(word(change.get("field")), inner(change, "value"))
        return Heard(
            mine=self._mine or not self._others,
            for_others=self._others,
            views=self._told.views(),
            deliveries=tuple(self._notes),
            not_understood=tuple(dict.fromkeys(self._odd)),
        )

    def _change(self, field: str, value: dict[str, Any]) -> None:
        number = inner(value, "metadata").get("phone_number_id")
        if number is not None and number != self._phone_id:
            self._others = True
            return
        self._mine = True
        if field in _NOT_ABOUT_MESSAGES:
            return
        if number is None or field not in ("messages", "smb_message_echoes"):
            self._odd.append(f"field_{field}")
            return
        for contact in dicts(value, "contacts"):
            name = text_in(inner(contact, "profile"), "name", "username")
            for person in (contact.get("wa_id"), contact.get("user_id")):
                if isinstance(person, str):
                    self._told.named(person, name)
        for message in dicts(value, "messages"):
            self._message(message, _person(message, "from", "from_user_id"), AuthorRole.GUEST)
        for echo in dicts(value, "message_echoes"):
            self._message(echo, _person(echo, "to", "to_user_id"), AuthorRole.HOST)
        for status in dicts(value, "statuses"):
            self._status(status)
        for error in dicts(value, "errors"):
            self._odd.append(f"error_{word(str(error.get('code')))}")

    def _message(self, message: dict[str, Any], person: str | None, role: AuthorRole) -> None:
        if text_in(message, "group_id"):
            return  # a group is no conversation between a person and us
        seen = _seen(message, role)
        if person is None or seen is None:
            self._odd.append("message")
        else:
            self._told.add(person, seen)
            if seen.kind is MessageKind.UNSUPPORTED and seen.detail not in _FOR_A_PERSON:
                self._odd.append(f"kind_{seen.detail}")

    def _status(self, status: dict[str, Any]) -> None:
        standing, external_id = _STANDING.get(str(status.get("status"))), text_in(status, "id")
        if standing is None or external_id is None:
            self._odd.append("status")
            return
        error = next(dicts(status, "errors"), {}).get("code")
        self._notes.append(
            DeliveryNote(
                external_id,
                standing,
                at=seconds(status.get("timestamp")),
                key=text_in(status, "biz_opaque_callback_data"),
                error=str(error) if standing is Delivery.FAILED and error is not None else None,
            )
        )


def _person(message: dict[str, Any], *names: str) -> str | None:
    """The number's digits, or the id that stands for a number that is hidden."""
    for name in names:
        found = text_in(message, name)
        if found is not None and is_conversation_id(found.removeprefix("+")):
            return found.removeprefix("+")
    return None


def _seen(message: dict[str, Any], role: AuthorRole) -> SeenMessage | None:
    """A message, or a change of one; None if it has no id or no time."""
    at, kind = seconds(message.get("timestamp")), word(message.get("type"))
    external_id = text_in(message, "id")
    if kind in ("edit", "revoke"):
        external_id = text_in(inner(message, kind), "original_message_id")
    if external_id is None or len(external_id) > 512 or at is None:
        return None
    if kind == "revoke":
        return _made(external_id, role, MessageKind.TEXT, kind, None, at, deleted=True)
    if kind == "edit":
        changed = inner(message, "edit", "message")
        now_kind = word(changed.get("type"))
        made, text = _content(changed, now_kind)
        return _made(external_id, role, made, now_kind, text, at, edited_at=at)
    made, text = _content(message, kind)
    media = None
    if (
        kind in ("audio", "voice")
        and role is AuthorRole.GUEST
        and inner(message, kind).get("voice", True) is True
    ):
        media = text_in(inner(message, kind), "id")
    return _made(external_id, role, made, kind, text, at, media=media)


def _made(
    external_id: str,
    role: AuthorRole,
    kind: MessageKind,
    detail: str,
    text: str | None,
    at: datetime,
    *,
    edited_at: datetime | None = None,
    deleted: bool = False,
    media: str | None = None,
) -> SeenMessage:
    return SeenMessage(external_id, None, None, role, kind, detail, text, at, edited_at, deleted, media)


def _content(message: dict[str, Any], kind: str) -> tuple[MessageKind, str | None]:
    """What a message is made of, and its words: a file's caption, a button's title."""
    found = inner(message, kind)
    if kind == "text":
        text = text_in(found, "body")
        return (MessageKind.TEXT, text) if text is not None else (MessageKind.UNSUPPORTED, None)
    if kind == "button":
        text = text_in(found, "text", "payload")
        return (MessageKind.TEXT, text) if text is not None else (MessageKind.UNSUPPORTED, None)
    if kind == "interactive":
        text = text_in(inner(found, "button_reply"), "title") or text_in(inner(found, "list_reply"), "title")
        return (MessageKind.TEXT, text) if text is not None else (MessageKind.UNSUPPORTED, None)
    if kind in _FILES:
        return MessageKind.MEDIA, text_in(found, "caption")
    if kind in _PLACES:
        return MessageKind.MEDIA, None
    return (MessageKind.REACTION if kind in _WANT_NOTHING else MessageKind.UNSUPPORTED), None


# --- out -------------------------------------------------------------------------------------------------


def _call(settings: WhatsappSettings, method: str, path: str, body: dict[str, Any] | None = None) -> Outgoing:
    token = settings.token.get_secret_value() if settings.token else ""
    url = f"{settings.base_url}/{settings.version}/{path}"
    return Outgoing(method, url, {"authorization": f"Bearer {token}"}, body)


def text_call(settings: WhatsappSettings, person: str, text: str, press: Press) -> Outgoing:
    """A message in free words. ``biz_opaque_callback_data`` comes back in every status of it."""
    body = {"type": "text", "text": {"preview_url": False, "body": text}}
    return _message_call(settings, person, body, press)


def template_call(settings: WhatsappSettings, person: str, press: Press) -> Outgoing:
    """The approved template, as it is: it opens a conversation whose 24 hours are over."""
    name, _, language = settings.template.partition(" ")
    body = {"type": "template", "template": {"name": name, "language": {"code": language}}}
    return _message_call(settings, person, body, press)


def _message_call(settings: WhatsappSettings, person: str, message: dict[str, Any], press: Press) -> Outgoing:
    to = {"to": person} if person.isdigit() else {"recipient": person}
    body = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **to,
        **message,
        "biz_opaque_callback_data": press.key,
    }
    return _call(settings, "POST", f"{settings.phone_id}/messages", body)


def typing_call(settings: WhatsappSettings, person: str, message_id: str) -> Outgoing:  # noqa: ARG001
    """Shows that an answer is being written, for 25 s or until it comes; marks the message as read, too."""
    body = {
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": message_id,
        "typing_indicator": {"type": "text"},
    }
    return _call(settings, "POST", f"{settings.phone_id}/messages", body)


def check_call(settings: WhatsappSettings) -> Outgoing:
    """Whether the token may speak for the number."""
    return _call(settings, "GET", f"{settings.phone_id}?fields=id")


def examine_call(settings: WhatsappSettings) -> Outgoing:
    """How the number stands (Cloud API documentation: Phone numbers, Messaging health status, Override)."""
    fields = "verified_name,quality_rating,health_status,webhook_configuration"
    return _call(settings, "GET", f"{settings.phone_id}?fields={fields}")


def examined(answer: Answer) -> tuple[Examination, ...]:
    """What Meta says of the number; nothing where it says nothing."""
    body, found = answer.parsed(), []
    if answer.status != 200:
        code = inner(body, "error").get("code")
        advice = "check WHATSAPP_PHONE_ID, and that the token may use this number"
        refused = answer.status in (401, 403)
        words = f"Meta does not tell how the number stands (code {code})"
        return (Examination(words, advice if refused else None),)
    hook = inner(body, "webhook_configuration")
    address = text_in(hook, "phone_number", "whatsapp_business_account", "application")
    if address is not None:
        found.append(Examination(f"Meta calls {address}", None if "/hooks/" in address else _HOOK_ADVICE))
    elif "webhook_configuration" in body:
        found.append(Examination("Meta calls nobody for this number", _HOOK_ADVICE))
    may = text_in(inner(body, "health_status"), "can_send_message")
    if may is not None:
        good = may == "AVAILABLE"
        advice = "see the number's health in Meta's WhatsApp manager"
        found.append(Examination(f"sending: {may}", None if good else advice))
    quality = text_in(body, "quality_rating")
    if quality is not None:
        why = " (people block or report the number)" if quality == "RED" else ""
        found.append(Examination(f"quality: {quality}{why}"))
    return tuple(found)


_HOOK_ADVICE = (
    "in the app's WhatsApp configuration set the callback URL https://<your address>/hooks/<account>"
)


def media_call(settings: WhatsappSettings, media: str) -> Outgoing:
    """Where a file is: an address that is good for five minutes."""
    return _call(settings, "GET", media)


def file_call(settings: WhatsappSettings, url: str) -> Outgoing:
    """The file itself."""
    token = settings.token.get_secret_value() if settings.token else ""
    return Outgoing("GET", url, {"authorization": f"Bearer {token}"})


def judge(answer: Answer) -> Verdict:
    """What the answer to a message means. Only a refusal that the service has put into words is one."""
    body, status = answer.parsed(), answer.status
    if 200 <= status < 300:
        found = text_in(next(dicts(body, "messages"), {}), "id")
        return Taken(found) if found else Unknown("the answer names no message")
    error = inner(body, "error")
    code = error.get("code")
    if status == 429:
        return Slower(answer.wait, everybody=code not in _SLOWER_HERE)
    if not 400 <= status < 500 or not isinstance(code, int) or isinstance(code, bool):
        return wall_of(answer) or Unknown(f"the service answered {status}")
    if code in _SLOWER_HERE or code in _SLOWER_EVERYBODY:
        return Slower(answer.wait, everybody=code in _SLOWER_EVERYBODY)
    wall = wall_of(answer)
    if wall is not None:
        return wall
    if code in _BAD_FIELD:
        return Refused(f"{code} {_field(error)}".strip())
    return Refused(str(code), held(str(code)))


def held(code: str | None) -> str | None:
    """The reason for which a reply waits for a person after this code; None: it has failed."""
    return _HELD.get(code or "")


def standing_wall(answer: Answer) -> Wall | None:
    """Why nothing can be sent, by the answer to ``check_call``; None if it can."""
    return wall_of(answer)


def wall_of(answer: Answer) -> Wall | None:
    """The halt that an answer means; None if it is none."""
    code = inner(answer.parsed(), "error").get("code")
    if not 400 <= answer.status < 500:
        return None
    if code in _BLOCKED:
        return Wall("blocked", f"Meta has restricted the account (code {code})")
    if (isinstance(code, int) and code in _CREDENTIALS) or (answer.status == 401 and code is None):
        named = f"code {code}" if code is not None else "HTTP 401"
        return Wall("credentials", f"Meta refuses the token ({named})")
    return None


_FIELD = re.compile(
    r"[A-Za-z_]+(?:\[['\"]?[a-z_0-9]+['\"]?\])+|\b[a-z]+(?:_[a-z]+)+\b|\b[a-z]+(?:\.[a-z_]+)+\b"
)
"""A name as only fields have one: ``text['body']``, ``phone_number_id``, ``text.body``."""


def _field(error: dict[str, Any]) -> str:
    """The name of the field that the service did not take; nothing else of its sentence: it may name a person."""
    for sentence in (text_in(inner(error, "error_data"), "details"), text_in(error, "message")):
        named = _FIELD.search(sentence or "")
        if named is not None:
            return re.sub(r"[\[\]'\"]+", ".", named[0]).strip(".")
    return ""
