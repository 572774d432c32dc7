"""What Meta's Cloud API calls a webhook with, put together from its documentation. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

BUSINESS = "102290129340398"
SHOWN_NUMBER = "15550783881"


def signed(body: bytes, secret: str) -> dict[str, str]:
    """The headers of a call: the signature is over the body's very bytes."""
    shown = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"content-type": "application/json", "x-hub-signature-256": f"sha256={shown}"}


def encoded(body: dict[str, Any]) -> bytes:
    """As Meta writes JSON: letters outside of ASCII and slashes are escaped."""
    return json.dumps(body).replace("/", "\\/").encode()


def change(phone_id: str, field: str = "messages", **value: Any) -> dict[str, Any]:
    """One change of one number."""
    about = {"display_phone_number": SHOWN_NUMBER, "phone_number_id": phone_id}
    return {"value": {"messaging_product": "whatsapp", "metadata": about, **value}, "field": field}


def webhook(*changes: dict[str, Any]) -> dict[str, Any]:
    """One call: an entry with these changes."""
    return {"object": "whatsapp_business_account", "entry": [{"id": BUSINESS, "changes": list(changes)}]}


def contact(number: str, name: str) -> dict[str, Any]:
    if number.isdigit():
        return {"profile": {"name": name}, "wa_id": number}
    return {"profile": {"name": name}, "user_id": number}


def message(number: str, wamid: str, at: int, kind: str = "text", **content: Any) -> dict[str, Any]:
    """A message of a user. ``content`` is what stands under its type's name."""
    sender = {"from": number} if number.isdigit() else {"from_user_id": number}
    return {**sender, "id": wamid, "timestamp": str(at), "type": kind, kind: content}


def echo(number: str, wamid: str, at: int, kind: str = "text", **content: Any) -> dict[str, Any]:
    """A message that a person of the business wrote on the phone."""
    return {
        "from": SHOWN_NUMBER,
        "to": number,
        "id": wamid,
        "timestamp": str(at),
        "type": kind,
        kind: content,
    }


def status(
    wamid: str, standing: str, number: str, at: int, key: str | None = None, code: int | None = None
) -> dict[str, Any]:
    """What became of a message of the business."""
    said: dict[str, Any] = {"id": wamid, "status": standing, "timestamp": str(at), "recipient_id": number}
    if key is not None:
        said["biz_opaque_callback_data"] = key
    if code is not None:
        said["errors"] = [{"code": code, "title": "It failed", "error_data": {"details": "It failed."}}]
    return said


def error(code: int, details: str = "Something about it.", kind: str = "OAuthException") -> dict[str, Any]:
    """The body of an answer that is an error."""
    return {
        "error": {
            "message": f"(#{code}) Something is wrong",
            "type": kind,
            "code": code,
            "error_data": {"messaging_product": "whatsapp", "details": details},
            "fbtrace_id": "AJfbTrace",
        }
    }
