"""Airbnb's ids (field guide, section 2.4): base64 of ``<Kind>:<number>``; the number is what the page shows."""

from __future__ import annotations

import base64
import binascii
import re

_PLAIN = re.compile(r"^([A-Za-z]+):(\d{1,20})$")


def encode(kind: str, number: int) -> str:
    """``("MessageThread", 1234567)`` → ``"TWVzc2FnZVRocmVhZDoxMjM0NTY3"``."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def decode(kind: str, external_id: object) -> int | None:
    """The number in an id of this kind, or None if it is not one (also if it is not in its canonical form)."""
    if not isinstance(external_id, str) or len(external_id) > 120:
        return None
    try:
        plain = base64.b64decode(external_id, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    match = _PLAIN.match(plain)
    if match is None or match.group(1) != kind:
        return None
    number = int(match.group(2))
    return number if encode(kind, number) == external_id else None


def thread_number(external_id: object) -> int | None:
    """The number of a conversation, as in the address ``/hosting/messages/<number>``."""
    return decode("MessageThread", external_id)


def message_number(external_id: object) -> int | None:
    """The number of a message, as in ``data-item-id``."""
    return decode("Message", external_id)
